//! Migrations are read into the program when it is compiled: compile again when one is added.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
