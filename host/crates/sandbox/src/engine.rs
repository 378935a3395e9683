//! The engine: how plugins are compiled and what is always true of code that runs in it.
//!
//! One engine serves the whole program. It holds the settings that every compiled plugin shares, the compiled-code cache, and
//! the thread that moves the clock by which calls are stopped.
//!
//! The settings have three aims. *The same answer everywhere*: NaN values are canonical, relaxed SIMD and threads are off,
//! fuel is counted. *Little surface*: what the contract does not need is off, concurrency above all, where most of wasmtime's
//! advisories of 2026 were. *Nothing left behind*: each instance gets memory of its own, since pools of reused memory have
//! leaked data between instances twice.

use std::{path::Path, sync::Arc, thread};

use wasmtime::{Config, OptLevel, Strategy, component::Linker};

use super::{
    cache::{Cache, CacheError},
    limits::TICK,
    linker::linker,
    state::State,
    stop::Stop,
};

/// How much native stack a guest may use, in bytes: wasmtime's own default, a quarter of what tokio and the standard library
/// give a thread, so that the host's own frames always fit beside it.
const GUEST_STACK: usize = 512 * 1024;

/// Compiles and runs plugins. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    linker: Arc<Linker<State>>,
    cache: Option<Arc<Cache>>,
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
    /// The folder is made if it is missing, for its owner only. It is refused if another user owns it or may write to it:
    /// what stands in it is run.
    pub fn new(cache: Option<&Path>) -> Result<Self, EngineError> {
        let unsupported = |error: wasmtime::Error| EngineError::Unsupported(error.to_string());
        let inner = wasmtime::Engine::new(&config()).map_err(unsupported)?;
        start_clock(&inner).map_err(|error| EngineError::Unsupported(error.to_string()))?;
        let linker = linker(&inner).map_err(unsupported)?;
        let cache = cache.map(|folder| Cache::open(folder, &inner)).transpose()?;
        Ok(Self { inner, linker: Arc::new(linker), cache: cache.map(Arc::new), stop: Stop::never() })
    }

    /// The same engine, whose plugins are stopped when this says so: calls end within a few hundredths of a second with
    /// [`PluginErrorKind::Stopped`](crate::PluginErrorKind::Stopped), and none begins any more.
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
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // The budget and its backstop; see `limits`.
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        // The same answer everywhere.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // What the contract has no use for. Threads, garbage collection and exceptions are not even compiled in.
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        // Nothing left behind: memory is mapped for each instance, and never handed on.
        .allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand)
        // Where a guest trapped is told by its name and call; its own function names are words of the guest.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false);
    config
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
