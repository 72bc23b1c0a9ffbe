//! The sparse axis-aligned prior (SAAS): most coordinates matter little, and data decide which do.
//!
//! With ρᵢ = 1/ℓᵢ²: τ ~ HC(α), ρᵢ ~ HC(τ), α = 0.1, HC the half-Cauchy distribution of that scale (Eriksson & Jankowiak,
//! *High-Dimensional Bayesian Optimization with Sparse Axis-Aligned Subspaces*, arXiv 2103.00349, §4.1). The global τ
//! draws all ρᵢ to 0, the heavy tails let single ones go.
//!
//! Stated in t = ln τ and vᵢ = ln(ρᵢ/τ), in which the prior is a product of hyperbolic secants,
//! p(t, v) ∝ sech(t − ln α) Πᵢ sech(vᵢ): concave logarithms, without the funnel that (τ, ρ) have at small τ.

/// α: the scale of τ.
const GLOBAL_SCALE: f64 = 0.1;

/// ln α: where the density of t is largest.
pub(super) fn centre() -> f64 {
    GLOBAL_SCALE.ln()
}

/// ln ℓ for t and v.
pub(super) fn log_lengthscale(global: f64, local: f64) -> f64 {
    -0.5 * (global + local)
}

/// v for ln ℓ and t.
pub(super) fn local(log_lengthscale: f64, global: f64) -> f64 {
    -2.0 * log_lengthscale - global
}

/// ln sech(x); its derivative is added to `gradient`.
pub(super) fn log_sech(x: f64, gradient: &mut f64) -> f64 {
    *gradient -= x.tanh();
    let size = x.abs();
    std::f64::consts::LN_2 - size - (-2.0 * size).exp().ln_1p()
}
