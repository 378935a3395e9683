//! Who compiles a plugin.
//!
//! Cranelift takes memory and time by what a file holds, and a file of a few kilobytes can hold a great deal. No count of
//! its parts foretells it for certain. So a program has its plugins compiled by a process of its own ([`Compiler::in_child`]),
//! which limits itself before it reads the first byte (`child`): one that goes past a limit ends, alone, and is told here as
//! an error of the plugin. Whoever uses this crate as a library, and has no such program, compiles where it stands.
//!
//! The file goes to the child's standard input, the code comes from its standard output. What comes is trusted as the child
//! is: it runs a program that the caller names, its own, in an empty environment.

mod child;

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

pub use self::child::serve;
use self::child::{Header, REFUSED};
use super::{
    code::LARGEST_CODE,
    load_error::{LoadError, reason},
    stop::Stop,
};

/// How often it is looked whether the child has ended, or is to.
const LOOK: Duration = Duration::from_millis(10);
/// What takes longer to compile is told of meanwhile.
const WORTH_TELLING: Duration = Duration::from_secs(2);
/// By the clock, compiling may take this many times what it may take of a processor: others have work, too.
const BUSY: u32 = 5;

/// Who compiles.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// This process. What compiling takes of it has no bound but what a file may hold.
    #[default]
    InProcess,
    /// A process of its own.
    InChild {
        /// The program. It must do nothing but what [`serve`] does, and with the same version of this crate: what it writes
        /// is run.
        program: PathBuf,
        /// By which arguments it does so.
        arguments: Vec<OsString>,
        /// What it may take.
        limits: CompileLimits,
    },
}

/// What compiling one plugin may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Bytes of memory, beside the program itself.
    pub memory: u64,
    /// Seconds of a processor.
    pub seconds: u32,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { memory: 512 << 20, seconds: 120 }
    }
}

impl Compiler {
    /// A program that does what [`serve`] does when it is given these arguments.
    pub fn in_child(program: PathBuf, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(OsString::from).collect();
        Self::InChild { program, arguments, limits: CompileLimits::default() }
    }

    /// Compiles a component for an engine.
    pub(super) fn compile(&self, engine: &wasmtime::Engine, job: &Job<'_>) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::InProcess => engine.precompile_component(job.component).map_err(|error| not_compiled(&error)),
            Self::InChild { program, arguments, limits } => {
                let child = Running::start(Command::new(program).args(arguments))
                    .map_err(|error| LoadError::NoCompiler(error.to_string()))?;
                child.compile(job, *limits)
            }
        }
    }
}

/// What is to be compiled.
pub(super) struct Job<'a> {
    /// What errors call the plugin.
    pub(super) plugin: &'a str,
    pub(super) component: &'a [u8],
    /// Whether a cache keeps what comes of it.
    pub(super) is_kept: bool,
    /// Whether the whole program is to end.
    pub(super) stop: &'a Stop,
}

