//! Processes that tests start: none outlives its test, and none runs for ever.
//!
//! What a process says is read by threads of its own, so that a full pipe never stops it, and is shown when it does not do
//! what the test waits for. A test that fails drops its processes, and dropping one kills it.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a process may run: many times what the slowest needs on a busy machine.
const DEADLINE: Duration = Duration::from_mins(2);
/// How long a cargo may run: it may have the SDK and all that it stands on to build, beside other tests.
const DEADLINE_OF_BUILDS: Duration = Duration::from_mins(10);
/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(5);

/// A process that runs.
pub(crate) struct Running {
    /// The arguments, by which messages name it.
    what: String,
    child: Child,
    stdout: Said,
    stderr: Said,
    started: Instant,
    deadline: Duration,
    /// Whether it has a process group of its own, in which it starts processes that must end with it.
    has_group: bool,
}

impl Running {
    /// Starts a program that starts no others.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command, DEADLINE, false)
    }

    /// Starts a cargo. The compilers and tests that it starts end with it, for which it needs a group of its own: an
    /// interrupt from the keyboard does not reach it there, but what it does ends by itself.
    pub(crate) fn start_build(cargo: &mut Command) -> Self {
        Self::spawn(cargo.process_group(0), DEADLINE_OF_BUILDS, true)
    }

    pub(crate) fn spawn(command: &mut Command, deadline: Duration, has_group: bool) -> Self {
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        let what = format!("`{}`", arguments.join(" "));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Said::by(child.stdout.take().unwrap());
        let stderr = Said::by(child.stderr.take().unwrap());
        Self { what, child, stdout, stderr, started: Instant::now(), deadline, has_group }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far to people.
    pub(crate) fn told(&self) -> String {
        self.stderr.text()
    }

    /// Waits until something has come about while it runs; fails if it ends before.
    pub(crate) fn until(&mut self, what: &str, has_come: impl Fn(&Self) -> bool) {
        while !has_come(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended ({ended:?}) before {what}:\n{}", self.what, self.all_said());
            self.look_again(what);
        }
    }

    /// Waits for its end.
    pub(crate) fn output(mut self) -> Output {
        let status = self.status();
        while !self.is_all_said() {
            self.look_again("the end of what it says");
        }
        Output { status, stdout: self.stdout.bytes(), stderr: self.stderr.bytes() }
    }

    /// Asks it to stop, as the keyboard does.
    pub(crate) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    fn status(&mut self) -> ExitStatus {
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => self.look_again("its end"),
            }
        }
    }

    fn look_again(&self, what: &str) {
        let waited = self.started.elapsed();
        assert!(waited < self.deadline, "{}: {what} has not come in {waited:?}:\n{}", self.what, self.all_said());
        thread::sleep(LOOK);
    }

    /// Whether nobody has a pipe of it open any more, neither itself nor what it has started.
    fn is_all_said(&self) -> bool {
        self.stdout.is_whole() && self.stderr.is_whole()
    }

    fn all_said(&self) -> String {
        self.stdout.text() + &self.stderr.text()
    }
}

impl Drop for Running {
    /// What cannot be killed has ended already. A group of which nobody is left is not named: its number may be another's.
    fn drop(&mut self) {
        if self.has_group && !self.is_all_said() {
            kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What has come out of one pipe of a process.
struct Said {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
}

impl Said {
    fn by(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut part = [0; 8192];
            while let Ok(read @ 1..) = pipe.read(&mut part) {
                said.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { bytes, reader }
    }

    fn is_whole(&self) -> bool {
        self.reader.is_finished()
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

/// What is said before the deadline is in the failure, and the process is gone.
#[test]
fn a_process_that_does_not_end_is_killed_and_what_it_said_is_shown() {
    let mut command = Command::new("sh");
    let running = Running::spawn(command.args(["-c", "echo begun; exec sleep 600"]), Duration::from_millis(300), false);
    let id = Pid::from_child(&running.child);
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| running.output())).unwrap_err();
    let failure = failure.downcast_ref::<String>().unwrap();
    assert!(failure.contains("its end has not come in") && failure.contains("begun"), "{failure}");
    assert!(rustix::process::test_kill_process(id).is_err(), "it still runs");
}

/// A cargo's compilers are not its own process, and keep its pipes open.
#[test]
fn what_a_build_starts_ends_with_it() {
    let mut command = Command::new("sh");
    let script = "sleep 600 & echo $!; wait";
    let mut running = Running::start_build(command.args(["-c", script]));
    running.until("its child", |running| running.stdout.text().ends_with('\n'));
    let child = Pid::from_raw(running.stdout.text().trim().parse().unwrap()).unwrap();
    assert!(rustix::process::test_kill_process(child).is_ok());
    drop(running);
    let gone_at = Instant::now() + DEADLINE;
    // Killed is not yet gone: whoever adopts it must look first.
    while is_alive(child) {
        assert!(Instant::now() < gone_at, "it still runs");
        thread::sleep(LOOK);
    }
}

/// Whether a process runs, and is not only waiting to be buried.
pub(crate) fn is_alive(process: Pid) -> bool {
    let mut command = Command::new("ps");
    let output = Running::start(command.args(["-o", "stat=", "-p", &process.as_raw_nonzero().to_string()])).output();
    let state = String::from_utf8(output.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}
