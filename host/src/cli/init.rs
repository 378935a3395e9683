//! `sluice init`: a starter pipeline file.

use std::{fs, io::Write, path::Path};

use anyhow::Context;

use super::{Usage, output::Output};

/// The starter. It stands in `pipelines/`, where a test reads it as a pipeline file. Its first line names the JSON Schema
/// beside it, which is not beside the file that is written.
const STARTER: &str = include_str!("../../../pipelines/starter.toml");

pub(super) fn init(file: &Path, output: &mut Output) -> anyhow::Result<()> {
    let name = file.display();
    let starter = STARTER.split_once('\n').map_or(STARTER, |(_, rest)| rest);
    let mut created = match fs::File::create_new(file) {
        Ok(created) => created,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Usage(format!("`{name}` exists already, and is left as it is")).into());
        }
        Err(error) => return Err(error).with_context(|| format!("`{name}` cannot be written")),
    };
    created.write_all(starter.as_bytes()).with_context(|| format!("`{name}` cannot be written"))?;
    output.say(&format!("wrote `{name}`: fill it in, then try `sluice plan {name}`"));
    Ok(())
}
