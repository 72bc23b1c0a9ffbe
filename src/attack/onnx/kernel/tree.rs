//! Ensembles of decision trees: values without gradients.

use super::{Backward, Kernel};

/// How a node compares its feature with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Branch {
    /// To the left where x ≤ threshold.
    NotAbove,
    /// x < threshold.
    Below,
    /// x ≥ threshold.
    NotBelow,
    /// x > threshold.
    Above,
    /// x = threshold.
    Equal,
    /// x ≠ threshold.
    Unequal,
}

/// An inner node, or a leaf.
#[derive(Clone, Debug)]
pub(in super::super) enum TreeNode {
    /// Compares a feature, and goes on.
    Inner {
        feature: usize,
        branch: Branch,
        threshold: f64,
        /// Whether a missing number goes to the left.
        missing: bool,
        left: usize,
        right: usize,
    },
    /// Adds weights to outputs.
    Leaf(Vec<(usize, f64)>),
}

/// What becomes of the trees' sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ending {
    /// Nothing.
    Plain,
    /// 1 / (1 + e⁻ˣ).
    Logistic,
    /// eˣ / Σ eˣ.
    Softmax,
    /// One sum s of a classifier of two classes: (1 − s, s).
    Complement,
    /// Likewise, of the logistic function of it.
    LogisticComplement,
}

/// Trees whose leaves are added up, for each of some rows.
pub(in super::super) struct Trees {
    pub(in super::super) features: usize,
    pub(in super::super) nodes: Vec<TreeNode>,
    pub(in super::super) roots: Vec<usize>,
    pub(in super::super) base: Vec<f64>,
    /// What the sums are multiplied with: the reciprocal of the number of trees where they are averaged.
    pub(in super::super) share: f64,
    pub(in super::super) ending: Ending,
    pub(in super::super) rows: usize,
    /// The longest way from a root to a leaf.
    pub(in super::super) depth: usize,
}

impl Trees {
    #[allow(clippy::float_cmp, clippy::cast_possible_truncation)]
    fn leaf(&self, root: usize, x: &[f64]) -> &[(usize, f64)] {
        let mut at = root;
        for _ in 0..=self.depth {
            match &self.nodes[at] {
                TreeNode::Leaf(weights) => return weights,
                TreeNode::Inner { feature, branch, threshold, missing, left, right } => {
                    // Thresholds are made in single precision, of features in single precision.
                    let x = f64::from(x[*feature] as f32);
                    let is_left = match branch {
                        _ if x.is_nan() => *missing,
                        Branch::NotAbove => x <= *threshold,
                        Branch::Below => x < *threshold,
                        Branch::NotBelow => x >= *threshold,
                        Branch::Above => x > *threshold,
                        Branch::Equal => x == *threshold,
                        Branch::Unequal => x != *threshold,
                    };
                    at = if is_left { *left } else { *right };
                }
            }
        }
        &[]
    }
}

impl Kernel for Trees {
    fn forward(&self, inputs: &[&[f64]], output: &mut [f64], _: &mut Vec<f64>) {
        let of_row = output.len().checked_div(self.rows).unwrap_or(0);
        for row in 0..self.rows {
            let x = &inputs[0][row * self.features..][..self.features];
            let mut sums = self.base.clone();
            for &root in &self.roots {
                for &(output, weight) in self.leaf(root, x) {
                    sums[output] += weight * self.share;
                }
            }
            let out = &mut output[row * of_row..][..of_row];
            let logistic = |s: f64| 1.0 / (1.0 + libm::exp(-s));
            match self.ending {
                Ending::Plain => out.copy_from_slice(&sums),
                Ending::Logistic => out.iter_mut().zip(&sums).for_each(|(o, &s)| *o = logistic(s)),
                Ending::Softmax => {
                    let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let total: f64 = sums.iter().map(|s| libm::exp(s - most)).sum();
                    out.iter_mut().zip(&sums).for_each(|(o, s)| *o = libm::exp(s - most) / total);
                }
                Ending::Complement | Ending::LogisticComplement => {
                    let s = if self.ending == Ending::Complement { sums[0] } else { logistic(sums[0]) };
                    out.copy_from_slice(&[1.0 - s, s]);
                }
            }
        }
    }

    fn backward(&self, _: &Backward<'_>, _: usize, _: &mut [f64], _: &mut Vec<f64>) {}

    fn work(&self) -> u64 {
        (self.rows * self.roots.len() * (self.depth + 1)) as u64 * 4
    }

    fn is_flat(&self) -> bool {
        true
    }
}
