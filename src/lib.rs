//! Tellus, a Bayesian black-box optimization service: *ask* it which experiment to run next, *tell* it what came out.
//!
//! The map of this house. Imports run down only; the first five rooms are pure mathematics: no I/O, no async, no
//! clock, no global state.
//!
//! | room | what it holds |
//! | --- | --- |
//! | [`space`] | what may be tried: parameters, conditions, constraints, the unit-cube encoding, low-discrepancy points |
//! | [`study`] | what is asked: a study's definition, metrics and goals, the life of a trial as a state machine |
//! | [`quasi_newton`] | bounded minimization, which drives the fits and the searches |
//! | [`surrogate`] | what we believe: Gaussian processes, their kernels and the fit of their hyperparameters |
//! | [`acquisition`] | what is worth trying: expected improvement and its kin, and the search for their maximum |
//! | [`advisor`] | history in, points out: the policy that composes the rooms above |
//! | [`store`] | what is remembered: one trait, Postgres and SQLite behind it |
//! | [`archive`] | what leaves one database and comes into another, as a file |
//! | [`service`] | the ask desk between the advisor and the store: snapshots, the pool of numerics, leases |
//! | [`http`] | who may ask: routes, problems, the OpenAPI document, events |

pub mod acquisition;
pub mod advisor;
pub mod archive;
pub mod attack;
pub mod http;
pub mod quasi_newton;
pub mod service;
pub mod space;
pub mod store;
pub mod study;
pub mod surrogate;
