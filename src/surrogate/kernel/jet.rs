//! A kernel at a pair of points with all its first derivatives, and how products of kernels combine them.

/// k(u, v), ∂k/∂uₐ, ∂k/∂v_b and ∂²k/∂uₐ∂v_b: the covariances of a function's value and partial derivatives at u with
/// those at v, for differentiation goes through a covariance (Rasmussen & Williams, eq. 9.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Jet {
    /// k.
    pub value: f64,
    /// ∂k/∂uₐ.
    pub in_u: Vec<f64>,
    /// ∂k/∂v_b.
    pub in_v: Vec<f64>,
    /// ∂²k/∂uₐ∂v_b, row after row.
    pub in_both: Vec<f64>,
}

impl Jet {
    /// All 0, in d dimensions.
    pub fn zeros(d: usize) -> Self {
        Self { value: 0.0, in_u: vec![0.0; d], in_v: vec![0.0; d], in_both: vec![0.0; d * d] }
    }

    /// All 1 that a constant kernel of 1 has: the value alone.
    pub(super) fn one(d: usize) -> Self {
        Self { value: 1.0, ..Self::zeros(d) }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.value += other.value;
        let parts = [
            (&mut self.in_u, &other.in_u),
            (&mut self.in_v, &other.in_v),
            (&mut self.in_both, &other.in_both),
        ];
        for (mine, theirs) in parts {
            mine.iter_mut().zip(theirs).for_each(|(x, y)| *x += y);
        }
    }

    /// The jet of a product.
    pub(super) fn times(&self, other: &Self) -> Self {
        let d = self.in_u.len();
        let mut product = Self::zeros(d);
        product.value = self.value * other.value;
        for a in 0..d {
            product.in_u[a] = self.in_u[a] * other.value + self.value * other.in_u[a];
            product.in_v[a] = self.in_v[a] * other.value + self.value * other.in_v[a];
            for b in 0..d {
                let ab = a * d + b;
                product.in_both[ab] = self.in_both[ab] * other.value
                    + self.in_u[a] * other.in_v[b]
                    + self.in_v[b] * other.in_u[a]
                    + self.value * other.in_both[ab];
            }
        }
        product
    }

    /// The coefficients c′ with ⟨c, jet × other⟩ = ⟨c′, jet⟩ for every jet, c being these.
    pub(super) fn seen_through(&self, other: &Self) -> Self {
        let d = self.in_u.len();
        let mut through = Self::zeros(d);
        through.value = self.value * other.value;
        for a in 0..d {
            through.value += self.in_u[a] * other.in_u[a] + self.in_v[a] * other.in_v[a];
            through.in_u[a] += self.in_u[a] * other.value;
            through.in_v[a] += self.in_v[a] * other.value;
            for b in 0..d {
                let c = self.in_both[a * d + b];
                through.value += c * other.in_both[a * d + b];
                through.in_u[a] += c * other.in_v[b];
                through.in_v[b] += c * other.in_u[a];
                through.in_both[a * d + b] = c * other.value;
            }
        }
        through
    }
}
