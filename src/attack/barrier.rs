//! What counts as better under constraints: the extreme barrier, and the progressive one until something is feasible.
//!
//! Source: Audet & Dennis, *SIAM J. Optim.* 20, 2009. A point has a value f to be maximized and a violation h ≥ 0, the sum
//! of the positive parts of its constraints. Once a feasible point is known, infeasible ones are rejected whatever their
//! value (extreme barrier). Before, a point is accepted when its violation is below that of the incumbent; the largest
//! violation allowed falls with it and never rises again. No penalty weighs one against the other.

use std::cmp::Ordering;

/// What is known of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merit {
    /// The value, larger is better; −∞ where the evaluation failed.
    pub value: f64,
    /// The violation, 0 where feasible.
    pub violation: f64,
}

impl Merit {
    /// Of a value and constraints that hold where they are not positive. What is no number counts as failed.
    pub fn of(value: f64, constraints: &[f64]) -> Self {
        let violation: f64 = constraints.iter().map(|&c| if c > 0.0 { c } else { 0.0 }).sum();
        let is_known = !value.is_nan() && !constraints.iter().any(|c| c.is_nan());
        if is_known {
            Self { value, violation }
        } else {
            Self { value: f64::NEG_INFINITY, violation: f64::INFINITY }
        }
    }

    /// Whether all constraints hold.
    pub fn is_feasible(&self) -> bool {
        self.violation <= 0.0
    }

    /// Whether this is better than `incumbent`.
    pub fn improves_on(&self, incumbent: &Self) -> bool {
        match (self.is_feasible(), incumbent.is_feasible()) {
            (true, true) => self.value > incumbent.value,
            (true, false) => true,
            (false, true) => false,
            (false, false) => self.violation < incumbent.violation,
        }
    }

    /// The better one first.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self.improves_on(other), other.improves_on(self)) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feasibility_comes_first_and_stays() {
        let merit = |value, c: f64| Merit::of(value, &[c, -1.0]);
        assert!(merit(0.0, -0.1).improves_on(&merit(9.0, 0.1)));
        assert!(!merit(9.0, 0.1).improves_on(&merit(0.0, 0.0)));
        assert!(merit(-5.0, 0.1).improves_on(&merit(5.0, 0.2)));
        assert!(merit(2.0, 0.0).improves_on(&merit(1.0, -3.0)));
        assert!(!merit(1.0, 0.0).improves_on(&merit(1.0, 0.0)));
        assert!(!Merit::of(f64::NAN, &[]).improves_on(&merit(1.0, 2.0)));
        assert!(!Merit::of(1.0, &[f64::NAN]).is_feasible());
    }
}
