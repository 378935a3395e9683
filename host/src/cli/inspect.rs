//! `sluice plugin inspect`: what a plugin is, before it is trusted with anything: not even with the terminal. What it says of
//! itself is made printable.

use std::path::Path;

use sluice_model::{
    error_chain,
    printable::printable,
    problem::{Problem, Problems},
};
use sluice_sandbox::{Limits, Plugin};

use super::{
    Usage,
    output::{self, LogForm, Output},
    page::Page,
};
use crate::{pipeline, standard};

/// Characters of a text, or of a line of the schema, that are shown.
const LONGEST_LINE: usize = 2_000;

pub(super) fn inspect(file: &str, output: &mut Output) -> anyhow::Result<()> {
    output::start_log(LogForm::Text);
    let (name, bytes) = read_plugin(file)?;
    let engine = pipeline::engine()?;
    let plugin = Plugin::load(&engine, &name, &bytes, None)
        .map_err(|error| refused_plugin(file, error_chain(&error), error.hint()))?;
    let description =
        plugin.describe(&Limits::default()).map_err(|error| refused_plugin(file, error_chain(&error), error.hint()))?;
    let imports = plugin.imports();
    let mut page = Page::of(format!("plugin    {}", printable(&name, LONGEST_LINE)));
    for key in ["name", "version", "description", "licence"] {
        if let Some(value) = description.get(key) {
            page.line(format!("{key:<9} {}", printable(value, LONGEST_LINE)));
        }
    }
    page.line(format!("digest    {}", plugin.digest()));
    page.line(format!("contract  {}", plugin.contract()));
    page.line(format!("form      {}, {} bytes", plugin.kind(), plugin.size()));
    page.line(format!("imports   {}", if imports.is_empty() { "none".to_owned() } else { imports.join(", ") }));
    if let Some(schema) = description.get("settings-schema") {
        let pretty = serde_json::from_str::<serde_json::Value>(schema)
            .and_then(|schema| serde_json::to_string_pretty(&schema))
            .unwrap_or_else(|_| schema.clone());
        page.line("settings  (JSON Schema)");
        page.lines(pretty.lines().map(|line| printable(line, LONGEST_LINE)));
    }
    output.data(&page)
}

/// The name and the bytes of a plugin: a standard one, or a file.
pub(super) fn read_plugin(file: &str) -> Result<(String, Vec<u8>), Usage> {
    if let Some(standard) = standard::find(file) {
        return Ok((standard.name.to_owned(), standard.bytes.to_vec()));
    }
    let bytes = std::fs::read(file).map_err(|error| {
        let standard = standard::NAMES.join("`, `");
        Usage(format!("`{file}` cannot be read ({error}), and is no standard plugin (`{standard}`)"))
    })?;
    let name = Path::new(file).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok((name.unwrap_or_else(|| file.to_owned()), bytes))
}

/// What is wrong with a file, told as of one that a pipeline names.
pub(super) fn refused_plugin(file: &str, message: String, hint: Option<&str>) -> Problems {
    let problem = Problem { hint: hint.map(str::to_owned), ..Problem::new(message) };
    Problems { file: file.to_owned(), list: vec![problem] }
}
