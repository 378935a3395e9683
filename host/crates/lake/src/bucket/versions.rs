//! Old versions: what a bucket that keeps them still has of objects that were removed or replaced.
//!
//! In such a bucket to remove an object is to put a mark over it: whoever may read versions reads it on, for ever. So old
//! versions are removed by their ids, and nothing is said of them that was not seen: they are listed, removed, and listed again.
//! What was there before and is not after is gone; what is still there is named, with the reason.
//!
//! - Old is every version but the one that readers see, and every mark of a removal. What readers see is never touched.
//! - Marks go after the versions below them, and only if none of these is left: else an object that was removed would be
//!   seen again.
//! - Versions are removed one by one: removing many in a request is what stores that are not AWS's most often lack.
//! - In a bucket that keeps no versions all is what readers see, and nothing is done.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::http::Response;
use futures::StreamExt;

use super::{
    Bucket, BucketError, LONGEST_LIST, OnS3,
    answer::Answer,
    cause::{Cause, chain},
    identity::IdentityError,
    location::{Kind, Location},
    operation::Operation,
};

/// Of how many objects versions are removed at once. Those of one object go one after the other: there are stores that lose
/// a removal where two of one object meet.
const KEYS_AT_ONCE: usize = 16;

/// What became of old versions.
#[derive(Debug, Default)]
pub struct OldVersions {
    /// Versions that were listed before, and not after.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Marks of removals that were listed before, and not after.
    pub marks: u64,
    /// What is still there, in the order of its keys.
    pub left: Vec<Left>,
}

/// An old version, or the mark of a removal, that is still there.
#[derive(Debug)]
pub struct Left {
    /// The key of its object.
    pub key: String,
    /// Its id.
    pub version: String,
    /// Its bytes; none for a mark.
    pub bytes: Option<u64>,
    /// Why.
    pub why: StillThere,
}

/// Why an old version is still there.
#[derive(Debug, thiserror::Error)]
pub enum StillThere {
    /// It was not removed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A mark over a version that is still there.
    #[error("it covers an old version that is still there, which would be seen again without it")]
    Covers,
    /// The store said that it is gone.
    #[error("the store said that it was removed, and lists it all the same")]
    Listed,
}

/// An old version as it was listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    key: String,
    id: String,
    /// None for the mark of a removal.
    bytes: Option<u64>,
}

/// What is left for one kind of reason.
#[derive(Debug)]
pub struct LeftOfAKind<'l> {
    /// How many versions and marks.
    pub number: u64,
    /// The first of them.
    pub first: &'l Left,
}

impl OldVersions {
    /// What is left, by the kind of the reason: of each answer the words are others, and it has a number of its own.
    pub fn left_by_kind(&self) -> Vec<LeftOfAKind<'_>> {
        let mut kinds: BTreeMap<String, LeftOfAKind<'_>> = BTreeMap::new();
        for left in &self.left {
            let kind = match &left.why {
                StillThere::Bucket(BucketError::AccessDenied { action, .. }) => (*action).to_owned(),
                StillThere::Bucket(other) => format!("{:?}", std::mem::discriminant(other)),
                why => why.to_string(),
            };
            kinds.entry(kind).or_insert(LeftOfAKind { number: 0, first: left }).number += 1;
        }
        kinds.into_values().collect()
    }
}

impl Bucket {
    /// Removes all old versions of the objects whose keys are ours, and looks what is gone. `None` for a bucket that cannot
    /// have any, a folder.
    ///
    /// # Errors
    /// The versions could not be listed: before, so that nothing was done, or after, so that nothing is known.
    pub async fn remove_old_versions(
        &self,
        is_ours: impl Fn(&str) -> bool,
    ) -> Result<Option<OldVersions>, BucketError> {
        let (Some(on_s3), Kind::S3 { bucket: name, .. }) = (&self.on_s3, &self.location.kind) else {
            return Ok(None);
        };
        let old = OldIn { on_s3, name, location: &self.location };
        let before = old.list(&is_ours).await?;
        if before.is_empty() {
            return Ok(Some(OldVersions::default()));
        }
        let (marks, versions): (Vec<&Version>, Vec<&Version>) = before.iter().partition(|it| it.bytes.is_none());
        let mut why = old.remove(versions).await;
        let covered: BTreeSet<String> = why.keys().map(|version| version.key.clone()).collect();
        let (covering, free): (Vec<&Version>, Vec<&Version>) =
            marks.into_iter().partition(|mark| covered.contains(&mark.key));
        why.extend(covering.into_iter().map(|mark| (mark.clone(), StillThere::Covers)));
        why.extend(old.remove(free).await);
        let after = old.list(&is_ours).await?;
        Ok(Some(outcome(before, &after, why)))
    }
}