/// A child that runs. Dropping it kills it.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map(Self)
    }

    fn compile(mut self, job: &Job<'_>, limits: CompileLimits) -> Result<Vec<u8>, LoadError> {
        let (Some(stdin), Some(stdout)) = (self.0.stdin.take(), self.0.stdout.take()) else {
            unreachable!("both are piped");
        };
        let began = Instant::now();
        thread::scope(|scope| {
            // Both end with the child, at the latest.
            scope.spawn(move || feed(stdin, limits, job.component));
            let said = scope.spawn(move || read(stdout));
            let status = self.wait(job, limits);
            drop(self);
            let said = said.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            judge(status?, began.elapsed(), said, job.plugin, limits)
        })
    }

    /// Waits for its end, within bounds.
    fn wait(&mut self, job: &Job<'_>, limits: CompileLimits) -> Result<ExitStatus, LoadError> {
        let began = Instant::now();
        let longest = Duration::from_secs(limits.seconds.into()) * BUSY;
        let mut is_told = false;
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(LoadError::NoCompiler(error.to_string())),
            }
            if job.stop.is_now() {
                return Err(LoadError::Stopped);
            }
            let waited = began.elapsed();
            if waited > longest {
                return Err(LoadError::TooLong { plugin: job.plugin.to_owned(), seconds: longest.as_secs() });
            }
            if waited > WORTH_TELLING && !is_told {
                is_told = true;
                tell(job);
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    /// What cannot be killed has ended already.
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Says what is waited for.
fn tell(Job { plugin, is_kept, .. }: &Job<'_>) {
    if *is_kept {
        tracing::info!("compiling `{plugin}`, once: what comes of it is kept");
    } else {
        tracing::info!("compiling `{plugin}`, as each time: there is no folder where what comes of it could be kept");
    }
}

/// Gives the child what it is to compile. If it does not take it, its end says why.
fn feed(mut stdin: ChildStdin, limits: CompileLimits, component: &[u8]) {
    let header = Header { parent: std::process::id(), limits, length: component.len() as u64 };
    stdin.write_all(&header.to_bytes()).and_then(|()| stdin.write_all(component)).ok();
}

/// All that the child writes, unless it is more than code may have.
fn read(stdout: ChildStdout) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stdout.take(LARGEST_CODE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn judge(
    status: ExitStatus,
    took: Duration,
    said: io::Result<Vec<u8>>,
    plugin: &str,
    limits: CompileLimits,
) -> Result<Vec<u8>, LoadError> {
    let plugin = plugin.to_owned();
    let said = said.map_err(|error| LoadError::NoCompiler(error.to_string()))?;
    if said.len() > LARGEST_CODE {
        return Err(LoadError::TooMuchCode { plugin, mebibytes: LARGEST_CODE as u64 >> 20 });
    }
    match (status.code(), status.signal().and_then(Signal::from_named_raw)) {
        (Some(0), _) => Ok(said),
        (Some(REFUSED), _) => Err(LoadError::NotCompiled(reason(&String::from_utf8_lossy(&said)))),
        (_, Some(Signal::XCPU)) => Err(LoadError::TooLong { plugin, seconds: limits.seconds.into() }),
        // So ends a process at the hard limit, where whoever started sluice has it pass over the soft one. Whatever else killed it
        // then, it has taken too long.
        (_, Some(Signal::KILL)) if took >= Duration::from_secs(limits.seconds.into()) => {
            Err(LoadError::TooLong { plugin, seconds: limits.seconds.into() })
        }
        // Memory that is not there ends a Rust program so, and so does a stack that is used up.
        (_, Some(Signal::ABORT)) => Err(LoadError::TooMuchMemory { plugin, mebibytes: limits.memory >> 20 }),
        // From the keyboard, say: it reaches every process of a command.
        (_, Some(Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT)) => Err(LoadError::Stopped),
        _ => Err(LoadError::CompilerDied { plugin, how: status.to_string() }),
    }
}

pub(super) fn not_compiled(error: &wasmtime::Error) -> LoadError {
    LoadError::NotCompiled(reason(&format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a child that a signal ended after so many seconds, of two that it had.
    fn told(signal: Signal, seconds: u64) -> String {
        let status = ExitStatus::from_raw(signal.as_raw());
        let limits = CompileLimits { memory: 64 << 20, seconds: 2 };
        judge(status, Duration::from_secs(seconds), Ok(Vec::new()), "p", limits).unwrap_err().to_string()
    }

    #[test]
    fn the_end_of_a_child_is_told_as_what_it_was() {
        assert_eq!(told(Signal::XCPU, 2), "the plugin `p` takes more than 2 seconds to compile");
        assert_eq!(told(Signal::KILL, 7), told(Signal::XCPU, 2));
        let killed = told(Signal::KILL, 1);
        assert!(killed.starts_with("the compiler ended while it compiled the plugin `p`"), "{killed}");
        let aborted = told(Signal::ABORT, 1);
        assert_eq!(aborted, "the plugin `p` takes more than 64 MiB of memory, or too deep a stack, to compile");
    }
}
