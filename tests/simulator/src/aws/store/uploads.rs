//! Multipart uploads: parts that wait outside the bucket until they become one object, or are thrown away.
//!
//! An upload belongs to the bucket and not to the session that began it, so it goes on when credentials are renewed, as on
//! AWS. Uploads live in memory and end with the server.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::HeaderMap;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, CompletedPart};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::conditions::Conditions;
use super::folder::Folder;
use super::transfer::Received;
use crate::aws::errors;
use crate::aws::randomness::Randomness;

/// Every part but the last must be this large.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
/// Parts are numbered from 1 to this.
const LAST_PART_NUMBER: i32 = 10_000;

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The key of the object to be.
    pub key: String,
    /// The id that the upload was given.
    pub upload_id: String,
    /// How many parts it has so far.
    pub parts: usize,
    /// When it was begun.
    pub initiated: SystemTime,
}

/// The uploads that are open.
#[derive(Debug)]
pub(super) struct Uploads {
    open: Mutex<HashMap<String, Upload>>,
    randomness: Randomness,
}

#[derive(Debug)]
struct Upload {
    key: String,
    initiated: SystemTime,
    attributes: HeaderMap,
    parts: BTreeMap<i32, Part>,
}

#[derive(Debug)]
struct Part {
    received: Received,
    modified: SystemTime,
}

/// What `ListParts` tells of a part.
#[derive(Debug)]
pub(super) struct PartSummary {
    pub(super) number: i32,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) checksum: Checksum,
}

/// An upload that became an object.
#[derive(Debug)]
pub(super) struct Completed {
    pub(super) etag: String,
    pub(super) attributes: HeaderMap,
}

impl Uploads {
    pub(super) fn new() -> Self {
        Self { open: Mutex::default(), randomness: Randomness::new() }
    }

    /// Begins an upload and gives it an id.
    pub(super) fn begin(&self, key: &str, attributes: HeaderMap) -> String {
        let upload_id = hex::encode(self.randomness.draw());
        let upload = Upload { key: key.to_owned(), initiated: SystemTime::now(), attributes, parts: BTreeMap::new() };
        self.open().insert(upload_id.clone(), upload);
        upload_id
    }

