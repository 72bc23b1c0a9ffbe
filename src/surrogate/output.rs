//! The shape of the outputs: from a metric's own units to what a Gaussian process takes for normal, and back.
//!
//! y = (T(z) − m)/s with z = (sign · value − centre)/spread. T is one of
//!
//! | transform | for | source |
//! | --- | --- | --- |
//! | none | outputs that need none | |
//! | Yeo-Johnson, λ in [0, 2] | skewed outputs; one to one on all numbers, differentiable | Yeo & Johnson, *Biometrika* 87, 2000 |
//! | gap | outputs that grow by orders of magnitude away from the best one: −ln of the distance to it; differentiable | after OSS Vizier's log warper (arXiv 2408.11527) |
//! | ranked | heavy tails: knots at quantiles go to normal scores, straight lines between them; what lies far outside is held at the outermost score | after HEBO (arXiv 2012.03826) and OSS Vizier (arXiv 2207.13676) |
//!
//! Values of any finite size: they are scaled before they are squared. Predictions come back by
//! quadrature, for a mean does not go through a curve.

use serde::{Deserialize, Serialize};

/// A number in a metric's units under a normal belief.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// The 5, 50 and 95 % quantiles.
    pub quantiles: [f64; 3],
}

/// The transform T.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// T(z) = z.
    None,
    /// Yeo-Johnson.
    YeoJohnson {
        /// λ: 1 is no transform, below it the upper tail is drawn in, above it the lower one.
        lambda: f64,
    },
    /// −ln(1 + (top − z)/scale) up to the top, a straight line of the same slope beyond it.
    Gap {
        /// The best value that was seen.
        top: f64,
        /// How far from the top the logarithm begins to draw in.
        scale: f64,
    },
    /// Straight lines between knots, and beyond them with the slopes of the outermost ones, as far as a limit. The way
    /// back knows no limit: outliers are held in, predictions are not.
    Ranked {
        /// (z, T(z)) of quantiles without the outliers, both increasing; at least two.
        knots: Vec<(f64, f64)>,
        /// The greatest |T(z)|: the normal score of the outermost value.
        limit: f64,
    },
}

/// The way from a metric's units to a model's, and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    sign: f64,
    centre: f64,
    spread: f64,
    transform: Transform,
    mean: f64,
    sd: f64,
}

/// The 95 % quantile of the standard normal distribution.
const Z_95: f64 = 1.644_853_626_951_472_2;
/// Robust z-values from here on are a heavy tail.
const HEAVY: f64 = 8.0;
/// Fewer values than this are never transformed.
const FEWEST: usize = 10;
/// Steps of the quadrature on each side.
const STEPS: i32 = 80;
/// Fewer values than this have no scale for their distances from the best one.
const FEWEST_FOR_GAP: usize = 5;
/// Scales of [`Transform::Gap`] that are tried, in units of the distance between the best value and the worst.
const GAP_SCALES: [f64; 3] = [0.3, 0.03, 0.003];
/// How much better (in nats) a normal distribution must fit the values for a transform to be tried.
const WORTH_TRYING: f64 = 4.0;

impl Output {
    /// No change but the sign.
    pub fn signed(sign: f64) -> Self {
        Self { sign, centre: 0.0, spread: 1.0, transform: Transform::None, mean: 0.0, sd: 1.0 }
    }

    /// Mean 0 and standard deviation 1 of the values, turned by `sign`.
    #[allow(clippy::cast_precision_loss)]
    pub fn standard(values: &[f64], sign: f64) -> Self {
        let size = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        if size == 0.0 {
            return Self::signed(sign);
        }
        let n = values.len() as f64;
        let centre = values.iter().map(|v| v / size).sum::<f64>() / n;
        let variance = values.iter().map(|v| (v / size - centre).powi(2)).sum::<f64>() / n;
        let spread = variance.sqrt() * size;
        // Values that are equal up to rounding have no spread of their own.
        let spread = if spread > 1e-14 * size { spread } else { size };
        Self { centre: sign * centre * size, spread, ..Self::signed(sign) }
    }

