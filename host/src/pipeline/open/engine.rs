//! The plugin engine of this program: what it keeps of compiled plugins, and where; and that a process of its own compiles.

use std::path::PathBuf;

use sluice_model::error_chain;
use sluice_sandbox::{CacheError, CachePlace, Compiler, Engine, EngineError};

use super::super::Error;
use crate::environment;

/// The command by which this program is told to compile a plugin for another process of it. Nobody types it.
pub const COMPILE: &str = "compile-plugin";

/// The engine, with its cache of compiled plugins. A folder that somebody chose has to be usable; without a usable one of the
/// user's, or a key to seal what is kept, plugins are compiled anew each time.
pub fn engine() -> Result<Engine, Error> {
    Ok(opened()?.compiled_by(Compiler::in_child(this_program()?, &[COMPILE])))
}

fn opened() -> Result<Engine, Error> {
    let chosen = environment::chosen_cache_folder();
    let is_chosen = chosen.is_some();
    let Some(folder) = chosen.or_else(environment::usual_cache_folder) else {
        return without_a_cache("the user has no home folder");
    };
    let Some(key) = environment::cache_key() else {
        return without_a_cache("the user has no home folder to keep their key in; XDG_STATE_HOME names another");
    };
    match Engine::new(Some(&CachePlace { folder, key })) {
        Err(EngineError::Cache(CacheError::Key(unusable))) => {
            without_a_cache(&format!("{} ({})", error_chain(&unusable), unusable.hint()))
        }
        Err(EngineError::Cache(unusable)) if !is_chosen => without_a_cache(&format!(
            "{}; the variable {} names another folder",
            error_chain(&unusable),
            environment::CACHE_DIR
        )),
        engine => Ok(engine?),
    }
}

fn without_a_cache(why: &str) -> Result<Engine, Error> {
    tracing::warn!("plugins are compiled anew each time: {why}");
    Ok(Engine::new(None)?)
}

/// The program that runs, whatever has become of its file: it may have been replaced meanwhile by another version.
fn this_program() -> Result<PathBuf, Error> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
        .map_err(|error| EngineError::Unsupported(format!("this program is not found: {error}")).into())
}
