//! The command line of Tellus.
fn main() {}