    /// Transforms that are worth a fit beside [`Self::standard`]: by how normal they make the values.
    pub fn candidates(values: &[f64], sign: f64, differentiable_only: bool) -> Vec<Self> {
        let mut candidates = Vec::new();
        let gaps = Self::gaps(values, sign);
        let Some(robust) = Self::robust(values, sign) else { return gaps };
        let z: Vec<f64> = values.iter().map(|&v| robust.standardized(v)).collect();
        let (lambda, gain) = best_lambda(&z);
        if gain > WORTH_TRYING {
            candidates.push(robust.with(Transform::YeoJohnson { lambda }, &z));
        }
        let drawn_in = candidates.last().map_or(Transform::None, |output| output.transform.clone());
        if drawn_in.reach(&z) > HEAVY
            && !differentiable_only
            && let Some(ranked) = ranked(&z)
        {
            candidates.push(robust.with(ranked, &z));
        }
        candidates.extend(gaps);
        candidates
    }

    /// [`Transform::Gap`] with each scale; none for few or equal values.
    fn gaps(values: &[f64], sign: f64) -> Vec<Self> {
        if values.len() < FEWEST_FOR_GAP {
            return Vec::new();
        }
        let standard = Self::standard(values, sign);
        let z: Vec<f64> = values.iter().map(|&v| standard.standardized(v)).collect();
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bottom = z.iter().copied().fold(f64::INFINITY, f64::min);
        let range = top - bottom;
        if !(range > 1e-6 && range.is_finite()) {
            return Vec::new();
        }
        let shaped = |share: &f64| standard.with(Transform::Gap { top, scale: share * range }, &z);
        GAP_SCALES.iter().map(shaped).collect()
    }

    /// Median 0 and a normal distribution's quartiles; `None` for few values and where the quartiles are equal.
    fn robust(values: &[f64], sign: f64) -> Option<Self> {
        if values.len() < FEWEST {
            return None;
        }
        let mut sorted: Vec<f64> = values.iter().map(|v| sign * v).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: usize| sorted[(sorted.len() - 1) * share / 4];
        let spread = (at(3) / 1.349 - at(1) / 1.349).max(0.0);
        let centre = at(2);
        let reach = sorted.iter().fold(0.0_f64, |most, v| most.max(((v - centre) / spread).abs()));
        // Without quartiles apart, or with a reach that no number holds, there is nothing to shape.
        (spread > 0.0 && reach < 1e15).then(|| Self { centre, spread, ..Self::signed(sign) })
    }

