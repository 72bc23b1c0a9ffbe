//! Migrations are read into the program when it is compiled: compile again when one is added. And the sources that a fit's
//! numbers depend on get a digest, so that fits which were kept are not taken for those of another release.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What the numbers of a fit depend on: the surrogate, the form of the kernel that studies get, the optimizer, and its starts.
const NUMERICS: [&str; 6] = [
    "src/surrogate",
    "src/advisor/beliefs.rs",
    "src/quasi_newton.rs",
    "src/space/sobol.rs",
    "src/space/joe_kuo_d6.txt",
    "Cargo.lock",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    // SipHash with fixed keys: it tells versions apart, and nobody gains by a collision.
    let mut digest = DefaultHasher::new();
    for part in NUMERICS {
        println!("cargo:rerun-if-changed={part}");
        let mut files = Vec::new();
        collect(Path::new(part), &mut files)?;
        files.sort();
        for file in files {
            digest.write(&fs::read(file)?);
        }
    }
    println!("cargo:rustc-env=TELLUS_NUMERICS={:016x}", digest.finish());
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    fs::read_dir(path)?.try_for_each(|entry| collect(&entry?.path(), files))
}
