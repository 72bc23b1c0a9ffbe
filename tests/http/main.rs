//! The real program over HTTP: the contract, and what a kill leaves behind. Everything on SQLite and on Postgres.

mod contract;
mod crash;
mod postgres;
mod server;
