//! The standard plugins, embedded in the binary.
//!
//! They are pinned by the version of sluice: the bytes are part of it, and `sluice plugin inspect NAME` prints their digest.

/// A plugin that every sluice carries.
#[derive(Debug, Clone, Copy)]
pub struct StandardPlugin {
    /// Its name in pipeline files.
    pub name: &'static str,
    /// Its bytes: a core module with the contract's type embedded.
    pub bytes: &'static [u8],
}

/// All of them, by name.
pub const STANDARD_PLUGINS: [StandardPlugin; 2] = [
    StandardPlugin { name: "redact", bytes: include_bytes!(concat!(env!("OUT_DIR"), "/redact.wasm")) },
    StandardPlugin { name: "remap-ids", bytes: include_bytes!(concat!(env!("OUT_DIR"), "/remap-ids.wasm")) },
];

/// Their names.
pub const NAMES: [&str; STANDARD_PLUGINS.len()] = [STANDARD_PLUGINS[0].name, STANDARD_PLUGINS[1].name];

/// The plugin of that name.
pub fn find(name: &str) -> Option<StandardPlugin> {
    STANDARD_PLUGINS.into_iter().find(|plugin| plugin.name == name)
}
