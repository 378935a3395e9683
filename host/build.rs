//! Builds the standard plugins and embeds them, and the SDK, which `sluice plugin new` writes.
//!
//! They are ordinary crates of this workspace, built for `wasm32-unknown-unknown` by a cargo of their own in a target folder
//! of their own, so that `cargo build -p sluice` is the whole build.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const TARGET: &str = "wasm32-unknown-unknown";

/// The standard plugins: the names of their packages, and of the files cargo makes of them.
const PLUGINS: [(&str, &str); 2] = [("redact", "redact.wasm"), ("remap-ids", "remap_ids.wasm")];

fn main() {
    let out = PathBuf::from(variable("OUT_DIR"));
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")).join("..");
    for watched in ["plugins", "guest-sdk", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(watched).display());
    }
    if !target_is_installed() {
        fail(&format!("the standard plugins need the target {TARGET}; install it with: rustup target add {TARGET}"));
    }
    if let Err(error) = embed_sdk(&workspace, &out) {
        fail(&format!("the SDK could not be embedded: {error}"));
    }
    let built = build(&workspace, &target_folder(&out));
    for (name, file) in PLUGINS {
        let from = built.join(file);
        if let Err(error) = fs::copy(&from, out.join(format!("{name}.wasm"))) {
            fail(&format!("the plugin {name} was built, but {} could not be copied: {error}", from.display()));
        }
    }
}

/// Writes the list of the SDK's files, each with its content, as an expression of Rust.
fn embed_sdk(workspace: &Path, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let sdk = workspace.join("guest-sdk").canonicalize()?;
    let manifest = out.join("sdk-manifest.toml");
    fs::write(&manifest, stand_alone(&sdk.join("Cargo.toml"), &workspace.join("Cargo.toml"))?)?;
    let mut files = vec![("Cargo.toml".to_owned(), manifest)];
    let mut folders = vec![sdk.join("src"), sdk.join("wit")];
    for file in ["README.md", "CHANGELOG.md"] {
        files.push((file.to_owned(), sdk.join(file)));
    }
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // Tests are the SDK's own affair.
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() {
                folders.push(path);
            } else if !is_test {
                files.push((path.strip_prefix(&sdk)?.display().to_string(), path));
            }
        }
    }
    files.sort();
    let entries = files.iter().map(|(name, path)| {
        let path = path.display().to_string();
        format!("    ({name:?}, include_str!({path:?})),\n")
    });
    fs::write(out.join("sdk.rs"), format!("&[\n{}]\n", entries.collect::<String>()))?;
    Ok(())
}

/// A manifest without what it inherits from its workspace, and without what only its own tests need.
fn stand_alone(manifest: &Path, workspace: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let read = |file: &Path| -> Result<toml::Table, Box<dyn std::error::Error>> {
        Ok(fs::read_to_string(file)?.parse::<toml::Table>()?)
    };
    let (mut manifest, workspace) = (read(manifest)?, read(workspace)?);
    let workspace = workspace.get("workspace").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    for section in ["package", "dependencies"] {
        let shared = workspace.get(section).and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let entries = manifest.get_mut(section).and_then(toml::Value::as_table_mut);
        for (name, value) in entries.into_iter().flatten() {
            let inherits = value.get("workspace").is_some();
            if inherits {
                *value = shared.get(name.as_str()).cloned().ok_or_else(|| format!("the workspace has no `{name}`"))?;
            }
        }
    }
    for own in ["dev-dependencies", "lints"] {
        manifest.remove(own);
    }
    Ok(toml::to_string(&manifest)?)
}

/// Builds all standard plugins; gives the folder they are in.
fn build(workspace: &Path, target_folder: &Path) -> PathBuf {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--locked", "--profile", "plugin", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(workspace.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target_folder);
    for (name, _) in PLUGINS {
        cargo.args(["--package", name]);
    }
    // Flags and wrappers of the outer build (a linter, say) are not for the plugins.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace).join("\u{1f}"));
    for inherited in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(inherited);
    }
    match cargo.status() {
        Ok(status) if status.success() => target_folder.join(TARGET).join("plugin"),
        Ok(status) => fail(&format!("the standard plugins could not be built: cargo ended with {status}")),
        Err(error) => fail(&format!("cargo could not be started to build the standard plugins: {error}")),
    }
}

/// SIMD, which every engine sluice runs has; and no path of the machine that builds, so that the bytes do not depend on it.
fn flags(workspace: &Path) -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    let cargo_home = env::var("CARGO_HOME").ok().map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    if let Some(cargo_home) = cargo_home {
        flags.push(format!("--remap-path-prefix={}=cargo", cargo_home.display()));
    }
    if let Ok(workspace) = workspace.canonicalize() {
        flags.push(format!("--remap-path-prefix={}=sluice", workspace.display()));
    }
    flags
}

/// A folder beside the outer build's own, shared by all its profiles.
fn target_folder(out: &Path) -> PathBuf {
    // <target>/<profile>/build/<package>/out
    out.ancestors().nth(4).unwrap_or(out).join("plugins")
}

fn target_is_installed() -> bool {
    let output = Command::new(variable("RUSTC"))
        .args(["--print", "target-libdir", "--target", TARGET])
        .env_remove("RUSTC_WRAPPER")
        .output();
    output.is_ok_and(|output| {
        String::from_utf8(output.stdout)
            .is_ok_and(|folder| output.status.success() && Path::new(folder.trim()).is_dir())
    })
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

#[expect(clippy::exit, reason = "a build script that panics buries its message under a backtrace")]
fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1)
}
