//! The operations of S3, over a folder.
//!
//! Written for what sluice and the readers of its tables use: objects with ranges and conditions, multipart uploads, listing,
//! deleting, copying. Whoever gets here has been let in by `access`. There are no versions, tags, ACLs or storage classes; an
//! operation that is not here answers `NotImplemented`.
//!
//! This file translates between the requests of S3 and the modules below, each of which knows one thing:
//!
//! | module | |
//! |---|---|
//! | `folder` | the files of the bucket |
//! | `work` | the files that are not objects yet |
//! | `conditions` | `If-Match` and `If-None-Match` |
//! | `attributes` | the headers kept with an object |
//! | `transfer` | bodies on their way in and out |
//! | `uploads` | multipart uploads |
//! | `listing` | the pages of a listing |
//!
//! It is not the file system server that comes with s3s, because that one keeps objects whose digest was wrong, lets a
//! conditional put race with another, ties a multipart upload to one access key and writes to buckets that do not exist.

mod attributes;
mod conditions;
mod folder;
mod listing;
mod transfer;
mod uploads;
mod work;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{self, MetadataDirective, Timestamp};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use self::conditions::Conditions;
use self::folder::{Folder, Object, etag};
use self::listing::{Entry, LARGEST_PAGE, Query};
pub use self::uploads::OpenUpload;
use self::uploads::Uploads;
use super::access::Admitted;
use super::errors;

/// The one region whose name the location of a bucket leaves out.
const NAMELESS_REGION: &str = "us-east-1";

/// The bucket. Copies are the same bucket.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: Arc<Folder>,
    uploads: Arc<Uploads>,
    region: Arc<str>,
}

impl Store {
    /// Opens the bucket in `root`, and makes it if it is not there.
    pub(super) fn open(root: &Path, bucket: &str, region: &str) -> io::Result<Self> {
        let folder = Arc::new(Folder::open(root, bucket)?);
        Ok(Self { folder, uploads: Arc::new(Uploads::new()), region: region.into() })
    }

    pub(super) fn open_uploads(&self) -> Vec<OpenUpload> {
        self.uploads.all()
    }

