//! The plugins of `tests/guests`, built for the tests.
//!
//! They are no part of the workspace, as nobody's own plugin is: each has its own lock file, and is built here once by a cargo
//! of its own, into the folder where the standard plugins are built, so that what they share is built once.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

use crate::child::Running;

const TARGET: &str = "wasm32-unknown-unknown";

/// The plugin that breaks every rule it is told to break: a core module with the contract's types embedded.
pub(crate) fn evil() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build("evil", &[]))
}

/// The same, with an import from WASI.
pub(crate) fn evil_with_a_foreign_import() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build("evil", &["--features", "foreign-import"]))
}

/// The plugin of the README, on the SDK alone.
pub(crate) fn hello() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build("hello", &[]))
}

/// The same plugin, for another version of the contract.
pub(crate) fn with_contract_version(bytes: &[u8], version: &str) -> Vec<u8> {
    const OURS: &[u8] = b"@0.1.0";
    let version = format!("@{version}");
    assert_eq!(version.len(), OURS.len(), "the version is written over the other in place");
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        bytes.windows(OURS.len()).enumerate().filter(|(_, found)| *found == OURS).map(|(place, _)| place).collect();
    assert!(!places.is_empty(), "the version stands nowhere in the plugin");
    for place in places {
        bytes[place..place + OURS.len()].copy_from_slice(version.as_bytes());
    }
    bytes
}

/// Tests a plugin's crate natively and builds it, as its author would, with the crates that this workspace has fetched.
pub(crate) fn test_and_build(crate_folder: &Path) -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::copy(workspace.join("Cargo.lock"), crate_folder.join("Cargo.lock")).unwrap();
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("plugins");
    for arguments in [&["test"][..], &["build", "--release", "--target", TARGET]] {
        let mut cargo = Command::new(cargo());
        cargo.args(arguments).args(["--quiet", "--offline", "--target-dir"]).arg(&target_folder);
        let output = Running::start_build(without_the_outer_build(cargo.current_dir(crate_folder))).output();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let name = crate_folder.file_name().unwrap().to_str().unwrap().replace('-', "_");
    fs::read(target_folder.join(TARGET).join("release").join(format!("{name}.wasm"))).unwrap()
}

/// Flags and wrappers of the outer build (a linter, say) are not for guests.
fn without_the_outer_build(cargo: &mut Command) -> &mut Command {
    for inherited in
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"]
    {
        cargo.env_remove(inherited);
    }
    cargo
}

fn build(name: &str, arguments: &[&str]) -> Vec<u8> {
    // The file is read before the next build may replace it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests").join(name).join("Cargo.toml");
    let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("plugins");
    let mut cargo = Command::new(cargo());
    cargo
        .args(["build", "--quiet", "--locked", "--profile", "plugin", "--target", TARGET])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target_folder)
        .args(arguments);
    let output = Running::start_build(without_the_outer_build(&mut cargo)).output();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} could not be built; is {TARGET} installed?\n{told}", manifest.display());
    fs::read(target_folder.join(TARGET).join("plugin").join(format!("{name}.wasm"))).unwrap()
}

fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
