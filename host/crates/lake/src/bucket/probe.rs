//! Trying what a run will need of a bucket, before a run needs it.
//!
//! A probe writes an object of its own, in sluice's own folder, and removes it. What it could not do it says with the
//! permission that is missing; it goes on after a failure, so that all of them are known at once.

use bytes::Bytes;

use super::{Bucket, BucketError, OWN_FOLDER, PART_SIZE, Put};

/// One thing that a run needs, and whether it can be done.
#[derive(Debug)]
pub struct Probe {
    /// What was tried, for people.
    pub what: &'static str,
    /// How it went.
    pub outcome: Result<(), ProbeError>,
}

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The bucket refuses it.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The store does it, and does it wrongly.
    #[error("the store {0}")]
    Wrong(&'static str),
    /// It needs something that failed before.
    #[error("not tried, since {0} failed")]
    NotTried(&'static str),
}

impl ProbeError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Bucket(error) => error.hint(),
            Self::Wrong(_) => Some("commits and the lease need a store that does as AWS does".to_owned()),
            Self::NotTried(_) => None,
        }
    }

    /// Whether it stays until somebody changes the settings, the identity, or what it may do. What was not tried says
    /// nothing of that.
    pub fn is_for_the_owner(&self) -> bool {
        match self {
            Self::Bucket(error) => error.is_for_the_owner(),
            Self::Wrong(_) => true,
            Self::NotTried(_) => false,
        }
    }
}

const LIST: &str = "list";
const WRITE: &str = "write";
const ONCE: &str = "write only what is absent";
const READ: &str = "read";
const UPLOAD: &str = "begin a large object and give it up";
const REMOVE: &str = "remove";

impl Bucket {
    /// Tries all that a run needs. `name`: a name for the object that nobody else uses.
    pub async fn probe(&self, name: &str) -> Vec<Probe> {
        let key = format!("{OWN_FOLDER}/probe/{name}");
        let content = Bytes::from_static(b"written by `sluice check`, and removed by it\n");
        let listed = self.list_after(OWN_FOLDER, OWN_FOLDER, 1).await.map(drop);
        let written = self.put(&key, content.clone()).await;
        let is_there = written.is_ok();
        let after_writing = |outcome: Result<(), ProbeError>| {
            if is_there { outcome } else { Err(ProbeError::NotTried(WRITE)) }
        };
        let once = match self.put_if_absent(&key, content.clone()).await {
            Ok(Put::Exists) => Ok(()),
            Ok(Put::Created) => Err(ProbeError::Wrong("overwrites an object although `If-None-Match` forbids it")),
            Err(error) => Err(error.into()),
        };
        let read = match self.get(&key).await {
            Ok(Some(found)) if found == content => Ok(()),
            Ok(_) => Err(ProbeError::Wrong("does not give back what was written")),
            Err(error) => Err(error.into()),
        };
        let uploaded = self.probe_upload(&format!("{key}.large")).await;
        let removed = self.delete(&key).await;
        vec![
            Probe { what: LIST, outcome: listed.map_err(Into::into) },
            Probe { what: WRITE, outcome: written.map_err(Into::into) },
            Probe { what: ONCE, outcome: after_writing(once) },
            Probe { what: READ, outcome: after_writing(read) },
            Probe { what: UPLOAD, outcome: after_writing(uploaded.map_err(Into::into)) },
            Probe { what: REMOVE, outcome: after_writing(removed.map_err(Into::into)) },
        ]
    }

    /// Sends a whole part and the beginning of another, so that it is an upload in parts, and gives it up.
    async fn probe_upload(&self, key: &str) -> Result<(), BucketError> {
        let mut upload = self.upload(key)?;
        upload.write(Bytes::from(vec![0; PART_SIZE + 1])).await?;
        upload.abort().await
    }
}