    /// Work on files, off the threads that serve requests.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder, &Uploads) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let (folder, uploads) = (Arc::clone(&self.folder), Arc::clone(&self.uploads));
        let done = tokio::task::spawn_blocking(move || work(&folder, &uploads)).await;
        done.unwrap_or_else(|error| Err(S3Error::internal_error(error)))
    }

    /// The object to read, if the conditions hold. Who may not list does not learn that a key is missing.
    async fn readable<T>(&self, request: &S3Request<T>, key: &str, conditions: Conditions) -> S3Result<Object> {
        let key = key.to_owned();
        let found = self.on_disk(move |folder, _| folder.object(&key)).await;
        let object = found.map_err(|error| match request.extensions.get::<Admitted>() {
            Some(admitted) if *error.code() == S3ErrorCode::NoSuchKey && !admitted.may_list => errors::unsigned(),
            _ => error,
        })?;
        conditions.allow_read(&object.etag)?;
        Ok(object)
    }
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn head_bucket(
        &self,
        _request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        if !self.folder.exists() {
            return Err(errors::no_such_bucket());
        }
        let bucket_region = Some(self.region.to_string());
        Ok(S3Response::new(dto::HeadBucketOutput { bucket_region, ..dto::HeadBucketOutput::default() }))
    }

    async fn get_bucket_location(
        &self,
        _request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        if !self.folder.exists() {
            return Err(errors::no_such_bucket());
        }
        let named = (*self.region != *NAMELESS_REGION).then(|| self.region.to_string());
        let location_constraint = named.map(dto::BucketLocationConstraint::from);
        Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint }))
    }

    async fn put_object(&self, request: S3Request<dto::PutObjectInput>) -> S3Result<S3Response<dto::PutObjectOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        let received = transfer::receive(&self.folder, input.body, &headers, trailing_headers.as_ref()).await?;
        let attributes = attributes::kept(&headers);
        let answered = attributes::answered(&attributes);
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let text = hex::encode(received.md5);
        let output = dto::PutObjectOutput {
            e_tag: Some(etag(&text)),
            checksum_crc32: received.checksum.checksum_crc32,
            checksum_crc32c: received.checksum.checksum_crc32c,
            checksum_crc64nvme: received.checksum.checksum_crc64nvme,
            checksum_sha1: received.checksum.checksum_sha1,
            checksum_sha256: received.checksum.checksum_sha256,
            ..dto::PutObjectOutput::default()
        };
        let temporary = received.temporary;
        self.on_disk(move |folder, _| folder.publish(&input.key, &temporary, &text, attributes, &conditions)).await?;
        Ok(S3Response::with_headers(output, answered))
    }

    async fn get_object(&self, request: S3Request<dto::GetObjectInput>) -> S3Result<S3Response<dto::GetObjectOutput>> {
        let input = &request.input;
        if input.part_number.is_some() {
            return Err(errors::not_implemented());
        }
        let conditions = Conditions { if_match: input.if_match.clone(), if_none_match: input.if_none_match.clone() };
        let object = self.readable(&request, &input.key, conditions).await?;
        let range = input.range.map_or(Ok(0..object.size), |range| range.check(object.size))?;
        let output = dto::GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some((range.end - range.start).cast_signed()),
            content_range: input.range.map(|_| format!("bytes {}-{}/{}", range.start, range.end - 1, object.size)),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            body: Some(transfer::send(object.file, range)),
            ..dto::GetObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, object.attributes))
    }

    async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> S3Result<S3Response<dto::HeadObjectOutput>> {
        let input = &request.input;
        let conditions = Conditions { if_match: input.if_match.clone(), if_none_match: input.if_none_match.clone() };
        let object = self.readable(&request, &input.key, conditions).await?;
        let output = dto::HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(object.size.cast_signed()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            ..dto::HeadObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, object.attributes))
    }

    async fn copy_object(
        &self,
        request: S3Request<dto::CopyObjectInput>,
    ) -> S3Result<S3Response<dto::CopyObjectOutput>> {
        let dto::CopySource::Bucket { key: source, .. } = &request.input.copy_source else {
            return Err(errors::not_implemented());
        };
        let conditions = Conditions {
            if_match: request.input.copy_source_if_match.clone(),
            if_none_match: request.input.copy_source_if_none_match.clone(),
        };
        let mut object = self.readable(&request, source, conditions).await?;
        let directive = request.input.metadata_directive.as_ref().map(MetadataDirective::as_str);
        if directive == Some(MetadataDirective::REPLACE) {
            object.attributes = attributes::kept(&request.headers);
        }
        let copied = etag(&object.etag);
        let key = request.input.key;
        self.on_disk(move |folder, _| {
            let (temporary, mut file) = folder.temporary().map_err(errors::from_disk)?;
            io::copy(&mut object.file, &mut file).map_err(errors::from_disk)?;
            folder.publish(&key, &temporary, &object.etag, object.attributes, &Conditions::default())
        })
        .await?;
        let result = dto::CopyObjectResult {
            e_tag: Some(copied),
            last_modified: Some(Timestamp::from(SystemTime::now())),
            ..dto::CopyObjectResult::default()
        };
        let output = dto::CopyObjectOutput { copy_object_result: Some(result), ..dto::CopyObjectOutput::default() };
        Ok(S3Response::new(output))
    }

    async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        let dto::DeleteObjectInput { key, if_match, .. } = request.input;
        let conditions = Conditions { if_match, if_none_match: None };
        self.on_disk(move |folder, _| folder.remove(&key, &conditions)).await?;
        Ok(S3Response::new(dto::DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        mut request: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        let refused = request.extensions.remove::<Admitted>().map(|admitted| admitted.refused_keys).unwrap_or_default();
        let delete = request.input.delete;
        let removals: Vec<(String, S3Result<()>)> = self
            .on_disk(move |folder, _| {
                let remove = |key: String| {
                    let removal = folder.remove(&key, &Conditions::default());
                    (key, removal)
                };
                Ok(delete.objects.into_iter().map(|object| remove(object.key)).collect())
            })
            .await?;

        let mut output = dto::DeleteObjectsOutput::default();
        let errors = output.errors.get_or_insert_default();
        errors.extend(refused.into_iter().map(|(key, message)| dto::Error {
            code: Some(S3ErrorCode::AccessDenied.as_str().to_owned()),
            key: Some(key),
            message: Some(message),
            version_id: None,
        }));
        for (key, removal) in removals {
            match removal {
                Ok(()) if delete.quiet == Some(true) => {}
                Ok(()) => output
                    .deleted
                    .get_or_insert_default()
                    .push(dto::DeletedObject { key: Some(key), ..dto::DeletedObject::default() }),
                Err(error) => errors.push(dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(key),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                }),
            }
        }
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> S3Result<S3Response<dto::ListObjectsV2Output>> {
        let input = request.input;
        let asked = input.max_keys.unwrap_or(LARGEST_PAGE as i32);
        let limit = usize::try_from(asked).map_err(|_| {
            S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "Argument max-keys must be an integer between 0 and 2147483647",
            )
        })?;
        let (input, page, objects) = self
            .on_disk(move |folder, _| {
                let query = Query {
                    prefix: input.prefix.as_deref().unwrap_or_default(),
                    delimiter: input.delimiter.as_deref(),
                    start_after: input.start_after.as_deref().unwrap_or_default(),
                    token: input.continuation_token.as_deref().unwrap_or_default(),
                    limit: limit.min(LARGEST_PAGE),
                };
                let page = listing::page(folder.keys(query.prefix)?, query);
                let objects = listed_objects(folder, &page.entries)?;
                Ok((input, page, objects))
            })
            .await?;
        let common_prefixes: Vec<dto::CommonPrefix> = page
            .entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::CommonPrefix(prefix) => Some(dto::CommonPrefix { prefix: Some(prefix) }),
                Entry::Key(_) => None,
            })
            .collect();
        // Keys are never URL-encoded in the answer, so `encoding_type` is not confirmed either.
        let output = dto::ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: Some(asked),
            key_count: i32::try_from(objects.len() + common_prefixes.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            contents: Some(objects),
            common_prefixes: Some(common_prefixes),
            ..dto::ListObjectsV2Output::default()
        };
        Ok(S3Response::new(output))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CreateMultipartUploadOutput>> {
        let dto::CreateMultipartUploadInput { bucket, key, checksum_algorithm, checksum_type, .. } = request.input;
        if !self.folder.exists() {
            return Err(errors::no_such_bucket());
        }
        let attributes = attributes::kept(&request.headers);
        let answered = attributes::answered(&attributes);
        let upload_id = self.uploads.begin(&key, attributes);
        let output = dto::CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            checksum_algorithm,
            checksum_type,
            ..dto::CreateMultipartUploadOutput::default()
        };
        Ok(S3Response::with_headers(output, answered))
    }

    async fn upload_part(
        &self,
        request: S3Request<dto::UploadPartInput>,
    ) -> S3Result<S3Response<dto::UploadPartOutput>> {
        let S3Request { input, headers, trailing_headers, .. } = request;
        self.uploads.expects(&input.upload_id, &input.key, input.part_number)?;
        let received = transfer::receive(&self.folder, input.body, &headers, trailing_headers.as_ref()).await?;
        let checksum = received.checksum.clone();
        let output = dto::UploadPartOutput {
            e_tag: Some(etag(&hex::encode(received.md5))),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            ..dto::UploadPartOutput::default()
        };
        self.uploads.keep(&input.upload_id, &input.key, input.part_number, received)?;
        Ok(S3Response::new(output))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::CompleteMultipartUploadOutput>> {
        let input = request.input;
        let conditions = Conditions { if_match: input.if_match, if_none_match: input.if_none_match };
        let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let (key, upload_id) = (input.key.clone(), input.upload_id);
        let completed = self
            .on_disk(move |folder, uploads| uploads.complete(folder, &upload_id, &key, &listed, &conditions))
            .await?;
        let output = dto::CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag(&completed.etag)),
            ..dto::CompleteMultipartUploadOutput::default()
        };
        Ok(S3Response::with_headers(output, attributes::answered(&completed.attributes)))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<dto::AbortMultipartUploadOutput>> {
        let dto::AbortMultipartUploadInput { key, upload_id, .. } = request.input;
        self.on_disk(move |_, uploads| uploads.abort(&upload_id, &key)).await?;
        Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
    }

    /// All parts at once, never a page of them.
    async fn list_parts(&self, request: S3Request<dto::ListPartsInput>) -> S3Result<S3Response<dto::ListPartsOutput>> {
        let dto::ListPartsInput { bucket, key, upload_id, .. } = request.input;
        let parts = self.uploads.parts(&upload_id, &key)?;
        let parts = parts.into_iter().map(|part| dto::Part {
            part_number: Some(part.number),
            e_tag: Some(etag(&part.etag)),
            size: Some(part.size.cast_signed()),
            last_modified: Some(Timestamp::from(part.modified)),
            checksum_crc32: part.checksum.checksum_crc32,
            checksum_crc32c: part.checksum.checksum_crc32c,
            checksum_crc64nvme: part.checksum.checksum_crc64nvme,
            checksum_sha1: part.checksum.checksum_sha1,
            checksum_sha256: part.checksum.checksum_sha256,
        });
        let output = dto::ListPartsOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            parts: Some(parts.collect()),
            is_truncated: Some(false),
            ..dto::ListPartsOutput::default()
        };
        Ok(S3Response::new(output))
    }

    /// All uploads at once, never a page of them.
    async fn list_multipart_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<dto::ListMultipartUploadsOutput>> {
        let dto::ListMultipartUploadsInput { bucket, prefix, .. } = request.input;
        let wanted = |upload: &OpenUpload| upload.key.starts_with(prefix.as_deref().unwrap_or_default());
        let uploads = self.uploads.all().into_iter().filter(wanted).map(|upload| dto::MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(upload.upload_id),
            initiated: Some(Timestamp::from(upload.initiated)),
            ..dto::MultipartUpload::default()
        });
        let uploads = Some(uploads.collect());
        let output = dto::ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix,
            uploads,
            is_truncated: Some(false),
            ..dto::ListMultipartUploadsOutput::default()
        };
        Ok(S3Response::new(output))
    }
}

/// The objects of a page; one that was deleted meanwhile is left out.
fn listed_objects(folder: &Folder, entries: &[Entry]) -> S3Result<Vec<dto::Object>> {
    let mut objects = Vec::new();
    for entry in entries {
        let Entry::Key(key) = entry else { continue };
        let object = match folder.object(key) {
            Ok(object) => object,
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => continue,
            Err(error) => return Err(error),
        };
        objects.push(dto::Object {
            key: Some(key.clone()),
            size: Some(object.size.cast_signed()),
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(Timestamp::from(object.modified)),
            ..dto::Object::default()
        });
    }
    Ok(objects)
}