    /// The transform, standardized over `z`.
    #[allow(clippy::cast_precision_loss)]
    fn with(&self, transform: Transform, z: &[f64]) -> Self {
        let n = z.len() as f64;
        let shaped: Vec<f64> = z.iter().map(|&z| transform.apply(z)).collect();
        let mean = shaped.iter().sum::<f64>() / n;
        let sd = (shaped.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
        Self { transform, mean, sd: if sd > 0.0 { sd } else { 1.0 }, ..self.clone() }
    }

    fn standardized(&self, value: f64) -> f64 {
        // Divided first: the difference of two huge values may overflow.
        self.sign * value / self.spread - self.centre / self.spread
    }

    /// y of a value; infinite values stay so.
    pub fn apply(&self, value: f64) -> f64 {
        let z = self.standardized(value);
        if z.is_infinite() { z } else { (self.transform.apply(z) - self.mean) / self.sd }
    }

    /// The value of y.
    pub fn undo(&self, y: f64) -> f64 {
        self.sign * (self.transform.undo(y * self.sd + self.mean) * self.spread + self.centre)
    }

    /// dy/dvalue at a value: what standard errors and derivatives are multiplied with.
    pub fn slope(&self, value: f64) -> f64 {
        self.sign * self.transform.slope(self.standardized(value)) / (self.sd * self.spread)
    }

    /// How many units of the metric one unit of y is; with a transform, at its centre.
    pub fn spread(&self) -> f64 {
        match self.transform {
            Transform::None => self.spread * self.sd,
            _ => 1.0 / self.slope(self.undo(0.0)).abs(),
        }
    }

    /// The transform.
    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Σ ln |dy/dz₀| over the values, z₀ being standardized by `reference`: what makes likelihoods under different
    /// transforms comparable.
    #[allow(clippy::cast_precision_loss)]
    pub fn log_jacobian(&self, values: &[f64], reference: &Self) -> f64 {
        let of = |&v: &f64| (self.slope(v) / reference.slope(v)).abs().max(f64::MIN_POSITIVE).ln();
        values.iter().map(of).sum::<f64>() - 0.5 * self.transform.freedom() * (values.len() as f64).ln()
    }

    /// A normal y in the metric's units, where T is a curve by the trapezoidal rule over ±8 standard deviations, which
    /// converges exponentially under a normal weight (Goodwin, *Math. Proc. Cambridge* 45, 1949) and bears kinks.
    pub fn moments(&self, mean: f64, sd: f64) -> Moments {
        let quantile = |z: f64| self.undo(mean + self.sign * z * sd);
        let quantiles = [quantile(-Z_95), quantile(0.0), quantile(Z_95)];
        if self.transform == Transform::None {
            return Moments { mean: quantiles[1], sd: sd * self.spread * self.sd, quantiles };
        }
        // Around the median and in units of the spread, so that squares neither cancel nor overflow.
        let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
        for step in -STEPS..=STEPS {
            let z = 8.0 * f64::from(step) / f64::from(STEPS);
            let weight = (-0.5 * z * z).exp();
            let away = (self.undo(mean + z * sd) - quantiles[1]) / self.spread;
            total += weight;
            first += weight * away;
            second += weight * away * away;
        }
        let (first, second) = (first / total, second / total);
        let sd = (second - first * first).max(0.0).sqrt() * self.spread;
        Moments { mean: quantiles[1] + first * self.spread, sd, quantiles }
    }
}

impl Transform {
    /// Its name in answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::YeoJohnson { .. } => "yeo_johnson",
            Self::Gap { .. } => "gap",
            Self::Ranked { .. } => "ranked",
        }
    }

    /// How many numbers were learned for it.
    #[allow(clippy::cast_precision_loss)]
    fn freedom(&self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::YeoJohnson { .. } => 1.0,
            Self::Gap { .. } => 2.0,
            Self::Ranked { knots, .. } => knots.len() as f64,
        }
    }

    fn apply(&self, z: f64) -> f64 {
        match self {
            Self::None => z,
            Self::YeoJohnson { lambda } if z >= 0.0 => power(z, *lambda),
            Self::YeoJohnson { lambda } => -power(-z, 2.0 - lambda),
            Self::Gap { top, scale } if z <= *top => -((top - z) / scale).ln_1p(),
            Self::Gap { top, scale } => (z - top) / scale,
            Self::Ranked { knots, limit } => along(knots.iter().copied(), z).0.clamp(-limit, *limit),
        }
    }

    /// How far the values reach after it: the largest distance from the median's image, in units of the quartiles'.
    fn reach(&self, z: &[f64]) -> f64 {
        // Quartiles of a standard normal distribution, at which robust z-values have theirs.
        const QUARTILE: f64 = 0.674_489_750_196_081_7;
        let spread = (self.apply(QUARTILE) - self.apply(-QUARTILE)) / (2.0 * QUARTILE);
        let centre = self.apply(0.0);
        z.iter().fold(0.0_f64, |most, &z| most.max((self.apply(z) - centre).abs() / spread))
    }

    fn undo(&self, y: f64) -> f64 {
        match self {
            Self::None => y,
            Self::YeoJohnson { lambda } if y >= 0.0 => root(y, *lambda),
            Self::YeoJohnson { lambda } => -root(-y, 2.0 - lambda),
            Self::Gap { top, scale } if y <= 0.0 => top - scale * (-y).exp_m1(),
            Self::Gap { top, scale } => top + scale * y,
            Self::Ranked { knots, .. } => along(knots.iter().map(|(z, y)| (*y, *z)), y).0,
        }
    }

    fn slope(&self, z: f64) -> f64 {
        match self {
            Self::None => 1.0,
            Self::YeoJohnson { lambda } => {
                let exponent = if z >= 0.0 { lambda - 1.0 } else { 1.0 - lambda };
                (exponent * z.abs().ln_1p()).exp()
            }
            Self::Gap { top, scale } => 1.0 / (scale + (top - z).max(0.0)),
            Self::Ranked { knots, limit } => {
                let (y, slope) = along(knots.iter().copied(), z);
                // Beyond the limit as the tail of Cauchy's distribution, so that an outlier has a finite price.
                let excess = (y.abs() / limit).max(1.0);
                slope / (excess * excess)
            }
        }
    }
}