/// What is gone of what was there before, by what is there after.
fn outcome(
    before: BTreeSet<Version>,
    after: &BTreeSet<Version>,
    mut why: BTreeMap<Version, StillThere>,
) -> OldVersions {
    let mut outcome = OldVersions::default();
    for version in before {
        if after.contains(&version) {
            let why = why.remove(&version).unwrap_or(StillThere::Listed);
            outcome.left.push(Left { key: version.key, version: version.id, bytes: version.bytes, why });
        } else if let Some(bytes) = version.bytes {
            outcome.versions += 1;
            outcome.bytes += bytes;
        } else {
            outcome.marks += 1;
        }
    }
    outcome
}

/// A bucket in which old versions may be.
struct OldIn<'b> {
    on_s3: &'b OnS3,
    name: &'b str,
    location: &'b Location,
}

impl OldIn<'_> {
    /// All old versions, and all marks of removals, of our keys.
    async fn list(&self, is_ours: &impl Fn(&str) -> bool) -> Result<BTreeSet<Version>, BucketError> {
        let prefix = self.location.prefix();
        let prefix = if prefix.is_empty() { None } else { Some(format!("{prefix}/")) };
        let mut found = BTreeSet::new();
        let mut from: (Option<String>, Option<String>) = (None, None);
        let mut unclear = BTreeSet::new();
        loop {
            let request = self.on_s3.client.list_object_versions().bucket(self.name).set_prefix(prefix.clone());
            let request = request.set_key_marker(from.0.clone()).set_version_id_marker(from.1.clone());
            let page = self.on_s3.in_a_session(async || {
                let page = request.clone().send().await;
                page.map_err(|error| self.location.judge_sdk(Operation::ListVersions, "", &error))
            });
            let page = page.await?;
            // Of what a store does not say whether it is the newest, all is left as it is.
            unclear.extend(
                page.versions()
                    .iter()
                    .filter(|it| it.is_latest().is_none())
                    .filter_map(|it| it.key())
                    .map(|key| self.location.key_of(key).to_owned()),
            );
            let old = page.versions().iter().filter(|version| version.is_latest() == Some(false));
            let old = old.map(|it| (it.key(), it.version_id(), Some(it.size().unwrap_or_default().unsigned_abs())));
            let marks = page.delete_markers().iter().map(|it| (it.key(), it.version_id(), None));
            found.extend(old.chain(marks).filter_map(|(key, id, bytes)| {
                let (key, id) = (self.location.key_of(key?).to_owned(), id?.to_owned());
                is_ours(&key).then_some(Version { key, id, bytes })
            }));
            if found.len() > LONGEST_LIST {
                return Err(self.location.not_ours("", "of more old versions than any it fills"));
            }
            if page.is_truncated() != Some(true) {
                found.retain(|version: &Version| !unclear.contains(&version.key));
                return Ok(found);
            }
            let next = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
            if next.0.is_none() || next == from {
                return Err(self
                    .location
                    .not_ours("", "listed by a store whose lists of versions do not come to an end"));
            }
            from = next;
        }
    }

    /// Removes these, those of one key one after the other. Gives those that were not removed, and why.
    async fn remove(&self, versions: Vec<&Version>) -> BTreeMap<Version, StillThere> {
        let mut by_key: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
        for version in versions {
            by_key.entry(&version.key).or_default().push(version);
        }
        let removals = futures::stream::iter(by_key.into_values()).map(async |of_key| {
            let mut failed = Vec::new();
            for version in of_key {
                if let Err(error) = self.remove_one(version).await {
                    failed.push((version.clone(), StillThere::from(error)));
                }
            }
            failed
        });
        removals.buffer_unordered(KEYS_AT_ONCE).flat_map(futures::stream::iter).collect().await
    }

    async fn remove_one(&self, version: &Version) -> Result<(), BucketError> {
        let path = match self.location.prefix() {
            "" => version.key.clone(),
            prefix => format!("{prefix}/{}", version.key),
        };
        let request = self.on_s3.client.delete_object().bucket(self.name).key(path).version_id(&version.id);
        let removed = self.on_s3.in_a_session(async || {
            let removed = request.clone().send().await;
            removed.map_err(|error| self.location.judge_sdk(Operation::DeleteVersion, &version.key, &error))
        });
        removed.await.map(drop)
    }
}

