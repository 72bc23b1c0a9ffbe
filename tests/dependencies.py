#!/usr/bin/env python3
"""Checks what the program is made of, offline, from `cargo metadata`: every crate's licence is one that may be passed on
with it, every direct dependency has its reason in `docs/decisions/dependencies.md`, no crate comes from elsewhere than the
registry, and no crate is there in more versions than are known and excused here."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def is_allowed(expression: str) -> bool:
    """An SPDX expression of names, AND, OR and parentheses; `/` is an old form of OR."""
    tokens = re.findall(r"\(|\)|\bAND\b|\bOR\b|[\w.+-]+(?: WITH [\w.+-]+)?", expression.replace("/", " OR "))

    def either() -> bool:
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = one() and value
        return value

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        return token in ALLOWED

    return either() and not tokens


def main() -> int:
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    # The platforms that the program is built for.
    command += ["--filter-platform", "x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    faults = []
    versions = defaultdict(set)
    for identity in sorted(used - {root}):
        package = packages[identity]
        name = f"{package['name']} {package['version']}"
        versions[package["name"]].add(package["version"])
        if package["source"] != REGISTRY:
            faults.append(f"{name} comes from {package['source']}")
        if not package["license"] or not is_allowed(package["license"]):
            faults.append(f"{name} has the licence {package['license']!r}, which is not among those allowed")
    excused = set((ROOT / "tests" / "duplicates.txt").read_text(encoding="utf-8").split())
    several = {name for name, found in versions.items() if len(found) > 1}
    for name in sorted(several - excused):
        faults.append(f"{name} is there in versions {', '.join(sorted(versions[name]))}; excuse it in tests/duplicates.txt")
    for name in sorted(excused - several):
        faults.append(f"{name} is excused in tests/duplicates.txt, and is not there twice any more")
    reasons = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w-]+", "".join(line.split("|")[1] for line in reasons.splitlines() if line.startswith("|"))))
    for dependency in packages[root]["dependencies"]:
        if dependency["name"] not in named:
            faults.append(f"{dependency['name']} has no reason in docs/decisions/dependencies.md")
    print(f"{len(used) - 1} crates, {len(several)} of them in several versions")
    for fault in faults:
        print(f"  {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
