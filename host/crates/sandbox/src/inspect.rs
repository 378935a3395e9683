//! What a plugin's file is, read without running or compiling any of it.
//!
//! A file is a component, or a core module with the contract's functions; the latter is what
//! `cargo build --target wasm32-unknown-unknown` makes, and is made into a component (`encode`).
//! What the author got wrong is said before what a compiler would say of it: no WebAssembly, damaged, no plugin, another
//! version of the contract, imports that the host does not offer. What is too much to compile is refused first (`weight`).

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_model::printable::printable;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use super::{
    contract::{self, ContractVersion},
    encode::encode,
    load_error::{LoadError, reason},
    weight::weigh,
};

/// Characters of an import's name that are shown.
const LONGEST_NAME: usize = 200;

/// The first bytes of every WebAssembly file.
const MAGIC: &[u8] = b"\0asm";

/// What kind of file a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// A WebAssembly component.
    Component,
    /// A core module with the contract's functions.
    CoreModule,
}

impl fmt::Display for PluginKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Component => "component",
            Self::CoreModule => "core module",
        })
    }
}

/// What there is to know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: PluginKind,
    pub(super) contract: ContractVersion,
    /// The interfaces that it imports, all of them the contract's own.
    pub(super) imports: Vec<String>,
    /// Bytes that each instance takes beside its memories and tables.
    pub(super) held: u64,
}

/// A file that is a plugin, and the component to compile.
#[derive(Debug)]
pub(super) struct Inspected {
    pub(super) facts: Facts,
    pub(super) component: Vec<u8>,
}

/// Reads a file that came from anywhere.
pub(super) fn inspect(bytes: &[u8], features: WasmFeatures) -> Result<Inspected, LoadError> {
    if !bytes.starts_with(MAGIC) {
        return Err(LoadError::NotWasm);
    }
    validate(bytes, features)?;
    let held = weigh(bytes)?;
    let kind = if Parser::is_component(bytes) { PluginKind::Component } else { PluginKind::CoreModule };
    let names = match kind {
        PluginKind::Component => component_names(bytes),
        PluginKind::CoreModule => module_names(bytes),
    }?;
    let contract = names.judge()?;
    let (component, imports) = match kind {
        PluginKind::Component => (bytes.to_vec(), names.imports),
        PluginKind::CoreModule => {
            let component = encode(bytes, contract).map_err(|error| LoadError::Shape(reason(&error)))?;
            validate(&component, features)?;
            let names = component_names(&component)?;
            names.judge()?;
            (component, names.imports)
        }
    };
    Ok(Inspected { facts: Facts { kind, contract, imports, held }, component })
}

fn validate(bytes: &[u8], features: WasmFeatures) -> Result<(), LoadError> {
    match Validator::new_with_features(features).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Names of what a file imports and exports, at its outermost level.
#[derive(Debug, Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Names {
    fn judge(&self) -> Result<ContractVersion, LoadError> {
        let mut versions = self.exports.iter().filter_map(|name| contract::exported_version(name));
        let version = versions.next().ok_or(LoadError::NoContract)?;
        if !version.is_supported() {
            return Err(LoadError::ContractVersion { plugin: version });
        }
        let foreign: Vec<String> = self
            .imports
            .iter()
            .filter(|name| !contract::is_importable(name))
            .map(|name| printable(name, LONGEST_NAME))
            .collect();
        if foreign.is_empty() { Ok(version) } else { Err(LoadError::ForeignImports { names: foreign }) }
    }
}

fn component_names(bytes: &[u8]) -> Result<Names, LoadError> {
    let mut names = Names::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            // The end of the outermost component is the last of all.
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    names.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// The interfaces of a core module, whose exports are named `interface#function`.
fn module_names(bytes: &[u8]) -> Result<Names, LoadError> {
    let mut names = Names::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    names.imports.push(import?.module.to_owned());
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let name = export?.name;
                    names.exports.extend(name.split_once('#').map(|(interface, _)| interface.to_owned()));
                }
            }
            _ => {}
        }
    }
    names.imports.sort();
    names.imports.dedup();
    Ok(names)
}