impl Location {
    /// What a failure of the AWS SDK means.
    fn judge_sdk<E>(&self, operation: Operation, key: &str, error: &SdkError<E, Response>) -> BucketError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let Some(identity) = chain(error).find_map(|link| link.downcast_ref::<IdentityError>()) {
            return BucketError::Identity(identity.clone());
        }
        let Some(response) = error.raw_response() else {
            return self.unavailable(operation, key, Cause::of(error).through(self.proxy()));
        };
        let answer = Answer {
            status: response.status().as_u16(),
            code: error.code().map(str::to_owned),
            message: error.message().map(str::to_owned),
            request: error.request_id().map(str::to_owned),
            region: response.headers().get("x-amz-bucket-region").map(str::to_owned),
        };
        self.judge_answer(operation, key, &answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(key: &str, id: &str, bytes: Option<u64>) -> Version {
        Version { key: key.to_owned(), id: id.to_owned(), bytes }
    }

    #[test]
    fn what_is_left_is_told_by_the_kind_of_its_reason() {
        let left = |key: &str, why| Left { key: key.to_owned(), version: "v".to_owned(), bytes: Some(1), why };
        let denied = |key: &str| {
            let source = Cause::new(format!("S3 answered 403 (request `{key}`)"));
            let (location, resource) = (key.to_owned(), key.to_owned());
            let action = Operation::DeleteVersion.action();
            StillThere::Bucket(BucketError::AccessDenied { action, location, resource, source })
        };
        let all = vec![left("a", denied("a")), left("b", denied("b")), left("c", StillThere::Covers)];
        let old = OldVersions { left: all, ..OldVersions::default() };
        let told: Vec<_> = old.left_by_kind().iter().map(|kind| (kind.number, kind.first.key.clone())).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.contains(&(2, "a".to_owned())) && told.contains(&(1, "c".to_owned())), "{told:?}");
    }

    #[test]
    fn gone_is_what_is_not_listed_any_more_whatever_was_said_of_it() {
        let [first, second] = ["1", "2"].map(|id| version("a", id, Some(10)));
        let (mark, third) = (version("a", "3", None), version("b", "1", Some(5)));
        let before = [&first, &second, &mark, &third].map(Clone::clone).into();
        // A refusal of what is gone all the same is none; what was not refused and is there is told. One is newly old.
        let after = [&second, &third, &version("c", "1", Some(7))].map(Clone::clone).into();
        let why = BTreeMap::from([(first, StillThere::Covers), (second, StillThere::Covers)]);
        let outcome = outcome(before, &after, why);
        assert_eq!((outcome.versions, outcome.bytes, outcome.marks), (1, 10, 1));
        let left: Vec<_> = outcome.left.iter().map(|left| (left.key.as_str(), left.version.as_str())).collect();
        assert_eq!(left, [("a", "2"), ("b", "1")]);
        assert!(matches!(outcome.left[0].why, StillThere::Covers));
        assert!(matches!(outcome.left[1].why, StillThere::Listed));
    }
}
