//! The client against a server on loopback.

mod attempts;
mod errors;
mod outages;
pub(crate) mod server;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sluice_model::secret::Secret;
use url::Url;

use super::{Backoff, Client, HttpError, Options, Patience, Request, RetryPolicy, Timeouts};
use server::{Acme, Server, wide_budget};

const TOKEN: &str = "pat-na1-00000000-1111-2222-3333-444444444444";
const CURSOR: &str = "MTAwMDAwMDAwMDAwMDAwMDA";

/// So many attempts, without waits.
fn attempts(attempts: u32) -> RetryPolicy {
    RetryPolicy {
        patience: Patience::Attempts(NonZeroU32::new(attempts).unwrap()),
        backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
    }
}

/// Three attempts without waits.
fn options() -> Options {
    Options { retry: attempts(3), ..Options::default() }
}

/// The same for a server that says nothing. Too little patience for one that should answer on a busy machine.
fn impatient() -> Options {
    Options { timeouts: Timeouts { idle: Duration::from_millis(100), ..Timeouts::default() }, ..options() }
}

fn client_with(base: &Url, options: Options) -> Client {
    Client::new(base, &Secret::new(TOKEN), Arc::new(Acme), options).unwrap()
}

fn client(server: &Server) -> Client {
    client_with(&server.base, options())
}

fn contacts() -> Request {
    Request::get(&wide_budget(), "/crm/contacts").parameter("limit", "100").parameter("after", CURSOR)
}

async fn ask(client: &Client) -> Result<Value, HttpError> {
    client.json(&contacts()).await
}
