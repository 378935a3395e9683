//! The HTTP server around both services: accepts connections, lets faults strike, keeps the record.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::HeaderValue;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::faults::{FaultAction, Faults};
use super::randomness::Randomness;
use super::requests::{RequestLog, RequestRecord, Service};
use super::sts;

/// The header by which AWS names a request.
const REQUEST_ID: &str = "x-amz-request-id";
/// How many letters AWS's request ids have.
const REQUEST_ID_LETTERS: usize = 16;

/// How long nothing is accepted after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What every connection shares.
pub(super) struct Server {
    pub(super) s3: S3Service,
    pub(super) faults: Faults,
    pub(super) log: RequestLog,
    pub(super) randomness: Randomness,
}

/// Why a request gets no answer at all.
#[derive(Debug)]
enum NoAnswer {
    /// A fault cut the connection.
    Cut,
    /// s3s could not write an answer.
    Failed(HttpError),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => formatter.write_str("a fault cut the connection"),
            Self::Failed(error) => write!(formatter, "no answer could be written: {error:?}"),
        }
    }
}

impl std::error::Error for NoAnswer {}

impl Server {
    /// Serves until `stop` is sent or dropped; then every connection is closed, whatever it is doing.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener, mut stop: oneshot::Receiver<Infallible>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((connection, _)) => {
                        connection.set_nodelay(true).ok(); // slower without, but not wrong
                        connections.spawn(Arc::clone(&self).serve(connection));
                    }
                    // Out of file handles, mostly: the connections that end make room.
                    Err(error) => {
                        tracing::warn!(%error, "the simulated AWS could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }

    async fn serve(self: Arc<Self>, connection: TcpStream) {
        let service = service_fn(|request| Arc::clone(&self).answer(request));
        let served =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(connection), service).await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection to the simulated AWS ended early");
        }
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> Result<HttpResponse, NoAnswer> {
        let mut record = RequestRecord::of(request.method(), request.uri(), request.headers());
        let fault = self.faults.strike(&record);
        let request = request.map(Body::from);
        let mut answer = match fault {
            None => Some(self.carry_out(record.service, request).await?),
            Some(action) => {
                if action.lets_happen() {
                    self.carry_out(record.service, request).await?;
                } else {
                    drain(request.into_body()).await;
                }
                if action == FaultAction::Hang {
                    self.log.push(record);
                    return std::future::pending().await;
                }
                action.answer(record.service)
            }
        };
        if let Some(answer) = &mut answer {
            self.name(answer);
        }
        record.status = answer.as_ref().map(|answer| answer.status().as_u16());
        self.log.push(record);
        answer.ok_or(NoAnswer::Cut)
    }

    async fn carry_out(&self, service: Service, request: http::Request<Body>) -> Result<HttpResponse, NoAnswer> {
        let response = self.s3.call(request).await.map_err(NoAnswer::Failed)?;
        let is_by_sts =
            response.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind == sts::CONTENT_TYPE);
        match service {
            Service::Sts if !is_by_sts => {
                let status = response.status();
                let read = response.into_body().store_all_limited(sts::LONGEST_BODY).await.unwrap_or_default();
                Ok(sts::in_the_words_of_sts(status, &String::from_utf8_lossy(&read)))
            }
            _ => Ok(response),
        }
    }

    fn name(&self, response: &mut HttpResponse) {
        let mut id = hex::encode_upper(self.randomness.draw());
        id.truncate(REQUEST_ID_LETTERS);
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
    }
}

/// Reads what the client still sends, so that it is ready for the answer.
async fn drain(mut body: Body) {
    while let Some(Ok(_)) = body.next().await {}
}
