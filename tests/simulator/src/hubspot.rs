//! HubSpot's public API on loopback.
//!
//! One store, two families of paths: the numbered one (`/crm/v3/…`) and the dated one
//! (`/crm/objects/2026-03/…`, `2026-09`), which answer alike but for what HubSpot documents: 2026-09
//! drops the `warnings` of records and the display hints of properties, answers a batch read with
//! errors with 200 instead of 207, and has neither the associations of one record nor, but as a beta, users and
//! teams. The associations of the numbered family are `/crm/v4/…`.
//!
//! A request passes these stations, each of which can answer it:
//!
//! 1. `faults`: what the test asked to go wrong, counted, as a proxy in front of HubSpot would;
//! 2. the URL's length, and `route`: which endpoint a path means;
//! 3. `auth`: whose token this is; scopes are checked where it is known what is read;
//! 4. `limits`: the rolling ten seconds, the searches of one second, the day;
//! 5. the endpoint: `objects`, `search`, `definitions`, `associations`, `lists`, `owners`, `people`, `account`, `events`, from
//!    the portal of [`crate::data`].
//!
//! `log` writes down every request on its way out, so that a test can ask what was requested.
//!
//! What is simulated: objects (list, one, batch read, with property history, and search), properties, schemas, owners, users, teams,
//! pipelines, associations (batch read, of one record, labels, configured limits), lists (search, by id, members by
//! id and by time, the lists of records), the scopes of a token, account details, daily usage, record limits, the object library, events (types,
//! occurrences, the definitions of the account's own).
//! Requests for associations beside records, `idProperty`, full-text `query`, the filters and orders of lists, those of events
//! by id or property, and paging backwards are refused with 501; paths that are not simulated get HubSpot's 404,
//! which is HTML.

mod account;
mod answer;
mod associations;
mod auth;
mod cursor;
mod definitions;
mod events;
mod faults;
mod limits;
mod lists;
mod log;
mod objects;
mod owners;
mod people;
mod query;
mod records;
mod route;
mod search;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use auth::{Scopes, Token};
pub use cursor::Cursors;
pub use faults::{Fault, FaultAction, FaultBody, PathPattern};
pub use log::LoggedRequest;

use crate::data;
use server::Server;

/// A token of [`Options::default`] that may read everything except sensitive values.
pub const TOKEN: &str = "pat-na1-00000000-0000-4000-8000-000000000001";

/// A token of [`Options::default`] that may read everything, sensitive values included.
pub const SENSITIVE_TOKEN: &str = "pat-na1-00000000-0000-4000-8000-000000000002";

/// HubSpot's limit for a private app of a Professional or Enterprise account.
const REQUESTS_PER_10S: u32 = 190;
/// HubSpot's limit for search, shared by everything that searches the account.
const SEARCHES_PER_SECOND: u32 = 5;
/// HubSpot's limit for an Enterprise account.
const REQUESTS_PER_DAY: u64 = 1_000_000;
/// The URL length at which others saw HubSpot answer 414 (about 16,200 characters).
const MAX_URL_LENGTH: usize = 16 * 1024;
/// HubSpot's page of one record's associations.
const ASSOCIATION_PAGE: usize = 500;
/// Enough for every request of a test, little enough for the memory of a long benchmark.
const REQUEST_LOG_CAPACITY: usize = 10_000;

/// How the simulated HubSpot behaves.
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own, which accounts have or lack")]
#[derive(Clone, Debug)]
pub struct Options {
    /// The portal it serves. Default: 2000 contacts from seed 1.
    pub data: data::Options,
    /// The tokens it knows, and what they may read. Default: [`TOKEN`] and [`SENSITIVE_TOKEN`].
    pub tokens: Vec<Token>,
    /// Requests a token may make in any ten seconds, search apart; 0 refuses all. Default: 190.
    pub requests_per_10s: u32,
    /// Searches that all tokens together may make in any second; 0 refuses all. Default: 5.
    pub searches_per_second: u32,
    /// Requests that all tokens together may make while the server runs; 0 refuses all. The count
    /// does not start anew at midnight. Default: 1,000,000.
    pub requests_per_day: u64,
    /// Whether a refusal by a rate limit carries `Retry-After`; HubSpot does not always send it.
    /// Default: true.
    pub retry_after: bool,
    /// Time that every request takes on top of the work; zero for none. Default: none.
    pub latency: Duration,
    /// The longest path and query that is not answered with 414, in bytes. Default: 16 KiB.
    pub max_url_length: usize,
    /// The form of the `after` of records. Default: numbers.
    pub cursors: Cursors,
    /// The most associations of one record that an answer holds; a batch read answers so many for each input. At
    /// least 1. Default: 500.
    pub association_page: usize,
    /// Whether 2026-09 serves the labels and the configured limits of associations, on which sources differ; if not, it
    /// answers 404 with HubSpot's own error. Default: true.
    pub labels_in_september: bool,
    /// Whether the account has the product that keeps events; without it, all requests about them are refused with 403.
    /// Default: true.
    pub events: bool,
    /// Whether the last occurrence of a page of events comes again as the first of the next one, now and then. Default: false.
    pub repeated_occurrences: bool,
    /// What shall go wrong. Default: nothing.
    pub faults: Vec<Fault>,
    /// How many of the newest requests are remembered; 0 for none. Default: 10,000.
    pub request_log_capacity: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data: data::Options::default(),
            tokens: vec![
                Token { text: TOKEN.to_owned(), scopes: Scopes::AllButSensitive },
                Token { text: SENSITIVE_TOKEN.to_owned(), scopes: Scopes::All },
            ],
            requests_per_10s: REQUESTS_PER_10S,
            searches_per_second: SEARCHES_PER_SECOND,
            requests_per_day: REQUESTS_PER_DAY,
            retry_after: true,
            latency: Duration::ZERO,
            max_url_length: MAX_URL_LENGTH,
            cursors: Cursors::default(),
            association_page: ASSOCIATION_PAGE,
            labels_in_september: true,
            events: true,
            repeated_occurrences: false,
            faults: Vec::new(),
            request_log_capacity: REQUEST_LOG_CAPACITY,
        }
    }
}

/// Starts a server on 127.0.0.1, on `port` or on a free one. It listens when this returns.
///
/// # Errors
///
/// The port is taken or may not be used.
pub async fn start(options: Options, port: Option<u16>) -> io::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(());
    let server = Arc::new(Server::new(options, base_url(address), stopped.clone()));

    let app = Router::new().fallback(server::handle).with_state(Arc::clone(&server));
    // Answers are written in one piece, and waiting to fill a packet only adds latency.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its packets back");
        }
    });
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, app).with_graceful_shutdown(server::stopped(stopped));
        if let Err(error) = serving.await {
            tracing::error!(%error, "the simulated HubSpot stopped");
        }
    });
    Ok(Running { address, server, stop, task })
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    server: Arc<Server>,
    /// Dropping it tells the server to stop.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Where the API is: `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    /// The newest requests, oldest first, as many as [`Options::request_log_capacity`] allows.
    /// A request is in the list once its answer was handed to the connection.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.server.requests()
    }

    /// Stops accepting, lets requests under way finish, and returns when the last connection is
    /// closed. Requests that a fault left hanging end without an answer.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the simulated HubSpot did not stop in order");
        }
    }
}

fn base_url(address: SocketAddr) -> String {
    format!("http://{address}")
}
