//! Keeps the contract, its version and its history in step.

use sha2::{Digest, Sha256};

const WIT: &str = include_str!("../wit/sluice.wit");
const CHANGELOG: &str = include_str!("../CHANGELOG.md");

#[test]
fn the_version_is_that_of_the_wit() {
    let package = format!("package sluice:transform@{};", sluice_guest::CONTRACT_VERSION);
    assert!(WIT.lines().any(|line| line == package), "wit/sluice.wit does not say `{package}`");
    assert!(CHANGELOG.contains(&format!("\n## {}", sluice_guest::CONTRACT_VERSION)));
}

#[test]
fn the_contract_does_not_change_in_passing() {
    let digest = hex::encode(Sha256::digest(WIT));
    assert!(
        CHANGELOG.contains(&digest),
        "wit/sluice.wit has changed: say how in CHANGELOG.md, under the version that has the change, and put `{digest}` there"
    );
}
