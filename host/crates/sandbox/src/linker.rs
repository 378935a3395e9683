//! What a plugin can call: the contract's `log`, and nothing else.

use wasmtime::{
    StoreContextMut,
    component::{Linker, WasmStr},
};

use super::{contract::LOG_INTERFACE, log::LogLevel, state::State};

/// The imports of every plugin.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.instance(LOG_INTERFACE)?.func_wrap("log", log)?;
    Ok(linker)
}

/// A line that is not passed on is not even read from the guest's memory, so a flood costs the guest's own budget and nothing
/// else.
fn log(mut store: StoreContextMut<'_, State>, (level, message): (WasmStr, WasmStr)) -> wasmtime::Result<()> {
    if !store.data_mut().log.admit() {
        return Ok(());
    }
    let level = match &*level.to_str(&store)? {
        "debug" => LogLevel::Debug,
        "warn" => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    if store.data().log.admit_at(level) {
        let message = message.to_str(&store)?;
        store.data().log.pass(level, &message);
    }
    Ok(())
}
