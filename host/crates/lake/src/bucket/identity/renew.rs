//! Credentials that are renewed before they end.
//!
//! Runs outlive sessions. Each request asks for credentials; the ones in hand are given until their last part begins (the
//! margin), and then one of those who ask gets new ones while the others go on with the old.
//! If that fails, the old ones are still good: the run goes on and tries again, at intervals, until they have ended. Only
//! then does a request fail.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use sluice_model::clock::Clock;
use tokio::sync::{Mutex, RwLock};

use super::error::IdentityError;

/// How long before their end credentials are renewed. An attempt is signed when it is sent, and may take
/// [`REQUEST_TIMEOUT`](crate::bucket::s3::REQUEST_TIMEOUT); its signature should hold until then, and a renewal that fails
/// should have time to be tried again. A test compares.
pub(in crate::bucket) const MARGIN: Duration = Duration::from_mins(5);
/// For sessions so short that [`MARGIN`] would be most of them, the margin is this part of their length: a third leaves
/// two thirds for use.
const SHORTEST_USE: u32 = 3;
/// How many times a failed renewal is tried within the margin: often enough to outlast a hiccup, and not with every request.
const TRIES_IN_MARGIN: u32 = 5;

/// Gives out credentials.
#[async_trait]
pub(super) trait Issuer: fmt::Debug + Send + Sync {
    /// New credentials.
    async fn issue(&self) -> Result<Issued, IdentityError>;
}

/// Credentials, and how long they last from the moment they were asked for; `None` for those without an end.
pub(super) struct Issued {
    pub(super) credential: AwsCredential,
    pub(super) lasts: Option<Duration>,
}

/// Credentials of an issuer, kept fresh.
#[derive(Debug)]
pub(in crate::bucket) struct Renewed {
    issuer: Box<dyn Issuer>,
    clock: Clock,
    held: RwLock<Option<Held>>,
    renewal: Mutex<()>,
}

impl Renewed {
    pub(super) fn new(issuer: Box<dyn Issuer>, clock: Clock) -> Self {
        Self { issuer, clock, held: RwLock::new(None), renewal: Mutex::new(()) }
    }

    /// Credentials that have not ended. At most one renewal is under way at any time; nobody waits for it who has
    /// credentials that still hold. Cancel safe.
    pub(in crate::bucket) async fn current(&self) -> Result<Arc<AwsCredential>, IdentityError> {
        let renewal = match self.judge().await {
            Judgement::Use(credential) => return Ok(credential),
            Judgement::Renew(credential) => match self.renewal.try_lock() {
                Ok(renewal) => renewal,
                Err(_) => return Ok(credential),
            },
            Judgement::Ended => self.renewal.lock().await,
        };
        // Whoever held the lock before may have renewed them.
        let fallback = match self.judge().await {
            Judgement::Use(credential) => return Ok(credential),
            Judgement::Renew(credential) => Some(credential),
            Judgement::Ended => None,
        };
        let asked = self.clock.now();
        let answer = self.issuer.issue().await;
        let answer = match (answer, fallback) {
            (Ok(issued), _) => {
                let fresh = Held::new(issued, asked);
                let credential = Arc::clone(&fresh.credential);
                *self.held.write().await = Some(fresh);
                Ok(credential)
            }
            (Err(error), Some(credential)) => {
                tracing::warn!(error = %error, "credentials were not renewed; going on with those in hand");
                if let Some(held) = self.held.write().await.as_mut() {
                    held.renew_from = held.renew_from.map(|_| after(self.clock.now(), held.margin / TRIES_IN_MARGIN));
                }
                Ok(credential)
            }
            (Err(error), None) => Err(error),
        };
        drop(renewal);
        answer
    }

    /// Credentials in place of those that a service says have ended: new ones, or those that another request has fetched
    /// meanwhile. Cancel safe.
    pub(in crate::bucket) async fn instead_of(
        &self,
        ended: &AwsCredential,
    ) -> Result<Arc<AwsCredential>, IdentityError> {
        if let Some(held) = self.held.write().await.as_mut()
            && *held.credential == *ended
        {
            held.ends = Some(Timestamp::MIN);
        }
        self.current().await
    }

    async fn judge(&self) -> Judgement {
        match self.held.read().await.as_ref() {
            Some(held) => held.judge(self.clock.now()),
            None => Judgement::Ended,
        }
    }
}

/// Credentials in hand.
struct Held {
    credential: Arc<AwsCredential>,
    margin: Duration,
    renew_from: Option<Timestamp>,
    ends: Option<Timestamp>,
}

enum Judgement {
    Use(Arc<AwsCredential>),
    Renew(Arc<AwsCredential>),
    Ended,
}

impl Held {
    fn new(issued: Issued, asked: Timestamp) -> Self {
        let lasts = issued.lasts.unwrap_or_default();
        let margin = MARGIN.min(lasts / SHORTEST_USE);
        Self {
            credential: Arc::new(issued.credential),
            margin,
            renew_from: issued.lasts.map(|lasts| after(asked, lasts.saturating_sub(margin))),
            ends: issued.lasts.map(|lasts| after(asked, lasts)),
        }
    }

    fn judge(&self, now: Timestamp) -> Judgement {
        let credential = Arc::clone(&self.credential);
        if self.ends.is_some_and(|ends| now >= ends) {
            Judgement::Ended
        } else if self.renew_from.is_some_and(|from| now >= from) {
            Judgement::Renew(credential)
        } else {
            Judgement::Use(credential)
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Held").field("ends", &self.ends).finish_non_exhaustive()
    }
}

fn after(from: Timestamp, length: Duration) -> Timestamp {
    from.checked_add(length).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
