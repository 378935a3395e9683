//! A proxy in front of an S3: most requests pass as they are, and to some happens what happens on networks and in S3.
//!
//! A request has a connection of its own on both sides, so that a cut strikes no other. Its head and body go on to the letter,
//! since they are signed; only a header that closes the connection, which no signature covers, is added.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// It arrives late.
    Delay(Duration),
    /// The connection is closed before the request goes on.
    CutBefore,
    /// The request is done, and the connection closed without an answer.
    CutAfter,
    /// Half of the answer comes.
    CutAnswer,
    /// The connection is reset before the request goes on.
    ResetBefore,
    /// The request is done, and the connection reset.
    ResetAfter,
    /// A byte of the body changes on the way.
    Garble,
    /// This is answered, and the request does not go on.
    Answer(Answer),
    /// The request is done, and answered with this.
    AnswerAfter(Answer),
}

/// An answer of S3 that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    SlowDown,
    InternalError,
    /// Of two conditional writes at once.
    Conflict,
    AccessDenied,
}

impl Answer {
    fn bytes(self) -> Vec<u8> {
        let (status, code) = match self {
            Self::SlowDown => ("503 Slow Down", "SlowDown"),
            Self::InternalError => ("500 Internal Server Error", "InternalError"),
            Self::Conflict => ("409 Conflict", "ConditionalRequestConflict"),
            Self::AccessDenied => ("403 Forbidden", "AccessDenied"),
        };
        let body = format!("<Error><Code>{code}</Code><Message>Of the proxy.</Message></Error>");
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\nconnection: close\r\n");
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// Which requests something happens to.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    /// Stands in the path and query.
    pub(crate) target: String,
    /// Which of the requests that match, counted from 0.
    pub(crate) nth: std::ops::Range<u64>,
    pub(crate) action: Action,
}

/// A request that has come.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Whether it makes an object only if there is none.
    pub(crate) is_conditional: bool,
}

/// A proxy that runs. It ends when this is dropped, with all connections that it has.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

struct Shared {
    upstream: SocketAddr,
    fault: Option<Fault>,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    /// In their order.
    requests: Vec<Seen>,
    matched: u64,
    struck: u64,
}

impl Proxy {
    /// Starts a proxy in front of this server.
    pub(crate) async fn start(upstream: SocketAddr, fault: Option<Fault>) -> Self {
        let shared = Arc::new(Shared { upstream, fault, tally: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(Self::accept(listener, Arc::clone(&shared)));
        Self { address, shared, _connections: connections }
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that have come.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.tally.lock().unwrap().requests.clone()
    }

    /// How many requests the fault has struck.
    pub(crate) fn struck(&self) -> u64 {
        self.shared.tally.lock().unwrap().struck
    }

    async fn accept(listener: TcpListener, shared: Arc<Shared>) {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            // A side that goes away ends its own connection, and nothing else.
            connections.spawn(async move { shared.serve(client).await.ok() });
            while connections.try_join_next().is_some() {}
        }
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(mut request) = Request::read(&mut client).await? else { return Ok(()) };
        match self.what_happens(&request) {
            None => client.write_all(&self.forward(&request).await?).await,
            Some(Action::Delay(time)) => {
                tokio::time::sleep(time).await;
                client.write_all(&self.forward(&request).await?).await
            }
            Some(Action::CutBefore) => Ok(()),
            Some(Action::CutAfter) => self.forward(&request).await.map(drop),
            Some(Action::CutAnswer) => {
                let answer = self.forward(&request).await?;
                client.write_all(&answer[..half(&answer)]).await
            }
            Some(Action::ResetBefore) => client.set_zero_linger(),
            Some(Action::ResetAfter) => {
                self.forward(&request).await?;
                client.set_zero_linger()
            }
            Some(Action::Garble) => {
                if let Some(byte) = request.body.last_mut() {
                    *byte ^= 1;
                }
                client.write_all(&self.forward(&request).await?).await
            }
            Some(Action::Answer(answer)) => client.write_all(&answer.bytes()).await,
            Some(Action::AnswerAfter(answer)) => {
                self.forward(&request).await?;
                client.write_all(&answer.bytes()).await
            }
        }
    }

    /// Notes the request, and says what happens to it.
    fn what_happens(&self, request: &Request) -> Option<Action> {
        let mut tally = self.tally.lock().unwrap();
        tally.requests.push(request.seen.clone());
        let fault = self.fault.as_ref()?;
        if fault.method != request.seen.method || !request.seen.target.contains(&fault.target) {
            return None;
        }
        let number = tally.matched;
        tally.matched += 1;
        let strikes = fault.nth.contains(&number);
        tally.struck += u64::from(strikes);
        strikes.then_some(fault.action)
    }

    /// Sends the request on, and reads the whole answer.
    async fn forward(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(self.upstream).await?;
        upstream.write_all(&request.head).await?;
        upstream.write_all(b"connection: close\r\n\r\n").await?;
        upstream.write_all(&request.body).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// Where an answer breaks off: in the middle of its body, or of its head, where it has none.
fn half(answer: &[u8]) -> usize {
    let body = answer.windows(END_OF_HEAD.len()).position(|end| end == END_OF_HEAD).map(|end| end + END_OF_HEAD.len());
    match body {
        Some(body) if body < answer.len() => usize::midpoint(body, answer.len()),
        _ => answer.len() / 2,
    }
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

struct Request {
    seen: Seen,
    /// Up to the end of its last header.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Request {
    /// Reads a request; `None` if the client has none.
    async fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(END_OF_HEAD.len()).position(|end| end == END_OF_HEAD) {
                break end;
            }
            if client.read_buf(&mut read).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = read.split_off(end + END_OF_HEAD.len());
        let head = String::from_utf8_lossy(&read).into_owned();
        read.truncate(end + "\r\n".len());
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let header = |wanted: &str| {
            let headers = head.lines().filter_map(|line| line.split_once(':'));
            headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
        };
        // What this proxy cannot read, it must not take for empty.
        assert_eq!(header("transfer-encoding"), None, "a body in chunks");
        let length: usize = header("content-length").map_or(0, |length| length.parse().unwrap());
        let seen = Seen { method, target, is_conditional: header("if-none-match").is_some() };
        while body.len() < length {
            if client.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(Self { seen, head: read, body }))
    }
}
