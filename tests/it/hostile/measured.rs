//! The most memory that a command takes, and whatever it starts.
//!
//! The system keeps that figure for all processes together that a process has waited for, and those that they have waited
//! for. So each command is started by a process of its own, which waits for it and is asked: this program once more, told to
//! be nothing else. It is small, which matters: what a process took when it started another counts for the other.

use std::{env, fs, os::unix::process::CommandExt, path::Path, process::Command, time::Duration};

use nix::sys::resource::{UsageWho, getrusage};

use crate::child::Running;

/// The variable that holds the command to be measured, and the file that the figures are written to, in its folder.
const COMMAND: &str = "MEASURED_COMMAND";
const FIGURES: &str = "measured.json";
/// How long a command may take: many times what the slowest takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(3);

/// What became of a command.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) code: Option<i64>,
    pub(super) told: String,
    /// The most that any process of it had of memory at once.
    pub(super) peak_mebibytes: u64,
}

/// Runs a command in a folder, and measures it.
pub(super) fn measured(command: &Command, folder: &Path) -> Measured {
    let words: Vec<&str> =
        [command.get_program()].into_iter().chain(command.get_args()).map(|word| word.to_str().unwrap()).collect();
    let mut measuring = Command::new(env::current_exe().unwrap());
    measuring.args(["--exact", "hostile::measured::the_process_that_measures", "--ignored", "--nocapture"]);
    measuring.current_dir(folder).env_clear().env(COMMAND, serde_json::to_string(&words).unwrap());
    measuring.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // What it starts must end with it.
    let output = Running::spawn(measuring.process_group(0), DEADLINE, true).output();
    let told = String::from_utf8(output.stderr).unwrap();
    let figures = fs::read(folder.join(FIGURES)).unwrap_or_else(|error| panic!("{error}: {told}"));
    let figures: serde_json::Value = serde_json::from_slice(&figures).unwrap();
    Measured { code: figures["code"].as_i64(), told, peak_mebibytes: figures["peak"].as_u64().unwrap() >> 10 }
}

#[test]
#[ignore = "the others start it, each a process of its own"]
fn the_process_that_measures() {
    let words: Vec<String> = serde_json::from_str(&env::var(COMMAND).unwrap()).unwrap();
    let status = Command::new(&words[0]).args(&words[1..]).env_remove(COMMAND).status().unwrap();
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    fs::write(FIGURES, serde_json::json!({ "code": status.code(), "peak": peak }).to_string()).unwrap();
}

/// It is what the command starts in turn that takes the memory, and it has ended before.
#[test]
fn what_a_command_starts_is_measured_and_who_measures_is_not() {
    let own = vec![1_u8; 400 << 20];
    let folder = tempfile::tempdir().unwrap();
    let peak_of = |script: &str| {
        let mut command = Command::new("/bin/sh");
        let measured = measured(command.args(["-c", script]).env("PATH", env::var("PATH").unwrap()), folder.path());
        assert_eq!(measured.code, Some(7), "{}", measured.told);
        measured.peak_mebibytes
    };
    let nothing = peak_of("exit 7");
    assert!(nothing < 150, "{nothing} MiB");
    let block = peak_of("dd if=/dev/zero of=/dev/null bs=300M count=1 2>/dev/null; exit 7");
    assert!((300..400).contains(&block), "{block} MiB");
    // It was there all the while.
    std::hint::black_box(own);
}
