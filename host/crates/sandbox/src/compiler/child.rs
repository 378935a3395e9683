//! The process that compiles: it limits itself, reads a component, and writes code.
//!
//! It dies with its parent, leaves no core behind, and ends with what it was asked for. It needs nothing but its standard
//! input and output, and nobody but its parent can tell it anything.

use std::{
    fs,
    io::{self, Read, Write},
    process::ExitCode,
};

use rustix::process::{Pid, Resource, Rlimit, getppid, setrlimit};

use super::CompileLimits;
use crate::config::config;

/// The exit code of a child that was given what cannot be compiled. What it writes then says why.
pub(super) const REFUSED: i32 = 3;
/// That of a child that was not set up as it should be.
const NOT_SET_UP: u8 = 4;
/// What this program is taken to hold of addresses where the system does not say.
const USUAL_PROGRAM: u64 = 1 << 30;

/// What stands before the component: who asks, what compiling may take, and how many bytes follow.
pub(super) struct Header {
    pub(super) parent: u32,
    pub(super) limits: CompileLimits,
    pub(super) length: u64,
}

impl Header {
    const BYTES: usize = 24;

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self { parent, limits: CompileLimits { memory, seconds }, length } = self;
        [&parent.to_le_bytes()[..], &memory.to_le_bytes(), &seconds.to_le_bytes(), &length.to_le_bytes()].concat()
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; Self::BYTES];
        input.read_exact(&mut bytes)?;
        let mut rest = &bytes[..];
        let mut next = |length| rest.split_off(..length).unwrap_or_default();
        let parent = u32::from_le_bytes(array(next(4)));
        let memory = u64::from_le_bytes(array(next(8)));
        let seconds = u32::from_le_bytes(array(next(4)));
        Ok(Self { parent, limits: CompileLimits { memory, seconds }, length: u64::from_le_bytes(array(next(8))) })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or_else(|_| unreachable!("a header has the bytes of its parts"))
}

/// Compiles what a parent process asks for, and gives the exit code: all that a program does which
/// [`Compiler::in_child`](super::Compiler::in_child) names. `input` and `output` are its standard input and output.
pub fn serve(mut input: impl Read, mut output: impl Write) -> ExitCode {
    let Ok(component) = set_up(&mut input) else { return ExitCode::from(NOT_SET_UP) };
    let mut config = config();
    // A thread more is memory more, and what is limited is the whole.
    config.parallel_compilation(false);
    let code = wasmtime::Engine::new(&config).and_then(|engine| engine.precompile_component(&component));
    let (said, exit_code) = match code {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(error) => (format!("{error:#}").into_bytes(), ExitCode::from(REFUSED as u8)),
    };
    match output.write_all(&said).and_then(|()| output.flush()) {
        Ok(()) => exit_code,
        // Nobody reads it any more.
        Err(_) => ExitCode::from(NOT_SET_UP),
    }
}

/// Limits this process, and reads what it is to compile.
fn set_up(input: &mut impl Read) -> io::Result<Vec<u8>> {
    setrlimit(Resource::Core, at_most(0))?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let header = Header::read(input)?;
    // A parent that was gone before is not noticed by the line above.
    if getppid().map(Pid::as_raw_nonzero).is_none_or(|parent| parent.get().unsigned_abs() != header.parent) {
        return Err(io::Error::other("the parent is gone"));
    }
    let CompileLimits { memory, seconds } = header.limits;
    setrlimit(Resource::As, at_most(addresses_in_use().saturating_add(memory)))?;
    // The hard limit would come as SIGKILL, which does not say what it is for.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds.into()), maximum: Some(u64::from(seconds) + 5) })?;
    let mut component = Vec::with_capacity(header.length as usize);
    input.take(header.length).read_to_end(&mut component)?;
    if component.len() as u64 == header.length { Ok(component) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn at_most(limit: u64) -> Rlimit {
    Rlimit { current: Some(limit), maximum: Some(limit) }
}

/// The bytes of addresses that this program takes before it begins: most of them are its own file.
fn addresses_in_use() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    pages.map_or(USUAL_PROGRAM, |pages| pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_written() {
        let header = Header { parent: 7, limits: CompileLimits { memory: 1 << 40, seconds: 9 }, length: u64::MAX - 1 };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), Header::BYTES);
        let read = Header::read(&mut &bytes[..]).unwrap();
        assert_eq!((read.parent, read.limits, read.length), (header.parent, header.limits, header.length));
        assert!(Header::read(&mut &bytes[1..]).is_err());
    }
}
