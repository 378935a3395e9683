//! The engine: how plugins are compiled and what is always true of code that runs in it.
//!
//! One engine serves the whole program. It holds the settings that every compiled plugin shares, the compiled-code cache, who
//! compiles, and the thread that moves the clock by which calls are stopped.

use std::{sync::Arc, thread};

use wasmtime::component::Linker;

use super::{
    cache::{Cache, CacheError, CachePlace},
    compiler::{Compiler, Job},
    config::config,
    limits::TICK,
    linker::linker,
    load_error::LoadError,
    state::State,
    stop::Stop,
};

/// Compiles and runs plugins. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    linker: Arc<Linker<State>>,
    cache: Option<Arc<Cache>>,
    compiler: Arc<Compiler>,
    stop: Stop,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder for compiled code cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// This machine cannot run the sandbox.
    #[error("the sandbox cannot be set up on this machine: {0}")]
    Unsupported(String),
}

impl EngineError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Cache(error) => Some(error.hint()),
            Self::Unsupported(_) => None,
        }
    }
}

impl Engine {
    /// An engine that keeps compiled code in `cache`, or nowhere.
    ///
    /// It compiles in this process, unless it is told who else does ([`compiled_by`](Self::compiled_by)).
    pub fn new(cache: Option<&CachePlace>) -> Result<Self, EngineError> {
        let unsupported = |error: wasmtime::Error| EngineError::Unsupported(error.to_string());
        let inner = wasmtime::Engine::new(&config()).map_err(unsupported)?;
        start_clock(&inner).map_err(|error| EngineError::Unsupported(error.to_string()))?;
        let linker = linker(&inner).map_err(unsupported)?;
        let cache = cache.map(|place| Cache::open(place, &inner)).transpose()?;
        Ok(Self {
            inner,
            linker: Arc::new(linker),
            cache: cache.map(Arc::new),
            compiler: Arc::default(),
            stop: Stop::never(),
        })
    }

    /// The same engine, with another compiler.
    #[must_use]
    pub fn compiled_by(self, compiler: Compiler) -> Self {
        Self { compiler: Arc::new(compiler), ..self }
    }

    /// The same engine, whose plugins are stopped when this says so: within a few hundredths of a second calls end with
    /// [`PluginErrorKind::Stopped`](crate::PluginErrorKind::Stopped), compiling in a child ends with
    /// [`LoadError::Stopped`], and no call begins any more.
    /// It is asked often, and from any thread.
    #[must_use]
    pub fn stopping_when(self, is_stopping: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { stop: Stop::asking(is_stopping), ..self }
    }

    pub(super) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    pub(super) fn linker(&self) -> &Linker<State> {
        &self.linker
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.cache.as_deref()
    }

    /// Compiles a component. `plugin`: what errors call it.
    pub(super) fn compile(&self, plugin: &str, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let job = Job { plugin, component, is_kept: self.cache.is_some(), stop: &self.stop };
        self.compiler.compile(&self.inner, &job)
    }
}

/// Starts the thread that moves the engine's clock. It ends with the engine, at most one tick later.
fn start_clock(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("sluice-plugin-clock".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_clock_ends_with_the_engine() {
        let engine = Engine::new(None).unwrap();
        let weak = engine.inner().weak();
        drop(engine.clone());
        assert!(weak.upgrade().is_some());
        drop(engine);
        let deadline = Instant::now() + std::time::Duration::from_secs(10);
        // The clock holds the engine for as long as a tick takes to count.
        while weak.upgrade().is_some() {
            assert!(Instant::now() < deadline, "something still holds the engine");
            thread::yield_now();
        }
    }
}
