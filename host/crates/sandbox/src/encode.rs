//! Core modules made into components.
//!
//! `cargo build --target wasm32-unknown-unknown` makes a core module: the contract's functions, flattened to numbers and
//! pointers, under names that say which they are. What the flattened functions mean is written in a section that the build
//! embeds, and that section is not used: types that are not what any build makes can send the encoder round in circles until
//! its stack is gone. The types used are this program's own, and the module either fits them or is refused.
//!
//! Strings of a core module are UTF-8, as those of every such build are.

use std::fmt::Display;

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::contract::{CONTRACT_VERSION, ContractVersion, PACKAGE, WIT};

/// Begins the names of sections that hold types for the encoder.
const TYPES_SECTION: &str = "component-type";
/// The bytes before the first section of a module.
const HEADER: usize = 8;

/// Makes a component of a valid core module that implements this version of the contract, or tells why it cannot.
pub(super) fn encode(module: &[u8], version: ContractVersion) -> Result<Vec<u8>, String> {
    let mut module = without_types(module).map_err(told)?;
    let mut types = Resolve::default();
    let package = types.push_source("sluice.wit", &contract_text(version)).map_err(told)?;
    let world = types.select_world(&[package], None).map_err(told)?;
    embed_component_metadata(&mut module, &types, world, StringEncoding::UTF8).map_err(told)?;
    ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode()).map_err(told)
}

/// The error with its causes, in one line.
fn told(error: impl Display) -> String {
    format!("{error:#}")
}

/// The contract, under the version that the module was built for: it is one of this program's track, and has all that this
/// program calls.
fn contract_text(version: ContractVersion) -> String {
    WIT.replacen(&format!("package {PACKAGE}@{CONTRACT_VERSION};"), &format!("package {PACKAGE}@{version};"), 1)
}

fn without_types(module: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut kept = Vec::with_capacity(module.len());
    let mut start = 0;
    let mut end_of_last = HEADER;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let Some((_, contents)) = payload.as_section() else { continue };
        if matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(TYPES_SECTION)) {
            kept.extend(&module[start..end_of_last]);
            start = contents.end;
        }
        end_of_last = contents.end;
    }
    kept.extend(&module[start..]);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_can_be_given_another_version() {
        let text = contract_text("0.1.7".parse().unwrap());
        assert!(text.contains("package sluice:transform@0.1.7;") && !text.contains("@0.1.0"));
    }

    #[test]
    fn only_the_types_are_taken_out_of_a_module() {
        let text = |sections: [&str; 3]| {
            let [first, middle, last] = sections;
            wat::parse_str(format!("(module {first} (func (export \"a\")) {middle} (memory 1) {last})")).unwrap()
        };
        let types = r#"(@custom "component-type:x" "lies")"#;
        let other = r#"(@custom "producers" "\00")"#;
        for (with, without) in [
            ([types, types, types], ["", "", ""]),
            ([other, types, other], [other, "", other]),
            ([types, other, types], ["", other, ""]),
            ([other, other, ""], [other, other, ""]),
        ] {
            assert_eq!(without_types(&text(with)).unwrap(), text(without), "{with:?}");
        }
    }
}
