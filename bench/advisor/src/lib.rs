//! The rooms of pure mathematics, compiled without the service around them.

#[path = "../../../src/acquisition/mod.rs"]
pub mod acquisition;
#[path = "../../../src/advisor/mod.rs"]
pub mod advisor;
#[path = "../../../src/attack/mod.rs"]
pub mod attack;
#[path = "../../../src/quasi_newton.rs"]
pub mod quasi_newton;
#[path = "../../../src/space/mod.rs"]
pub mod space;
#[path = "../../../src/study/mod.rs"]
pub mod study;
#[path = "../../../src/surrogate/mod.rs"]
pub mod surrogate;
