//! Compiled code: whose is run, and what compiling may take.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use rustix::process::{Pid, Signal, kill_process};
use sluice::pipeline::COMPILE;

use crate::{
    child::{Running, is_alive},
    guests,
    harness::Workspace,
    heavy::{children_of, heavy},
};

/// Words that stand in the code of the plugin, and those that an attacker has put in their place.
const OWN: &[u8] = b"has no column";
const PLANTED: &[u8] = b"HAS NO COLUMN";
/// Where the seal stands in a file of the cache, behind the file's first bytes; it holds for all that follows.
const SEAL: std::ops::Range<usize> = 8..40;

/// A run of a plugin that complains, with what it has compiled kept in `cache`, as a user with that `state` folder.
fn complaint(workspace: &Workspace, cache: &Path, state: &Path) -> String {
    workspace.write("hello.wasm", guests::hello());
    workspace.write("rows.ndjson", "{\"a\":\"b\"}\n");
    workspace.write("settings.toml", "columns = [\"missing\"]\n");
    let arguments = ["plugin", "run", "hello.wasm", "--settings", "settings.toml", "--input", "rows.ndjson"];
    let mut command = workspace.command(&arguments);
    command.env("SLUICE_CACHE_DIR", cache).env("XDG_STATE_HOME", state);
    let output = Running::start(&mut command).output();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// A repository that is cloned brings what it likes: here the code of the plugin that is pinned, with other words in it.
#[test]
fn compiled_code_that_another_has_sealed_is_not_run() {
    let workspace = Workspace::new();
    let folder = |name: &str| workspace.path().join(name);
    let (own, theirs) = (folder("own-state"), folder("their-state"));
    complaint(&workspace, &folder("brought"), &theirs);
    let file = only_file(&folder("brought"));
    let mut code = fs::read(&file).unwrap();
    let place = code.windows(OWN.len()).position(|bytes| bytes == OWN).unwrap();
    code[place..place + OWN.len()].copy_from_slice(PLANTED);
    let sealed_by_hash = Sha256::digest(&code[SEAL.end..]).to_vec();
    let key = fs::read(theirs.join("sluice/plugin-cache.key")).unwrap();
    let sealed_by_their_key = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&code[SEAL.end..]).finalize();
    for seal in [sealed_by_hash, sealed_by_their_key.into_bytes().to_vec()] {
        code[SEAL].copy_from_slice(&seal);
        fs::write(&file, &code).unwrap();
        let told = complaint(&workspace, &folder("brought"), &own);
        assert!(told.contains("has no column `missing`"), "{told}");
        // What stood there was passed over and replaced.
        assert_ne!(fs::read(&file).unwrap(), code);
    }
    // Whoever has the key is the user.
    fs::write(&file, &code).unwrap();
    let told = complaint(&workspace, &folder("brought"), &theirs);
    assert!(told.contains("HAS NO COLUMN `missing`"), "{told}");
}

/// The process that a command compiles in, and what it says, once it does.
fn compiling(running: &mut Running) -> Pid {
    let own = Pid::from_raw(running.id() as i32).unwrap();
    let child = || children_of(own).into_iter().find(|(_, words)| words.ends_with(COMPILE));
    running.until("the process that compiles", |_| child().is_some());
    child().unwrap().0
}

#[test]
fn a_plugin_that_was_looked_at_is_not_compiled_again() {
    let workspace = Workspace::new();
    workspace.write("hello.wasm", guests::hello());
    let cache = workspace.path().join("cache");
    let inspect = || {
        let mut command = workspace.command(&["plugin", "inspect", "hello.wasm"]);
        let output = Running::start(command.env("SLUICE_CACHE_DIR", &cache)).output();
        assert!(output.status.success());
        // Whoever compiles puts another file in this one's place.
        (output.stdout, fs::metadata(only_file(&cache)).unwrap().ino())
    };
    assert_eq!(inspect(), inspect());
}

/// Who compiles is held up, so that it takes as long as it must to be worth telling.
#[test]
fn what_takes_long_to_compile_is_told_once() {
    let workspace = Workspace::new();
    workspace.write("heavy.wasm", heavy(200, 20_000));
    let mut running = workspace.start(&["plugin", "inspect", "heavy.wasm"]);
    let child = compiling(&mut running);
    kill_process(child, Signal::STOP).unwrap();
    let told = "compiling `heavy.wasm`, once: what comes of it is kept";
    running.until("that it is told", |running| running.told().contains(told));
    kill_process(child, Signal::KILL).unwrap();
    let output = running.output();
    let all = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), all.matches(told).count()), (Some(2), 1), "{all}");
    assert!(all.contains("the compiler ended while it compiled the plugin `heavy.wasm`: signal: 9"), "{all}");
}

/// It is stopped before, so that it cannot end by itself.
#[test]
fn who_compiles_dies_with_the_command() {
    let workspace = Workspace::new();
    workspace.write("heavy.wasm", heavy(200, 20_000));
    let mut running = workspace.start(&["plugin", "inspect", "heavy.wasm"]);
    let child = compiling(&mut running);
    // It has set itself up when it is limited.
    running.until("its limits", |_| is_limited(child));
    kill_process(child, Signal::STOP).unwrap();
    running.kill();
    let began = Instant::now();
    while is_alive(child) {
        assert!(began.elapsed() < Duration::from_mins(1), "it still runs");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process may take only so much of a processor.
fn is_limited(process: Pid) -> bool {
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.as_raw_nonzero())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max cpu time")).unwrap();
    !line.contains("unlimited")
}
