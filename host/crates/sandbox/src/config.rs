//! The settings of every engine, whoever compiles for it.
//!
//! They have three aims. *The same answer everywhere*: NaN values are canonical, relaxed SIMD and threads are off,
//! fuel is counted. *Little surface*: what the contract does not need is off, concurrency above all, where most of wasmtime's
//! advisories of 2026 were. *Nothing left behind*: each instance gets memory of its own, since pools of reused memory have
//! leaked data between instances twice.

use wasmtime::{Config, OptLevel, Strategy};

/// How much native stack a guest may use, in bytes: wasmtime's own default, a quarter of what tokio and the standard library
/// give a thread, so that the host's own frames always fit beside it.
const GUEST_STACK: usize = 512 * 1024;

pub(super) fn config() -> Config {
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
