//! A plugin: its file loaded, checked and compiled.
//!
//! Loading asks nothing of the plugin and runs none of its code. It is done once for a run; instances are made of it as they
//! are needed, on any thread.

use std::{collections::BTreeMap, fmt, sync::Arc};

use wasmtime::component::Component;

use super::{
    cache::Cached,
    contract::{CONTRACT_VERSION, ContractVersion, ExportsPre},
    digest::Digest,
    engine::Engine,
    error::PluginError,
    inspect::{Facts, Inspected, PluginKind, inspect},
    instance::{Attachment, Instance},
    limits::Limits,
    log::LogSink,
    state::State,
};

/// The largest file that is taken, in bytes. A plugin in Rust has some ten thousand to two million, a Python or JavaScript
/// one, which brings its interpreter, some 20 million.
pub const LARGEST_FILE: usize = 64 << 20;

/// A plugin that can be run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    digest: Digest,
    size: usize,
    facts: Facts,
    exports: ExportsPre<State>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("name", &self.inner.name)
            .field("digest", &self.inner.digest)
            .field("facts", &self.inner.facts)
            .finish_non_exhaustive()
    }
}

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
    /// A component that cannot be compiled, or whose functions are not the contract's.
    #[error("the plugin cannot be compiled: {0}")]
    NotCompiled(String),
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
            Self::TooLarge { .. } | Self::Damaged(_) | Self::Shape(_) | Self::NotCompiled(_) => None,
        }
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Plugin {
    /// Loads a component, or a core module with the contract's functions.
    ///
    /// `name` is what errors call it. `pinned` is the digest that the file must have.
    /// Where the engine has a cache, a file that was loaded before is neither read nor compiled again.
    pub fn load(engine: &Engine, name: &str, bytes: &[u8], pinned: Option<&Digest>) -> Result<Self, LoadError> {
        if bytes.len() > LARGEST_FILE {
            return Err(LoadError::TooLarge { size: bytes.len() });
        }
        let digest = Digest::of(bytes);
        if let Some(&pinned) = pinned
            && pinned != digest
        {
            return Err(LoadError::Digest { pinned, found: digest });
        }
        let cached = engine.cache().and_then(|cache| cache.find(engine.inner(), &digest));
        let Cached { facts, component } = match cached {
            Some(cached) => cached,
            None => compile(engine, &digest, bytes)?,
        };
        let exports = engine
            .linker()
            .instantiate_pre(&component)
            .and_then(ExportsPre::new)
            .map_err(|error| not_compiled(&error))?;
        let inner = Inner { name: name.into(), digest, size: bytes.len(), facts, exports };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The digest of its file.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// The bytes of its file.
    pub fn size(&self) -> usize {
        self.inner.size
    }

    /// Whether its file is a component or a core module.
    pub fn kind(&self) -> PluginKind {
        self.inner.facts.kind
    }

    /// The version of the contract that it implements.
    pub fn contract(&self) -> ContractVersion {
        self.inner.facts.contract
    }

    /// The interfaces that it imports: none but the contract's own.
    pub fn imports(&self) -> &[String] {
        &self.inner.facts.imports
    }

    /// What the plugin says of itself, from a fresh instance: texts by name, as they come. Whoever shows them makes them
    /// printable first.
    pub fn describe(&self, limits: &Limits) -> Result<BTreeMap<String, String>, PluginError> {
        Instance::new(self, limits, LogSink::withheld())?.describe()
    }

    /// A fresh instance, opened with settings (a JSON object) and attachments.
    pub fn instantiate(
        &self,
        limits: &Limits,
        settings: &str,
        attachments: &[Attachment],
        log: LogSink,
    ) -> Result<Instance, PluginError> {
        let mut instance = Instance::new(self, limits, log)?;
        instance.open(settings, attachments)?;
        Ok(instance)
    }

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.inner.name)
    }

    pub(super) fn exports(&self) -> &ExportsPre<State> {
        &self.inner.exports
    }
}

fn compile(engine: &Engine, digest: &Digest, bytes: &[u8]) -> Result<Cached, LoadError> {
    let Inspected { facts, component } = inspect(bytes, engine.inner().get_wasm_features())?;
    let component = Component::from_binary(engine.inner(), &component).map_err(|error| not_compiled(&error))?;
    let compiled = Cached { facts, component };
    if let Some(cache) = engine.cache() {
        cache.keep(digest, &compiled);
    }
    Ok(compiled)
}

fn not_compiled(error: &wasmtime::Error) -> LoadError {
    LoadError::NotCompiled(super::inspect::reason(&format!("{error:#}")))
}
