//! Trying what a run will need of a bucket, before a run needs it.
//!
//! A probe writes an object of its own, in sluice's own folder, and removes it. What it could not do it says with the
//! permission that is missing, what a run without it comes to, and what grants it ([`Missing`]); it goes on after a refusal,
//! so that all of them are known at once. Where it may not remove what it has written, it says what is left.

use bytes::Bytes;

use super::{
    Bucket, BucketError, OWN_FOLDER, PART_SIZE, Put, location::Kind, operation::Operation, permission::Missing,
    settings::Rules,
};

/// One thing that a run needs, and whether it can be done.
#[derive(Debug)]
pub struct Probe {
    /// What was tried, for people.
    pub what: &'static str,
    /// The permission that it takes, where there are any.
    pub permission: Option<&'static str>,
    /// How it went.
    pub outcome: Result<(), ProbeError>,
    /// What a run comes to that cannot do it.
    pub without: &'static str,
    /// The permission that is missing, if that is why it failed.
    pub missing: Option<Missing>,
    /// What the probe has left in the bucket, since it may not remove it.
    pub left: Option<String>,
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

    /// Whether giving an upload up was what failed, so that its parts are still there.
    fn is_of_giving_up(&self) -> bool {
        match self {
            Self::Bucket(BucketError::AccessDenied { action, .. }) => *action == Operation::AbortUpload.action(),
            Self::Bucket(_) | Self::Wrong(_) | Self::NotTried(_) => false,
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

/// Something that a run does with a bucket.
#[derive(Clone, Copy)]
struct Need {
    what: &'static str,
    operation: Operation,
    without: &'static str,
}

const LIST: Need = Need {
    what: "list",
    operation: Operation::List,
    without: "a run cannot find the newest commit: it ends with exit code 2 and reads nothing",
};
const WRITE: Need = Need {
    what: "write",
    operation: Operation::Put,
    without: "a run can write no table: it ends with exit code 2 before it reads anything",
};
const ONCE: Need = Need {
    what: "write only what is absent",
    operation: Operation::Put,
    without: "a run can neither take its lease nor commit: it ends with exit code 2 and reads nothing",
};
const READ: Need = Need {
    what: "read",
    operation: Operation::Get,
    without: "a run cannot read the newest commit: it ends with exit code 2 and reads nothing",
};
const UPLOAD: Need = Need {
    what: "begin a large object and give it up",
    operation: Operation::AbortUpload,
    without: "parts of uploads that a run gives up are paid for until a lifecycle rule of the bucket removes them",
};
const REMOVE: Need = Need {
    what: "remove",
    operation: Operation::Delete,
    without: "what no commit lists any more piles up: files, of which each run warns, old entries of the lease, and all that \
              `keep` should remove",
};

impl Bucket {
    /// Tries all that a run needs. `name`: a name for the object that nobody else uses; `rules`: those that the bucket was
    /// opened with.
    pub async fn probe(&self, name: &str, rules: &Rules) -> Vec<Probe> {
        let key = format!("{OWN_FOLDER}/probe/{name}");
        let content = Bytes::from_static(b"written by `sluice check`, and removed by it\n");
        let listed = self.list_after(OWN_FOLDER, OWN_FOLDER, 1).await.map(drop);
        let is_reached = listed.as_ref().err().is_none_or(is_about_one_operation);
        let listed = self.probed(LIST, listed.map_err(Into::into), rules);
        if !is_reached {
            let others = [WRITE, ONCE, READ, UPLOAD, REMOVE];
            let others = others.map(|need| self.probed(need, Err(ProbeError::NotTried(LIST.what)), rules));
            return std::iter::once(listed).chain(others).collect();
        }
        let written = self.put(&key, content.clone()).await;
        let is_there = written.is_ok();
        let large = format!("{key}.large");
        let (once, read, uploaded) = if is_there {
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
            (once, read, self.probe_upload(&large).await)
        } else {
            let not_tried = || Err(ProbeError::NotTried(WRITE.what));
            (not_tried(), not_tried(), not_tried())
        };
        // That there is nothing to remove is no failure, so this shows whether it may be done whatever came before.
        let removed = self.delete(&key).await;
        let left_upload = uploaded.as_ref().is_err_and(ProbeError::is_of_giving_up);
        let left_upload =
            left_upload.then(|| format!("the parts of an upload of `{}`", self.location.location(&large)));
        let left = (is_there && removed.is_err()).then(|| format!("`{}`", self.location.location(&key)));
        vec![
            listed,
            self.probed(WRITE, written.map_err(Into::into), rules),
            self.probed(ONCE, once, rules),
            self.probed(READ, read, rules),
            Probe { left: left_upload, ..self.probed(UPLOAD, uploaded, rules) },
            Probe { left, ..self.probed(REMOVE, removed.map_err(Into::into), rules) },
        ]
    }

    fn probed(&self, need: Need, outcome: Result<(), ProbeError>, rules: &Rules) -> Probe {
        let missing = match &outcome {
            Err(ProbeError::Bucket(error)) => Missing::of(error, &self.location, rules),
            Ok(()) | Err(ProbeError::Wrong(_) | ProbeError::NotTried(_)) => None,
        };
        let is_s3 = matches!(self.location.kind, Kind::S3 { .. });
        let permission = is_s3.then(|| need.operation.action());
        // A large object may not even be begun.
        let is_refused_to_write = matches!(
            &outcome,
            Err(ProbeError::Bucket(BucketError::AccessDenied { action, .. })) if *action == Operation::Put.action()
        );
        let without =
            if is_refused_to_write && need.operation == Operation::AbortUpload { WRITE.without } else { need.without };
        Probe { what: need.what, permission, outcome, without, missing, left: None }
    }

    /// Sends a whole part and the beginning of another, so that it is an upload in parts, and gives it up.
    async fn probe_upload(&self, key: &str) -> Result<(), ProbeError> {
        let mut upload = self.upload(key)?;
        upload.write(Bytes::from(vec![0; PART_SIZE + 1])).await?;
        Ok(upload.abort().await?)
    }
}

/// Whether a failure leaves open that other operations fare better.
fn is_about_one_operation(error: &BucketError) -> bool {
    !matches!(
        error,
        BucketError::Identity(_)
            | BucketError::NoSuchBucket { .. }
            | BucketError::NoSuchFolder { .. }
            | BucketError::Unavailable { .. }
            | BucketError::WrongRegion { .. }
    )
}
