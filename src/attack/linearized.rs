//! The attack under constraints: the best change within the radius of the linearized problem.
//!
//! maximize ⟨g, d⟩ subject to |dᵢ| ≤ r, 0 ≤ x + d ≤ 1 and cⱼ + ⟨aⱼ, d⟩ ≤ 0 for the constraints at hand: a linear program,
//! solved by the simplex method. Without constraints its solution is FGSM's. Source: Fletcher & Sainz de la Maza,
//! *Math. Programming* 43, 1989 (successive linear programming with a trust region). Where the linearized constraints
//! leave nothing within the radius, the change that violates them least in sum comes first.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};

use super::directed::Ball;

/// One constraint near x: its value there and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// c(x).
    pub value: f64,
    /// ∇c(x).
    pub gradient: Vec<f64>,
}

/// How much a unit of violation weighs against the largest gain the goal could make within the radius.
const VIOLATION_WEIGHT: f64 = 1e3;

/// The point x + d; `None` where the program cannot be solved.
pub fn linearized_step(ball: &Ball<'_>, gradient: &[f64], constraints: &[Linear]) -> Option<Vec<f64>> {
    let size = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs())).max(f64::MIN_POSITIVE);
    if !size.is_finite() || ball.radius <= 0.0 {
        return None;
    }
    let mut program = Problem::new(OptimizationDirection::Maximize);
    // Everything in units of the radius, so that the numbers are near one.
    let moves: Vec<_> = ball
        .x
        .iter()
        .zip(gradient)
        .map(|(&x, &g)| {
            let least = (-x / ball.radius).clamp(-1.0, 0.0);
            let most = ((1.0 - x) / ball.radius).clamp(0.0, 1.0);
            program.add_var(g / size, (least, most))
        })
        .collect();
    for constraint in constraints {
        let scale = constraint.gradient.iter().fold(0.0_f64, |most, a| most.max(a.abs())) * ball.radius;
        if !(scale.is_finite() && scale > 0.0 && constraint.value.is_finite()) {
            continue;
        }
        let excess = program.add_var(-VIOLATION_WEIGHT, (0.0, f64::INFINITY));
        let mut row: Vec<_> =
            moves.iter().zip(&constraint.gradient).map(|(&d, &a)| (d, a * ball.radius / scale)).collect();
        row.push((excess, -1.0));
        program.add_constraint(&row, ComparisonOp::Le, -constraint.value / scale);
    }
    let Ok(SolveOutcome::Solution(solution)) = program.solve() else { return None };
    let d: Vec<f64> = moves.iter().map(|&d| solution[d] * ball.radius).collect();
    Some(ball.moved(&d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_constraints_it_is_the_sign_step() {
        let ball = Ball { x: &[0.5, 0.05, 0.5], radius: 0.1 };
        let gradient = [1.0, -2.0, -0.5];
        let step = linearized_step(&ball, &gradient, &[]).unwrap_or_default();
        let sign = super::super::directed::sign_step(&ball, &gradient);
        assert!(step.iter().zip(&sign).all(|(a, b)| (a - b).abs() < 1e-12), "{step:?} {sign:?}");
    }

    #[test]
    fn it_slides_along_a_constraint_and_returns_to_a_violated_one() {
        let ball = Ball { x: &[0.5, 0.5], radius: 0.1 };
        let ahead = Linear { value: 0.0, gradient: vec![1.0, 1.0] };
        let step = linearized_step(&ball, &[2.0, 1.0], std::slice::from_ref(&ahead)).unwrap_or_default();
        assert!((step[0] - 0.6).abs() < 1e-9 && (step[1] - 0.4).abs() < 1e-9, "{step:?}");
        // Too far away to be met within the radius: as near as can be.
        let far = Linear { value: 5.0, ..ahead };
        let step = linearized_step(&ball, &[2.0, 1.0], &[far]).unwrap_or_default();
        assert!((step[0] - 0.4).abs() < 1e-9 && (step[1] - 0.4).abs() < 1e-9, "{step:?}");
    }
}