/// ((z + 1)^λ − 1)/λ for z ≥ 0, its limit ln(z + 1) at λ = 0.
fn power(z: f64, lambda: f64) -> f64 {
    let log = z.ln_1p();
    if lambda.abs() < 1e-9 { log } else { (lambda * log).exp_m1() / lambda }
}

/// The inverse of [`power`].
fn root(y: f64, lambda: f64) -> f64 {
    if lambda.abs() < 1e-9 { y.exp_m1() } else { ((lambda * y).ln_1p() / lambda).exp_m1() }
}

/// Where straight lines through points with increasing x are at `x`, and their slope there.
fn along(points: impl Iterator<Item = (f64, f64)> + Clone, x: f64) -> (f64, f64) {
    let mut segments = points.clone().zip(points.skip(1)).peekable();
    while let Some(((x0, y0), (x1, y1))) = segments.next() {
        if x <= x1 || segments.peek().is_none() {
            let slope = (y1 - y0) / (x1 - x0);
            return (y0 + slope * (x - x0), slope);
        }
    }
    (x, 1.0)
}

/// λ under which the values are most normal, and by how many nats more than as they are.
#[allow(clippy::cast_precision_loss)]
fn best_lambda(z: &[f64]) -> (f64, f64) {
    let n = z.len() as f64;
    let pull: f64 = z.iter().map(|z| z.signum() * z.abs().ln_1p()).sum();
    let log_likelihood = |lambda: f64| {
        let transform = Transform::YeoJohnson { lambda };
        let shaped: Vec<f64> = z.iter().map(|&z| transform.apply(z)).collect();
        let mean = shaped.iter().sum::<f64>() / n;
        let variance = shaped.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n;
        (lambda - 1.0) * pull - 0.5 * n * variance.max(f64::MIN_POSITIVE).ln()
    };
    // Golden section (Kiefer 1953): the profile has one maximum for all but strange values.
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (0.0, 2.0);
    for _ in 0..24 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if log_likelihood(a) < log_likelihood(b) { low = a } else { high = b }
    }
    let lambda = 0.5 * (low + high);
    (lambda, log_likelihood(lambda) - log_likelihood(1.0))
}

/// Knots at about 2√n quantiles of what is no outlier, the extremes among them, with their normal scores among all
/// values; `None` where fewer than two are apart.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn ranked(z: &[f64]) -> Option<Transform> {
    let mut sorted = z.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let below = sorted.iter().filter(|z| **z < -HEAVY).count();
    let inside = sorted.iter().filter(|z| z.abs() <= HEAVY).count();
    if inside < 2 {
        return None;
    }
    let count = ((2.0 * (n as f64).sqrt()) as usize).clamp(2, inside);
    let mut knots: Vec<(f64, f64)> = Vec::with_capacity(count);
    for k in 0..count {
        let rank = below + k * (inside - 1) / (count - 1);
        let score = normal_quantile((rank as f64 + 0.5) / n as f64);
        if knots.last().is_none_or(|(last, _)| sorted[rank] > last + 1e-9) {
            knots.push((sorted[rank], score));
        }
    }
    let limit = -normal_quantile(0.5 / n as f64);
    (knots.len() >= 2).then_some(Transform::Ranked { knots, limit })
}

