//! Loops over doubles in the widest vectors that the processor has, chosen at run time.
//!
//! A loop is written once, in blocks of [`LANES`] numbers, and compiled for each instruction set; `pulp` picks one.
//! The exponential is our own, for the C library's takes one number at a time. The same numbers come out on every
//! processor with fused multiply-add; without it they differ in the last bits.

use pulp::Simd;

/// How many numbers a block of a loop has.
pub(super) const LANES: usize = 8;
/// A block.
pub(super) type Block = [f64; LANES];

/// a·b + c, rounded once where the processor can.
#[inline(always)]
pub(super) fn fused<S: Simd>(a: f64, b: f64, c: f64) -> f64 {
    if S::IS_SCALAR { a * b + c } else { a.mul_add(b, c) }
}

/// Where e^x underflows to a subnormal number: from here on 0 is returned.
const LEAST_EXPONENT: f64 = -708.0;

/// e^x for x ≤ 0, to about one unit in the last place; 0 below −708.
///
/// x = k ln 2 + r with |r| ≤ ½ ln 2; e^r by its Taylor polynomial of degree 13, whose remainder is below 2⁻⁵⁷; 2^k goes
/// into the exponent bits.
#[inline(always)]
pub(super) fn exp<S: Simd>(x: f64) -> f64 {
    // Adding and taking away 1.5·2⁵² rounds to an integer, which is then in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const COEFFICIENTS: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let clamped = x.max(LEAST_EXPONENT);
    let shifted = fused::<S>(clamped, std::f64::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = fused::<S>(k, -LN_2_LOW, fused::<S>(k, -LN_2_HIGH, clamped));
    let mut sum = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        sum = fused::<S>(sum, r, *coefficient);
    }
    let sum = fused::<S>(sum * r, r, r) + 1.0;
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    if x < LEAST_EXPONENT { 0.0 } else { sum * scale }
}

/// Σᵢ aᵢ bᵢ.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    struct Dot<'a>(&'a [f64], &'a [f64]);
    impl pulp::WithSimd for Dot<'_> {
        type Output = f64;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> f64 {
            dot_in::<S>(self.0, self.1)
        }
    }
    pulp::Arch::new().dispatch(Dot(a, b))
}

/// [`dot`] inside a loop that is compiled for `S` already.
#[inline(always)]
pub(super) fn dot_in<S: Simd>(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [[0.0; LANES]; 4];
    let (wide_a, tail_a) = a.as_chunks::<{ 4 * LANES }>();
    let (wide_b, tail_b) = b.as_chunks::<{ 4 * LANES }>();
    for (a, b) in wide_a.iter().zip(wide_b) {
        for part in 0..4 {
            for lane in 0..LANES {
                let at = part * LANES + lane;
                sums[part][lane] = fused::<S>(a[at], b[at], sums[part][lane]);
            }
        }
    }
    let (blocks_a, rest_a) = tail_a.as_chunks::<LANES>();
    let (blocks_b, rest_b) = tail_b.as_chunks::<LANES>();
    for (a, b) in blocks_a.iter().zip(blocks_b) {
        for lane in 0..LANES {
            sums[0][lane] = fused::<S>(a[lane], b[lane], sums[0][lane]);
        }
    }
    let mut total = 0.0;
    for lane in 0..LANES {
        total += (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]);
    }
    for (a, b) in rest_a.iter().zip(rest_b) {
        total = fused::<S>(*a, *b, total);
    }
    total
}

/// The sum of a block.
#[inline(always)]
pub(super) fn total(block: &Block) -> f64 {
    let mut sum = [0.0; LANES / 2];
    for lane in 0..LANES / 2 {
        sum[lane] = block[lane] + block[lane + LANES / 2];
    }
    (sum[0] + sum[2]) + (sum[1] + sum[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_good_to_the_last_place() {
        struct Each<'a>(&'a [f64], &'a mut [f64]);
        impl pulp::WithSimd for Each<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) {
                self.0.iter().zip(self.1).for_each(|(x, y)| *y = exp::<S>(*x));
            }
        }
        let places: Vec<f64> = (0..200_000).map(|i| -f64::from(i) * 0.00371).collect();
        let (mut wide, mut scalar) = (vec![0.0; places.len()], vec![0.0; places.len()]);
        pulp::Arch::new().dispatch(Each(&places, &mut wide));
        pulp::Arch::Scalar.dispatch(Each(&places, &mut scalar));
        for (i, x) in places.iter().enumerate() {
            let expected = if *x < LEAST_EXPONENT { 0.0 } else { libm::exp(*x) };
            assert!((wide[i] - expected).abs() <= 3e-16 * expected, "{x} {} {expected}", wide[i]);
            assert!((scalar[i] - expected).abs() <= 3e-16 * expected, "{x} {} {expected}", scalar[i]);
        }
        assert_eq!(wide[0], 1.0);
    }

    #[test]
    fn dot_products_of_every_length() {
        for n in 0..80_u32 {
            let a: Vec<f64> = (0..n).map(|i| f64::from(i % 7) - 3.0).collect();
            let b: Vec<f64> = (0..n).map(|i| f64::from(i % 5) + 0.5).collect();
            let expected: f64 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            assert!((dot(&a, &b) - expected).abs() < 1e-12, "{n}");
        }
    }
}
