//! An S3 and an STS on loopback: one HTTP server, in this process, over a folder.
//!
//! It stands in for an AWS account that has one user, one role and one bucket. The user's keys may do one thing: assume the
//! role, with the external id. The role's sessions may touch the bucket, as far as the role's permissions go and until the
//! session ends. Signatures, tokens, digests and conditions are really checked, and refusals have the codes and words of AWS,
//! so that a program that works here has done everything that AWS demands of it.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use sluice_simulator::aws;
//!
//! let running = aws::start(aws::Options { root: "demo".into(), ..aws::Options::default() }, None).await?;
//! println!("S3 and STS at {}; tables appear under demo/bucket/", running.endpoint());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! | module | |
//! |---|---|
//! | `server` | HTTP: connections, faults, the record of requests |
//! | `sts` | `AssumeRole`, `GetCallerIdentity` |
//! | `sessions` | whose credentials these are, and whether they still hold |
//! | `access` | what the caller may do |
//! | `store` | what S3 does |
//! | `errors`, `names` | refusals and ARNs as AWS words them |
//! | `randomness` | keys, tokens and ids |
//!
//! Path-style requests only (`http://127.0.0.1:PORT/bucket/key`), no TLS, no presigned URLs, no second bucket. What it cannot
//! stand in for: bucket policies and KMS, throttling by request rate, the regional quirks of STS.

mod access;
mod errors;
mod faults;
mod names;
mod randomness;
mod requests;
mod server;
mod sessions;
mod store;
mod sts;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use self::access::{Action, Permissions};
pub use self::faults::{Fault, FaultAction};
pub use self::requests::{RequestRecord, Service};
pub use self::store::OpenUpload;

use self::access::Gate;
use self::faults::Faults;
use self::names::Names;
use self::randomness::Randomness;
use self::requests::RequestLog;
use self::server::Server;
use self::sessions::{SecretKeys, Sessions, UserKeys};
use self::store::Store;
use self::sts::Sts;

/// The header that carries a session's token.
const SECURITY_TOKEN: &str = "x-amz-security-token";

/// The account that is simulated. Nothing in it is secret: the defaults are the example keys of AWS's documentation.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds the bucket, as a folder; made if it is not there. Default: `sluice-simulator`.
    pub root: PathBuf,
    /// The name of the bucket, and of its folder. Default: `bucket`.
    pub bucket: String,
    /// The region of both services; S3 refuses signatures for another one. Default: `us-east-1`.
    pub region: String,
    /// The twelve digits of the account. Default: `123456789012`.
    pub account: String,
    /// The name of the user. Default: `sluice`.
    pub user: String,
    /// The user's access key. Default: `AKIAIOSFODNN7EXAMPLE`.
    pub access_key_id: String,
    /// The user's secret. Default: `wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`.
    pub secret_access_key: String,
    /// The role that the user may assume. Default: `arn:aws:iam::123456789012:role/sluice-destination`.
    pub role_arn: String,
    /// The external id without which the role is not given. Default: `sluice-external-id`.
    pub external_id: String,
    /// What the role may do. Default: everything.
    pub permissions: Permissions,
    /// How long each session lives, whatever its request asks for (which must still be in AWS's range of 15 minutes to 12
    /// hours). Default: `None`, as asked.
    pub session_lifetime: Option<Duration>,
    /// Requests that shall fail. Default: none.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: "sluice-simulator".into(),
            bucket: "bucket".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            user: "sluice".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            role_arn: "arn:aws:iam::123456789012:role/sluice-destination".into(),
            external_id: "sluice-external-id".into(),
            permissions: Permissions::all(),
            session_lifetime: None,
            faults: Vec::new(),
        }
    }
}

/// Starts the server on `port` of 127.0.0.1, or on a free one.
///
/// It answers when this returns. Objects that the folder already holds are in the bucket; multipart uploads, sessions and
/// the properties of objects that a plain file cannot hold do not outlive a server.
///
/// # Errors
///
/// The port is taken ([`io::ErrorKind::AddrInUse`]), another simulator works on the same folder
/// ([`io::ErrorKind::WouldBlock`]), the bucket's name is none that S3 allows ([`io::ErrorKind::InvalidInput`]), or the folder
/// cannot be made.
pub async fn start(options: Options, port: Option<u16>) -> io::Result<Running> {
    if !s3s::path::check_bucket_name(&options.bucket) {
        let message = format!("`{}` is not a valid name of a bucket", options.bucket);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    let store = Store::open(&options.root, &options.bucket, &options.region)?;

    let names = Arc::new(Names::of(&options));
    let user = UserKeys { access_key_id: options.access_key_id, secret_access_key: options.secret_access_key };
    let sessions = Arc::new(Sessions::new(user));
    let mut s3 = S3ServiceBuilder::new(store.clone());
    s3.set_auth(SecretKeys(Arc::clone(&sessions)));
    s3.set_access(Gate {
        sessions: Arc::clone(&sessions),
        names: Arc::clone(&names),
        permissions: options.permissions,
    });
    s3.set_route(Sts {
        names,
        sessions: Arc::clone(&sessions),
        external_id: options.external_id,
        session_lifetime: options.session_lifetime,
    });

    let server = Arc::new(Server {
        s3: s3.build(),
        faults: Faults::new(options.faults),
        log: RequestLog::default(),
        randomness: Randomness::new(),
    });
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(Arc::clone(&server).run(listener, stopped));
    Ok(Running { address, server, sessions, store, stop, task })
}

/// A server that runs. It stops when this is dropped; [`shutdown`](Self::shutdown) also waits for it.
pub struct Running {
    address: SocketAddr,
    server: Arc<Server>,
    sessions: Arc<Sessions>,
    store: Store,
    /// Never sent, only dropped.
    stop: oneshot::Sender<Infallible>,
    task: JoinHandle<()>,
}

impl Running {
    /// The address of both services: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The newest 10,000 requests, in the order in which they were answered.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.server.log.all()
    }

    /// The multipart uploads that were begun and neither completed nor aborted, by key.
    pub fn open_uploads(&self) -> Vec<OpenUpload> {
        self.store.open_uploads()
    }

    /// Ends every session now, whatever its lifetime; sessions issued later live as usual.
    pub fn expire_sessions(&self) {
        self.sessions.expire_all();
    }

    /// Adds a fault, which counts the requests from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.server.faults.add(fault);
    }

    /// Closes every connection, whatever it is doing, and returns when the port and the folder are free.
    pub async fn shutdown(self) {
        let Self { stop, task, .. } = self;
        drop(stop);
        if let Err(error) = task.await {
            tracing::warn!(%error, "the simulated AWS did not end as it should");
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}