/// Φ⁻¹(p), by bisection on the error function: a few of them are needed once.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let below = 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2);
        if below < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> Vec<Output> {
        let values: Vec<f64> = (1..40).map(|i| (f64::from(i) * 0.12).exp()).collect();
        let robust = Output::robust(&values, -1.0).unwrap();
        let z: Vec<f64> = values.iter().map(|&v| robust.standardized(v)).collect();
        let mut shapes = vec![Output::standard(&values, -1.0), Output::standard(&values, 1.0)];
        for lambda in [0.0, 0.4, 1.0, 1.7, 2.0] {
            shapes.push(robust.with(Transform::YeoJohnson { lambda }, &z));
        }
        shapes.push(robust.with(ranked(&z).unwrap(), &z));
        shapes
    }

    #[test]
    fn every_way_there_has_its_way_back() {
        for output in shapes() {
            // Ranked outputs have their limits.
            let is_ranked = matches!(output.transform(), Transform::Ranked { .. });
            let values = [20.0, 700.0, 5000.0, -3.0, 0.5, 1.0];
            for &value in &values[..if is_ranked { 1 } else { 6 }] {
                let y = output.apply(value);
                assert!((output.undo(y) - value).abs() < 1e-8 * (1.0 + value.abs()), "{output:?} {value}");
                let h = 1e-5 * (1.0 + value.abs());
                let slope = (output.apply(value + h) - output.apply(value - h)) / (2.0 * h);
                assert!((output.slope(value) - slope).abs() < 1e-4 * slope.abs(), "{output:?} {value}");
            }
        }
    }

    #[test]
    fn moments_equal_fine_sums() {
        for output in shapes() {
            for (mean, sd) in [(0.0, 0.3), (0.8, 0.1), (-1.0, 0.5)] {
                let moments = output.moments(mean, sd);
                let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
                for k in -8000..=8000 {
                    let z = f64::from(k) * 1e-3;
                    let (weight, value) = ((-0.5 * z * z).exp(), output.undo(mean + z * sd));
                    sum += weight;
                    first += weight * value;
                    second += weight * value * value;
                }
                let expected = first / sum;
                let expected_sd = (second / sum - expected * expected).sqrt();
                assert!(
                    (moments.mean - expected).abs() < 0.02 * expected_sd,
                    "{output:?} {moments:?} {expected}"
                );
                assert!(
                    (moments.sd / expected_sd - 1.0).abs() < 0.03,
                    "{output:?} {moments:?} {expected_sd}"
                );
                let [low, middle, high] = moments.quantiles;
                assert!(low < middle && middle < high, "{moments:?}");
            }
        }
    }

    #[test]
    fn standardization_survives_any_finite_values() {
        for values in [[1e300, -1e300, 3e299], [1e-300, 2e-300, 3e-300], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0]] {
            for sign in [1.0, -1.0] {
                let standard = Output::standard(&values, sign);
                for value in values {
                    let y = standard.apply(value);
                    assert!(y.is_finite() && y.abs() < 3.0, "{values:?} {standard:?} {y}");
                    assert!((standard.undo(y) - value).abs() <= 1e-9 * value.abs());
                }
                assert!(Output::candidates(&values, sign, false).is_empty());
            }
        }
    }

    #[test]
    fn well_behaved_values_are_left_alone_and_outliers_are_not() {
        let normal: Vec<f64> = (0..50).map(|i| normal_quantile((f64::from(i) + 0.5) / 50.0)).collect();
        let others = |output: &Output| !matches!(output.transform(), Transform::Gap { .. });
        assert!(!Output::candidates(&normal, 1.0, false).iter().any(others));
        let skewed: Vec<f64> = normal.iter().map(|z| (1.5 * z).exp()).collect();
        assert!(Output::candidates(&skewed, -1.0, true).iter().any(others));
        let mut broken = normal.clone();
        broken[7] = -1e6;
        let ranked = Output::candidates(&broken, 1.0, false).into_iter().rfind(others).unwrap();
        assert!(matches!(ranked.transform(), Transform::Ranked { .. }), "{ranked:?}");
        let reach = broken.iter().fold(0.0_f64, |most, &v| most.max(ranked.apply(v).abs()));
        assert!(reach < 4.0, "{reach}");
    }
}
