//! Tellus, a Bayesian black-box optimization service.
