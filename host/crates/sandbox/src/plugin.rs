//! A plugin: its file loaded, checked and compiled.
//!
//! Loading asks nothing of the plugin and runs none of its code. It is done once for a run; instances are made of it as they
//! are needed, on any thread.

use std::{fmt, sync::Arc};

use sluice_model::{digest::Digest, printable::printable};
use wasmtime::component::Component;

use super::{
    code::Code,
    compiler::not_compiled,
    contract::{ContractVersion, ExportsPre},
    engine::Engine,
    inspect::{Facts, Inspected, PluginKind, inspect},
    load_error::{LARGEST_FILE, LoadError},
    state::State,
    stop::Stop,
};

/// Characters of its name that are shown.
const LONGEST_NAME: usize = 200;

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
        let (facts, component) = match cached(engine, &digest) {
            Some(cached) => cached,
            None => compile(engine, name, &digest, bytes)?,
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

    /// Bytes that each instance takes beside its memories and tables.
    pub(super) fn held_by_each(&self) -> u64 {
        self.inner.facts.held
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

/// What was compiled before, if it was.
fn cached(engine: &Engine, digest: &Digest) -> Option<(Facts, Component)> {
    let cached = engine.cache()?.find(digest)?;
    let component = cached.code().load(engine.inner())?;
    Some((cached.facts, component))
}

fn compile(engine: &Engine, name: &str, digest: &Digest, bytes: &[u8]) -> Result<(Facts, Component), LoadError> {
    let Inspected { facts, component } = inspect(bytes, engine.inner().get_wasm_features())?;
    let code = engine.compile(&printable(name, LONGEST_NAME), &component)?;
    drop(component);
    let component = Code::trusted(&code)
        .load(engine.inner())
        .ok_or_else(|| LoadError::NotCompiled("the code is for another engine".to_owned()))?;
    if let Some(cache) = engine.cache() {
        cache.keep(digest, &facts, &code);
    }
    Ok((facts, component))
}
