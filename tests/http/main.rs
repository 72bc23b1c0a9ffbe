//! The real program over HTTP: the contract, and what a kill leaves behind. Everything on SQLite and on Postgres.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::zombie_processes, reason = "the private Postgres ends with the process that started it")]

mod contract;
mod crash;
mod examples;
mod networks;
#[path = "../postgres/mod.rs"]
mod postgres;
mod run;
mod server;
