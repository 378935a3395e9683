//! Why a file cannot be run as a plugin: known before any of its code runs.

use sluice_model::{digest::Digest, printable::printable};

use super::contract::{CONTRACT_VERSION, ContractVersion};

/// What one function may take to compile, by an estimate (`weight::function`). The largest of a JavaScript engine is at 304
/// MiB, of the standard plugins at 159.
pub(super) const MOST_TO_COMPILE: u64 = 768 << 20;

/// The largest file that is taken, in bytes. A plugin in Rust has some ten thousand to two million, a Python or JavaScript
/// one, which brings its interpreter, some 20 million.
pub const LARGEST_FILE: usize = 64 << 20;

/// Characters of a library's complaint about a file that are shown; it may quote the file.
const LONGEST_REASON: usize = 400;

/// Why a file cannot be run as a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// More bytes than are taken.
    #[error("the plugin has {size} bytes, and no more than {LARGEST_FILE} are taken")]
    TooLarge {
        /// The bytes it has.
        size: usize,
    },
    /// Another file than the pipeline pins.
    #[error("the plugin's digest is `{found}`, and the pipeline pins `{pinned}`")]
    Digest {
        /// What the pipeline pins.
        pinned: Digest,
        /// What the file has.
        found: Digest,
    },
    /// No WebAssembly at all.
    #[error("the plugin is no WebAssembly file")]
    NotWasm,
    /// WebAssembly that is cut off, corrupt, or of a kind that is not run.
    #[error("the plugin is damaged, or uses a part of WebAssembly that is not run here: {0}")]
    Damaged(String),
    /// WebAssembly that is no plugin.
    #[error(
        "the file is no plugin: it does not implement `sluice:transform`, of which this program speaks version {CONTRACT_VERSION}"
    )]
    NoContract,
    /// A plugin of another time.
    #[error(
        "the plugin implements version {plugin} of `sluice:transform`, and this program speaks version {CONTRACT_VERSION}"
    )]
    ContractVersion {
        /// What it implements.
        plugin: ContractVersion,
    },
    /// A plugin that wants more than it may have.
    #[error("the plugin imports what no plugin is given: {}", list(names))]
    ForeignImports {
        /// All of its imports that are not the contract's.
        names: Vec<String>,
    },
    /// A core module whose functions are not the contract's.
    #[error("the plugin's functions are not those of `sluice:transform`: {0}")]
    Shape(String),
    /// More instances than are made, or more in all of them than the host keeps.
    #[error("the plugin has {count} {what}, counted over all that it instantiates, and no more than {most} are taken")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are, or as many as can be counted.
        count: u64,
        /// How many are taken.
        most: u64,
    },
    /// Modules or components that are imported, or taken out of an instance: how many that makes cannot be counted.
    #[error("the plugin hands {what} about as values, and only those are instantiated that stand in its file")]
    HandsOver {
        /// Modules or components.
        what: &'static str,
    },
    /// A function that a compiler would choke on.
    #[error(
        "function {function} of a module of the plugin would take some {} MiB to compile, and no more than {} are taken: it has {bytes} bytes, {variables} variables, {blocks} blocks, and {joins} places where a variable may have two values",
        estimate >> 20,
        MOST_TO_COMPILE >> 20
    )]
    FunctionTooHeavy {
        /// Its index among those that its module defines.
        function: usize,
        /// Its size.
        bytes: usize,
        /// Its parameters and local variables.
        variables: u64,
        /// Its blocks.
        blocks: u64,
        /// Variables, times the blocks that they are written in.
        joins: u64,
        /// What it would take at the worst, in bytes.
        estimate: u64,
    },
    /// A component that cannot be compiled, or whose functions are not the contract's.
    #[error("the plugin cannot be compiled: {0}")]
    NotCompiled(String),
    /// A plugin for which the compiler needs more memory than it may take, or more stack than a process has. A process ends by
    /// either in the same way.
    #[error("the plugin `{plugin}` takes more than {mebibytes} MiB of memory, or too deep a stack, to compile")]
    TooMuchMemory {
        /// What it is called.
        plugin: String,
        /// What compiling may take.
        mebibytes: u64,
    },
    /// A plugin for which the compiler needs more time than it may take.
    #[error("the plugin `{plugin}` takes more than {seconds} seconds to compile")]
    TooLong {
        /// What it is called.
        plugin: String,
        /// What compiling may take.
        seconds: u64,
    },
    /// A plugin of which too much code comes.
    #[error("the plugin `{plugin}` comes to more than {mebibytes} MiB of compiled code")]
    TooMuchCode {
        /// What it is called.
        plugin: String,
        /// What there may be.
        mebibytes: u64,
    },
    /// The compiler ended in a way that says nothing of the plugin.
    #[error("the compiler ended while it compiled the plugin `{plugin}`: {how}")]
    CompilerDied {
        /// What the plugin is called.
        plugin: String,
        /// How it ended.
        how: String,
    },
    /// There is no compiler.
    #[error("the compiler cannot be started: {0}")]
    NoCompiler(String),
    /// Somebody stopped it, or the whole program.
    #[error("stopped while a plugin was compiled")]
    Stopped,
}

impl LoadError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Digest { .. } => {
                Some("if the plugin was changed on purpose, pin its new digest; if not, do not run it")
            }
            Self::NotWasm => Some(
                "name the `.wasm` file that the build makes, in `target/wasm32-unknown-unknown/release` for a plugin in Rust",
            ),
            Self::NoContract => Some("a plugin exports `sluice:transform/transform`; the SDK's `export!` does that"),
            Self::ContractVersion { plugin } if *plugin < CONTRACT_VERSION => {
                Some("build the plugin with the SDK of this program's version")
            }
            Self::ContractVersion { .. } => Some("use a newer version of this program"),
            Self::ForeignImports { names } if names.iter().any(|name| name.starts_with("wasi")) => Some(
                "a plugin gets no clock, files, network, environment or randomness: build it for `wasm32-unknown-unknown`",
            ),
            Self::ForeignImports { .. } => Some("a plugin gets `sluice:transform/log` and nothing else"),
            Self::FunctionTooHeavy { .. } => Some("split the function, or build the plugin with less inlining"),
            Self::TooMuchMemory { .. } | Self::TooLong { .. } | Self::TooMuchCode { .. } => Some(
                "no plugin of ordinary code does, and none that brings an interpreter; do not run it unless you know why it does",
            ),
            Self::TooMany { .. }
            | Self::HandsOver { .. }
            | Self::TooLarge { .. }
            | Self::Damaged(_)
            | Self::Shape(_)
            | Self::NotCompiled(_)
            | Self::CompilerDied { .. }
            | Self::NoCompiler(_)
            | Self::Stopped => None,
        }
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl From<wasmparser::BinaryReaderError> for LoadError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Damaged(reason(&error.to_string()))
    }
}

/// A library's complaint about a file, fit to be shown.
pub(super) fn reason(complaint: &str) -> String {
    printable(complaint, LONGEST_REASON)
}
