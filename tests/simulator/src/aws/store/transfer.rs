//! Bodies on their way in and out.
//!
//! A body comes in to a file outside the bucket, while its digests are computed and held against what the client declared; one
//! that does not match leaves nothing behind.
//!
//! Declared are, in any combination: `Content-Length`, `Content-MD5`, one of the `x-amz-checksum-…` headers, or its name in
//! `x-amz-trailer` with the value after the body. (The digest in `x-amz-content-sha256` and the signatures of chunks are
//! checked by s3s, and arrive here as errors of the stream.)

use std::fs::File;
use std::io::{self, SeekFrom};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::folder::Folder;
use super::work::Temporary;
use crate::aws::errors;

/// How much of an object is read and sent at once.
const READ_SIZE: usize = 64 * 1024;
const CONTENT_MD5: &str = "content-md5";
const TRAILER: &str = "x-amz-trailer";

/// The digests that a client can declare, by the name of the header.
const CHECKSUMS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// A body that has arrived and is what it was declared to be.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) temporary: Temporary,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    /// The digests that were declared.
    pub(super) checksum: Checksum,
}

/// Reads `body` to its end.
pub(super) async fn receive(
    folder: &Folder,
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailing: Option<&TrailingHeaders>,
) -> S3Result<Received> {
    let mut declared = Declared::of(headers);
    let (temporary, file) = folder.temporary().map_err(errors::from_disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut checksum = declared.hasher();
    let mut md5 = Md5::new();
    let mut size = 0;

    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(broken_body)?;
            md5.update(&bytes);
            checksum.update(&bytes);
            size += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(errors::from_disk)?;
        }
    }
    file.flush().await.map_err(errors::from_disk)?;

    if let Some(trailers) = trailing.and_then(TrailingHeaders::take) {
        declared.complete(&trailers);
    }
    let received = Received { temporary, size, md5: md5.finalize(), checksum: checksum.finalize() };
    declared.check(&received)?;
    Ok(received)
}

/// The bytes of a range of a file, which must lie in the file.
pub(super) fn send(file: File, range: Range<u64>) -> StreamingBlob {
    let file = tokio::fs::File::from_std(file);
    StreamingBlob::wrap(stream::try_unfold((file, range), |(mut file, mut range)| async move {
        if range.is_empty() {
            return Ok::<_, io::Error>(None);
        }
        file.seek(SeekFrom::Start(range.start)).await?;
        let mut buffer = BytesMut::with_capacity(READ_SIZE);
        let read = (&mut file).take(range.end - range.start).read_buf(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        range.start += read as u64;
        Ok(Some((Bytes::from(buffer), (file, range))))
    }))
}

/// What the client said of the body.
#[derive(Debug, Default)]
struct Declared {
    length: Option<u64>,
    md5: Option<String>,
    /// Name and value; a value that comes after the body is not known at first.
    checksums: Vec<(&'static str, Option<String>)>,
}

impl Declared {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let trailers = text(TRAILER).unwrap_or_default().to_ascii_lowercase();
        let promised = |name: &str| trailers.split(',').any(|trailer| trailer.trim() == name);
        let checksums = CHECKSUMS
            .into_iter()
            .filter_map(|name| match text(name) {
                Some(value) => Some((name, Some(value))),
                None => promised(name).then_some((name, None)),
            })
            .collect();
        Self {
            length: text(header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok()),
            md5: text(CONTENT_MD5),
            checksums,
        }
    }

    /// Only what was declared is computed.
    fn hasher(&self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        for (name, _) in &self.checksums {
            match *name {
                "x-amz-checksum-crc32" => hasher.crc32 = Some(Crc32::new()),
                "x-amz-checksum-crc32c" => hasher.crc32c = Some(Crc32c::new()),
                "x-amz-checksum-crc64nvme" => hasher.crc64nvme = Some(Crc64Nvme::new()),
                "x-amz-checksum-sha1" => hasher.sha1 = Some(Sha1::new()),
                _ => hasher.sha256 = Some(Sha256::new()),
            }
        }
        hasher
    }

    fn complete(&mut self, trailers: &HeaderMap) {
        for (name, value) in &mut self.checksums {
            if let Some(trailer) = trailers.get(*name).and_then(|value| value.to_str().ok()) {
                *value = Some(trailer.to_owned());
            }
        }
    }

    fn check(&self, received: &Received) -> S3Result<()> {
        if self.length.is_some_and(|length| length != received.size) {
            return Err(incomplete_body());
        }
        if self.md5.as_ref().is_some_and(|md5| *md5 != BASE64.encode(received.md5)) {
            return Err(errors::bad_digest("Content-MD5"));
        }
        for (name, declared) in &self.checksums {
            let Some(declared) = declared else {
                return Err(errors::custom(
                    "MalformedTrailerError",
                    StatusCode::BAD_REQUEST,
                    "The request contained trailing data that was not well-formed or did not conform to our published schema.",
                ));
            };
            if computed(&received.checksum, name) != Some(declared) {
                return Err(errors::bad_digest(name));
            }
        }
        Ok(())
    }
}

fn computed<'a>(checksum: &'a Checksum, name: &str) -> Option<&'a String> {
    match name {
        "x-amz-checksum-crc32" => checksum.checksum_crc32.as_ref(),
        "x-amz-checksum-crc32c" => checksum.checksum_crc32c.as_ref(),
        "x-amz-checksum-crc64nvme" => checksum.checksum_crc64nvme.as_ref(),
        "x-amz-checksum-sha1" => checksum.checksum_sha1.as_ref(),
        _ => checksum.checksum_sha256.as_ref(),
    }
}

/// What the end of a body before its time means. The errors of s3s's streams have no public type, only their text.
fn broken_body(error: StdError) -> S3Error {
    let text = error.to_string();
    let mut refusal = if text.contains("Sha256Mismatch") {
        errors::custom(
            "XAmzContentSHA256Mismatch",
            StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    } else if text.contains("SignatureMismatch") {
        S3Error::new(S3ErrorCode::SignatureDoesNotMatch)
    } else {
        incomplete_body()
    };
    refusal.set_source(error);
    refusal
}

fn incomplete_body() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}
