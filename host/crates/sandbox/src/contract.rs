//! The contract as the host sees it: generated types and calls, and the rule about versions.
//!
//! The wire types are generated from the WIT text and stay inside this crate. Parameters are borrowing, so that a buffer is
//! copied once, from Arrow's memory into the guest's.
//! The version stands in the name of the interface that a plugin exports, so it can be read before anything is compiled.

use std::{fmt, str::FromStr};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

#[cfg(test)]
pub(super) use bindings::sluice::transform::types::Computed;
pub(super) use bindings::{
    Plugin as Exports, PluginPre as ExportsPre,
    sluice::transform::types::{
        Attachment, AttributesResult as Attributes, ColumnParam, ColumnResult, Failure, FieldParam, FieldResult,
        Outcome, Outline, Output, Rejection, Schema,
    },
};

/// The contract itself.
pub(super) const WIT: &str = include_str!("../wit/sluice.wit");
/// The package that holds the contract.
pub(super) const PACKAGE: &str = "sluice:transform";
/// What a plugin exports.
pub(super) const EXPORTED_INTERFACE: &str = "transform";
/// What a plugin may import; `types` holds nothing that runs.
const IMPORTABLE_INTERFACES: [&str; 2] = ["log", "types"];
/// The import that runs, as the linker names it.
pub(super) const LOG_INTERFACE: &str = "sluice:transform/log@0.1.0";

/// The version of the contract that this program speaks.
pub const CONTRACT_VERSION: ContractVersion = ContractVersion { major: 0, minor: 1, patch: 0 };

/// A version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContractVersion {
    major: u64,
    minor: u64,
    patch: u64,
}

impl ContractVersion {
    /// Whether a plugin of this version can be run by this program.
    ///
    /// Within one major version (one minor version, before 1.0) the contract only ever gains functions, so any two
    /// versions understand each other as far as the plugin uses what both know.
    pub fn is_supported(self) -> bool {
        let ours = CONTRACT_VERSION;
        self.major == ours.major && (self.major > 0 || self.minor == ours.minor)
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that is no version: three numbers, with points between.
#[derive(Debug)]
pub struct NotAVersion;

impl FromStr for ContractVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut numbers = text.split('.').map(|number| number.parse::<u64>().map_err(|_| NotAVersion));
        let mut next = || numbers.next().ok_or(NotAVersion)?;
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_none() { Ok(version) } else { Err(NotAVersion) }
    }
}

/// The version of the contract that an interface of this name implements, if it is the one that plugins export.
pub(super) fn exported_version(interface: &str) -> Option<ContractVersion> {
    let (name, version) = own_interface(interface)?;
    if name == EXPORTED_INTERFACE { Some(version) } else { None }
}

/// Whether an interface of this name is one that the host offers.
pub(super) fn is_importable(interface: &str) -> bool {
    own_interface(interface)
        .is_some_and(|(name, version)| IMPORTABLE_INTERFACES.contains(&name) && version.is_supported())
}

/// Name and version of an interface of the contract's package.
fn own_interface(interface: &str) -> Option<(&str, ContractVersion)> {
    let (name, version) = interface.strip_prefix(PACKAGE)?.strip_prefix('/')?.split_once('@')?;
    Some((name, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_those_of_the_wit_text() {
        assert!(WIT.contains(&format!("package {PACKAGE}@{CONTRACT_VERSION};")));
        assert_eq!(LOG_INTERFACE, format!("{PACKAGE}/log@{CONTRACT_VERSION}"));
        assert!(WIT.contains(&format!("interface {EXPORTED_INTERFACE} {{")));
        assert!(IMPORTABLE_INTERFACES.iter().all(|name| WIT.contains(&format!("interface {name} {{"))));
    }

    #[test]
    fn versions_of_one_track_are_supported() {
        for (version, supported) in
            [("0.1.0", true), ("0.1.7", true), ("0.9.0", false), ("0.2.0", false), ("1.1.0", false)]
        {
            assert_eq!(version.parse::<ContractVersion>().unwrap().is_supported(), supported, "{version}");
        }
        for text in ["", "1", "0.1", "0.1.0.0", "0.1.x", "0.1.0-rc"] {
            assert!(text.parse::<ContractVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_contracts_own_interfaces_are_importable() {
        assert!(is_importable("sluice:transform/log@0.1.0"));
        assert!(is_importable("sluice:transform/types@0.1.2"));
        for name in [
            "sluice:transform/log",
            "sluice:transform/log@0.2.0",
            "sluice:transform/fs@0.1.0",
            "wasi:cli/environment@0.2.0",
        ] {
            assert!(!is_importable(name), "{name}");
        }
        assert_eq!(exported_version("sluice:transform/transform@0.9.0").unwrap().to_string(), "0.9.0");
        assert!(exported_version("sluice:transform/log@0.1.0").is_none());
    }
}