    /// Whether part `number` of this upload may come; asked before its body is read.
    pub(super) fn expects(&self, upload_id: &str, key: &str, number: i32) -> S3Result<()> {
        if !(1..=LAST_PART_NUMBER).contains(&number) {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive",
            ));
        }
        self.with(upload_id, key, |_| ())
    }

    /// Keeps a part; one of the same number is replaced.
    pub(super) fn keep(&self, upload_id: &str, key: &str, number: i32, received: Received) -> S3Result<()> {
        self.with(upload_id, key, |upload| {
            upload.parts.insert(number, Part { received, modified: SystemTime::now() });
        })
    }

    /// Makes one object of the listed parts. The upload stays open if that is refused.
    pub(super) fn complete(
        &self,
        folder: &Folder,
        upload_id: &str,
        key: &str,
        listed: &[CompletedPart],
        conditions: &Conditions,
    ) -> S3Result<Completed> {
        let upload = self.take(upload_id, key)?;
        match upload.complete(folder, listed, conditions) {
            Ok(etag) => Ok(Completed { etag, attributes: upload.attributes }),
            Err(refusal) => {
                self.open().insert(upload_id.to_owned(), upload);
                Err(refusal)
            }
        }
    }

    /// Throws the upload and its parts away.
    pub(super) fn abort(&self, upload_id: &str, key: &str) -> S3Result<()> {
        self.take(upload_id, key).map(drop)
    }

    pub(super) fn parts(&self, upload_id: &str, key: &str) -> S3Result<Vec<PartSummary>> {
        self.with(upload_id, key, |upload| {
            let summary = |(number, part): (&i32, &Part)| PartSummary {
                number: *number,
                etag: part.etag(),
                size: part.received.size,
                modified: part.modified,
                checksum: part.received.checksum.clone(),
            };
            upload.parts.iter().map(summary).collect()
        })
    }

    /// The open uploads by key, the oldest first where a key has several.
    pub(super) fn all(&self) -> Vec<OpenUpload> {
        let open = self.open();
        let mut uploads: Vec<OpenUpload> = open
            .iter()
            .map(|(upload_id, upload)| OpenUpload {
                key: upload.key.clone(),
                upload_id: upload_id.clone(),
                parts: upload.parts.len(),
                initiated: upload.initiated,
            })
            .collect();
        uploads.sort_by(|one, other| (&one.key, one.initiated).cmp(&(&other.key, other.initiated)));
        uploads
    }

    fn with<T>(&self, upload_id: &str, key: &str, use_it: impl FnOnce(&mut Upload) -> T) -> S3Result<T> {
        let mut open = self.open();
        let upload = open.get_mut(upload_id).filter(|upload| upload.key == key);
        upload.map(use_it).ok_or_else(errors::no_such_upload)
    }

    fn take(&self, upload_id: &str, key: &str) -> S3Result<Upload> {
        self.with(upload_id, key, |_| ())?;
        self.open().remove(upload_id).ok_or_else(errors::no_such_upload)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// Checks the list, joins the parts and publishes the object; its `ETag` is returned.
    fn complete(&self, folder: &Folder, listed: &[CompletedPart], conditions: &Conditions) -> S3Result<String> {
        let parts = self.chosen(listed)?;
        let (joined, file) = folder.temporary().map_err(errors::from_disk)?;
        join(&parts, file).map_err(errors::from_disk)?;

        let mut digests = Md5::new();
        for part in &parts {
            digests.update(&part.received.md5);
        }
        let etag = format!("{}-{}", hex::encode(digests.finalize()), parts.len());
        folder.publish(&self.key, &joined, &etag, self.attributes.clone(), conditions)?;
        Ok(etag)
    }

    /// The parts that the client lists, which must be there, as listed, in ascending order, and large enough.
    fn chosen(&self, listed: &[CompletedPart]) -> S3Result<Vec<&Part>> {
        if listed.is_empty() {
            return Err(S3Error::with_message(S3ErrorCode::MalformedXML, "You must specify at least one part"));
        }
        if !listed.is_sorted_by(|one, next| one.part_number < next.part_number) {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        let parts: Vec<&Part> = listed
            .iter()
            .map(|listed| {
                let part = listed.part_number.and_then(|number| self.parts.get(&number));
                part.filter(|part| part.is_as(listed)).ok_or_else(|| {
                    S3Error::with_message(
                        S3ErrorCode::InvalidPart,
                        "One or more of the specified parts could not be found. The part may not have been uploaded, \
                         or the specified entity tag may not match the part's entity tag.",
                    )
                })
            })
            .collect::<S3Result<_>>()?;
        let but_the_last = parts.iter().take(parts.len() - 1);
        if but_the_last.clone().any(|part| part.received.size < SMALLEST_PART) {
            return Err(S3Error::with_message(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        Ok(parts)
    }
}

impl Part {
    fn etag(&self) -> String {
        hex::encode(self.received.md5)
    }

    /// What the client says of a part must be so; what it does not say is no matter.
    fn is_as(&self, listed: &CompletedPart) -> bool {
        fn agrees(said: Option<&String>, computed: Option<&String>) -> bool {
            said.is_none_or(|said| computed.is_none_or(|computed| said == computed))
        }
        let checksum = &self.received.checksum;
        listed.e_tag.as_ref().is_none_or(|etag| etag.value() == self.etag())
            && agrees(listed.checksum_crc32.as_ref(), checksum.checksum_crc32.as_ref())
            && agrees(listed.checksum_crc32c.as_ref(), checksum.checksum_crc32c.as_ref())
            && agrees(listed.checksum_crc64nvme.as_ref(), checksum.checksum_crc64nvme.as_ref())
            && agrees(listed.checksum_sha1.as_ref(), checksum.checksum_sha1.as_ref())
            && agrees(listed.checksum_sha256.as_ref(), checksum.checksum_sha256.as_ref())
    }
}

fn join(parts: &[&Part], mut target: File) -> io::Result<()> {
    for part in parts {
        io::copy(&mut part.received.temporary.open()?, &mut target)?;
    }
    Ok(())
}
