//! `sluice plugin new`: a plugin that builds and tests at once, wherever it is made.
//!
//! The SDK of this version is part of the binary and goes along, so that nothing has to be found, and the plugin speaks the
//! contract that this binary speaks.

use std::{fs, io, path::Path};

use anyhow::Context;

use super::{Usage, output::Output};

/// The files of the SDK, by their paths in it: made by the build script.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The plugin of the README, which the tests build, and tests for it.
const PLUGIN: &str = include_str!("../../../tests/guests/hello/src/lib.rs");
const TESTS: &str = include_str!("../../templates/plugin/tests.rs");

const MANIFEST: &str = include_str!("../../templates/plugin/Cargo.toml");
const CARGO_CONFIG: &str = include_str!("../../templates/plugin/cargo-config.toml");
const README: &str = include_str!("../../templates/plugin/README.md");
const SETTINGS: &str = include_str!("../../templates/plugin/settings.toml");
const ROWS: &str = include_str!("../../templates/plugin/rows.ndjson");

/// Bytes of a plugin's name.
const LONGEST_NAME: usize = 64;

pub(super) fn new(name: &str, output: &mut Output) -> anyhow::Result<()> {
    let legal = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !legal || !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.len() > LONGEST_NAME {
        let wrong = "is no name for a plugin: use `a-z`, `0-9` and `-`, beginning with a letter";
        return Err(Usage(format!("`{name}` {wrong}")).into());
    }
    let folder = Path::new(name);
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Usage(format!("`{name}` exists already, and is left as it is")).into());
        }
        made => made.with_context(|| format!("the folder `{name}` cannot be made"))?,
    }
    let filled = |template: &str| template.replace("{{name}}", name).replace("{{file}}", &name.replace('-', "_"));
    let own = [
        ("Cargo.toml", filled(MANIFEST)),
        (".cargo/config.toml", CARGO_CONFIG.to_owned()),
        (".gitignore", "/target\n".to_owned()),
        ("README.md", filled(README)),
        ("settings.toml", SETTINGS.to_owned()),
        ("rows.ndjson", ROWS.to_owned()),
        ("src/lib.rs", format!("{PLUGIN}{TESTS}")),
    ];
    for (path, content) in own {
        write(&folder.join(path), &content)?;
    }
    for (path, content) in SDK {
        write(&folder.join("sluice-guest").join(path), content)?;
    }
    output.say(&format!("wrote `{name}`: `cd {name} && cargo test`, then see its README.md"));
    Ok(())
}

fn write(file: &Path, content: &str) -> anyhow::Result<()> {
    let made = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, content));
    made.with_context(|| format!("`{}` cannot be written", file.display()))
}
