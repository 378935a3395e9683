//! A plugin: its file loaded, checked and compiled.
//!
//! Loading asks nothing of the plugin and runs none of its code. It is done once for a run; instances are made of it as they
//! are needed, on any thread.

use std::{fmt, sync::Arc};

use sluice_model::digest::Digest;
use wasmtime::component::Component;

use super::{
    cache::Cached,
    contract::{ContractVersion, ExportsPre},
    engine::Engine,
    inspect::{Facts, Inspected, PluginKind, inspect, reason},
    load_error::{LARGEST_FILE, LoadError},
    state::State,
    stop::Stop,
};

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
    stop: Stop,
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
        let stop = engine.stop().clone();
        let inner = Inner { name: name.into(), digest, size: bytes.len(), facts, exports, stop };
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

    pub(super) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.inner.name)
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.inner.stop
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
    LoadError::NotCompiled(reason(&format!("{error:#}")))
}
