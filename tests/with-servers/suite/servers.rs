//! Starting servers: each kind once for all tests, on free ports of this machine, gone when the tests are.
//!
//! A server is started by `tied.py`, which kills it when this process lets go of a pipe, or ends in whatever way.

use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The variable with the Python that has what `requirements.txt` asks for.
const PYTHON: &str = "SLUICE_SERVERS_PYTHON";
/// How long something may take that a test waits for: twenty times what the slowest server needs to start.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(20);
/// How long one answer may take while it starts.
const ANSWER: Duration = Duration::from_secs(5);

/// A server that runs until this process ends.
pub(crate) struct Server {
    what: &'static str,
    process: Child,
    /// As long as it is open, the server runs.
    _tie: ChildStdin,
    /// What it says.
    log: PathBuf,
}

impl Server {
    /// Starts a server that says what it says into a folder.
    pub(crate) fn start(what: &'static str, command: &mut Tied, folder: &Path) -> Self {
        let log = folder.join("log");
        let file = fs::File::create(&log).unwrap();
        let command = command.0.current_dir(folder).stdin(Stdio::piped());
        let mut process = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let tie = process.stdin.take().unwrap();
        Self { what, process, _tie: tie, log }
    }

    /// Waits until it has come about, and fails with what the server says if it does not.
    pub(crate) fn until<T>(&mut self, has_come: impl Fn() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(come) = has_come() {
                return come;
            }
            let ended = self.process.try_wait().unwrap();
            let said = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "{} ended ({ended:?}):\n{}", self.what, said());
            assert!(started.elapsed() < DEADLINE, "{} does not answer:\n{}", self.what, said());
            thread::sleep(LOOK);
        }
    }
}

/// A command that ends with this process.
pub(crate) struct Tied(Command);

impl Tied {
    pub(crate) fn new(program: &Path) -> Self {
        let mut command = Command::new(python());
        command.arg(script("tied.py")).arg(program);
        Self(command)
    }

    pub(crate) fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> &mut Self {
        self.0.args(arguments);
        self
    }
}

/// The Python of the servers' environment.
pub(crate) fn python() -> PathBuf {
    let Some(python) = env::var_os(PYTHON) else {
        panic!("`{PYTHON}` names no Python with `requirements.txt`: tests/with-servers/run makes one and sets it")
    };
    python.into()
}

/// A Python script beside this suite.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/with-servers").join(name)
}

/// An empty folder for a server, which stays until the next run of the suite.
pub(crate) fn folder(what: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers").join(what);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", folder.display()),
        _ => fs::create_dir_all(&folder).unwrap(),
    }
    folder
}

/// So many ports that nobody has at this moment.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The status that a request without a body and without a signature is answered with; `None` if it is not answered.
pub(crate) fn status(port: u16, method: &str, path: &str) -> Option<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut connection = TcpStream::connect_timeout(&address, ANSWER).ok()?;
    connection.set_read_timeout(Some(ANSWER)).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).ok()?;
    let mut line = [0; "HTTP/1.1 200".len()];
    connection.read_exact(&mut line).ok()?;
    String::from_utf8_lossy(&line).rsplit(' ').next()?.parse().ok()
}

/// What a script says, as JSON.
pub(crate) fn said(command: &mut Command) -> Value {
    said_of(command, "")
}

/// What a script says of a text that it is given, as JSON.
pub(crate) fn said_of(command: &mut Command, input: &str) -> Value {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
