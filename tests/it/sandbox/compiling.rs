//! Plugins that are heavy to compile, by a process of its own that may take only so much.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sluice::pipeline::COMPILE;
use sluice_sandbox::{CompileLimits, Compiler, Engine, LoadError, Plugin};

use super::guests;
use crate::{
    child::is_alive,
    heavy::{children_of, heavy},
};

fn engine(limits: CompileLimits) -> Engine {
    engine_of(PathBuf::from(env!("CARGO_BIN_EXE_sluice")), limits)
}

fn engine_of(program: PathBuf, limits: CompileLimits) -> Engine {
    Engine::new(None).unwrap().compiled_by(Compiler::InChild { program, arguments: vec![COMPILE.into()], limits })
}

/// The error of a plugin of so many functions, each of so many instructions.
fn refused(functions: usize, instructions: usize, limits: CompileLimits) -> LoadError {
    Plugin::load(&engine(limits), "heavy.wasm", &heavy(functions, instructions), None).unwrap_err()
}

#[test]
fn what_a_child_compiles_is_what_this_process_does() {
    let plugin = Plugin::load(&engine(CompileLimits::default()), "evil", guests::evil(), None).unwrap();
    assert_eq!(plugin.digest(), super::plugin().digest());
    plugin.describe(&sluice_sandbox::Limits::default()).unwrap();
    // What cannot be compiled is told in the same words.
    let odd = wat::parse_str(r#"(component (instance $i) (export "sluice:transform/transform@0.1.0" (instance $i)))"#);
    let odd = odd.unwrap();
    let here = Plugin::load(super::engine(), "odd", &odd, None).unwrap_err();
    assert_eq!(Plugin::load(&engine(CompileLimits::default()), "odd", &odd, None).unwrap_err(), here);
}

#[test]
fn a_plugin_that_takes_too_much_memory_to_compile_is_told_by_its_name() {
    let error = refused(1, 250_000, CompileLimits { memory: 64 << 20, ..CompileLimits::default() });
    assert_eq!(
        error.to_string(),
        "the plugin `heavy.wasm` takes more than 64 MiB of memory, or too deep a stack, to compile"
    );
    assert!(error.hint().is_some());
}

#[test]
fn a_plugin_that_takes_too_long_to_compile_is_told_by_its_name() {
    let error = refused(200, 20_000, CompileLimits { seconds: 1, memory: 4 << 30 });
    assert_eq!(error.to_string(), "the plugin `heavy.wasm` takes more than 1 seconds to compile");
}

#[test]
fn a_program_that_does_not_compile_is_no_fault_of_the_plugin() {
    for (program, arguments, expected) in [
        ("/no/such/program", vec![], "the compiler cannot be started: "),
        (
            env!("CARGO_BIN_EXE_sluice"),
            vec!["no-such-command".into()],
            "the compiler ended while it compiled the plugin `evil`",
        ),
    ] {
        let limits = CompileLimits::default();
        let compiler = Compiler::InChild { program: program.into(), arguments, limits };
        let engine = Engine::new(None).unwrap().compiled_by(compiler);
        let error = Plugin::load(&engine, "evil", guests::evil(), None).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn a_stop_ends_compiling_and_leaves_no_child() {
    let is_stopping = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_stopping);
    // By a name of its own, since other tests of this process compile as well.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sluice-to-be-stopped");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
    let words = format!("{} {COMPILE}", program.display());
    let engine = engine_of(program, CompileLimits::default()).stopping_when(move || asked.load(Ordering::SeqCst));
    let bytes = heavy(200, 20_000);
    thread::scope(|scope| {
        let (own, others) = (rustix::process::getpid(), engine.clone());
        let load = scope.spawn(move || Plugin::load(&others, "heavy.wasm", &bytes, None));
        let began = Instant::now();
        let compiles = || children_of(own).into_iter().find(|(_, found)| *found == words);
        let (child, _) = loop {
            if let Some(child) = compiles() {
                break child;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "no child has come");
        };
        is_stopping.store(true, Ordering::SeqCst);
        assert_eq!(load.join().unwrap().unwrap_err(), LoadError::Stopped);
        assert!(!is_alive(child));
    });
}
