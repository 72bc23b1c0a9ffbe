//! The Sobol sequence with Owen's nested uniform scrambling.
//!
//! Direction numbers: S. Joe & F. Y. Kuo, SIAM J. Sci. Comput. 30 (2008) 2635–2654, D(6), 1,111 dimensions. Scrambling
//! by hash of the reversed bits (Laine & Karras 2011, with the constants of Burley, JCGT 9(4), 2020): every prefix of
//! 2^k points stays a digital net, and each seed is another randomization. Coordinates past the table are independent
//! uniform numbers. A point costs O(32·d).

use std::sync::OnceLock;

const BITS: usize = 32;
/// The directions of each dimension, most significant first.
type Directions = Vec<[u32; BITS]>;

/// A scrambled sequence of points in the open unit cube.
#[derive(Clone, Debug)]
pub struct Sobol {
    dimension: usize,
    seed: u64,
}

impl Sobol {
    /// The sequence in `dimension` dimensions, scrambled by `seed`.
    pub fn new(dimension: usize, seed: u64) -> Self {
        Self { dimension, seed }
    }

    /// Point `index`, taken modulo 2³².
    #[allow(clippy::cast_possible_truncation)]
    pub fn point(&self, index: u64) -> Vec<f64> {
        let directions = directions();
        (0..self.dimension)
            .map(|dimension| {
                let key = mix(self.seed ^ mix(dimension as u64 + 1));
                let bits = match directions.get(dimension) {
                    Some(directions) => scramble(unscrambled(directions, index as u32), key as u32),
                    None => mix(key ^ mix(index)) as u32,
                };
                // The lower half of the number is filled by hash, so that no two points share a coordinate.
                let fraction = u64::from(bits) << 20 | mix(key ^ mix(index) ^ 0x5bd1) >> 44;
                ((fraction as f64) + 0.5) / (1u64 << 52) as f64
            })
            .collect()
    }
}

/// The unscrambled coordinate as a 32-bit fraction; in natural order, not Gray code.
fn unscrambled(directions: &[u32; BITS], index: u32) -> u32 {
    (0..BITS).filter(|bit| index >> bit & 1 == 1).fold(0, |sum, bit| sum ^ directions[bit])
}

/// Nested uniform scrambling of a fraction's bits: each bit is flipped by a hash of the more significant ones.
fn scramble(bits: u32, seed: u32) -> u32 {
    let mut x = bits.reverse_bits();
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

/// The finalizer of `SplitMix64` (Steele, Lea & Flood, OOPSLA 2014).
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn directions() -> &'static Directions {
    static DIRECTIONS: OnceLock<Directions> = OnceLock::new();
    DIRECTIONS.get_or_init(|| {
        // The first dimension is van der Corput's sequence.
        let first = std::array::from_fn(|bit| 1 << (BITS - 1 - bit));
        std::iter::once(first).chain(include_str!("joe_kuo_d6.txt").lines().map(direction)).collect()
    })
}

/// The directions of one line of the table (Bratley & Fox, ACM TOMS 14, 1988).
fn direction(line: &str) -> [u32; BITS] {
    let numbers: Vec<u32> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    let (inner, initial) = (numbers[0], &numbers[1..]);
    let degree = initial.len();
    let mut directions = [0; BITS];
    for bit in 0..BITS {
        directions[bit] = if bit < degree {
            initial[bit] << (BITS - 1 - bit)
        } else {
            let mut next = directions[bit - degree] ^ (directions[bit - degree] >> degree);
            for k in 1..degree {
                if inner >> (degree - 1 - k) & 1 == 1 {
                    next ^= directions[bit - k];
                }
            }
            next
        };
    }
    directions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scipy_in_gray_code_order() {
        // scipy.stats.qmc.Sobol(5, scramble=False).random(8), as tests/fixtures/joe_kuo_d6.py prints it.
        let expected = [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5, 0.5, 0.5],
            [0.75, 0.25, 0.25, 0.25, 0.75],
            [0.25, 0.75, 0.75, 0.75, 0.25],
            [0.375, 0.375, 0.625, 0.875, 0.375],
            [0.875, 0.875, 0.125, 0.375, 0.875],
            [0.625, 0.125, 0.875, 0.625, 0.625],
            [0.125, 0.625, 0.375, 0.125, 0.125],
        ];
        for (index, point) in (0u32..).zip(expected) {
            let gray = index ^ (index >> 1);
            for (dimension, coordinate) in point.into_iter().enumerate() {
                let bits = unscrambled(&directions()[dimension], gray);
                assert_eq!(f64::from(bits) / 2.0_f64.powi(32), coordinate, "{index} {dimension}");
            }
        }
    }

    #[test]
    fn every_projection_is_stratified_and_seeds_differ() {
        let sobol = Sobol::new(200, 3);
        let points: Vec<Vec<f64>> = (0..64).map(|index| sobol.point(index)).collect();
        for dimension in 0..200 {
            let mut cells: Vec<usize> = points.iter().map(|p| (p[dimension] * 64.0) as usize).collect();
            cells.sort_unstable();
            assert_eq!(cells, (0..64).collect::<Vec<_>>(), "dimension {dimension}");
        }
        assert_ne!(Sobol::new(3, 1).point(5), Sobol::new(3, 2).point(5));
        assert!(Sobol::new(1200, 1).point(7).iter().all(|u| *u > 0.0 && *u < 1.0));
    }
}
