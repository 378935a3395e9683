//! A bucket for tests whose store fails on command: before a request takes effect, or after. Each request lets others go
//! first, so that who waits for it can be dropped there.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    client::{HttpError, HttpErrorKind},
    memory::InMemory,
    path::Path,
};

use tokio::task::yield_now;

use super::{Bucket, answer::Answer, location::Location};

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Get,
    Put,
    PutIfAbsent,
    Part,
    CompleteParts,
    AbortParts,
    Delete,
    List,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it is answered.
    None,
    /// It never arrives, and there is no answer.
    NoAnswer,
    /// It takes effect, but there is no answer.
    AnswerLost,
    /// It takes effect, but is answered as if what it was about were gone.
    AnsweredTwice,
    /// It takes effect whatever its condition says.
    ConditionIgnored,
    /// The disk has no space, said the way the local store says it.
    DiskFull,
    /// It is refused.
    Denied,
}

/// Chooses the fate of a request by its kind, its key and how many of its kind there have been, itself included.
type Plan = dyn Fn(Call, &str, usize) -> Fault + Send + Sync;

/// The store behind a failing bucket.
pub(crate) struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    plan: Box<Plan>,
    calls: Mutex<BTreeMap<Call, usize>>,
    parts_in_flight: AtomicUsize,
    most_parts_in_flight: AtomicUsize,
}

/// A bucket in memory that fails as planned, and its store.
pub(crate) fn failing(
    plan: impl Fn(Call, &str, usize) -> Fault + Send + Sync + 'static,
) -> (Bucket, Arc<FailingStore>) {
    failing_at(Location::memory(), plan)
}

/// The same, with messages and errors as of S3.
pub(crate) fn failing_s3(
    plan: impl Fn(Call, &str, usize) -> Fault + Send + Sync + 'static,
) -> (Bucket, Arc<FailingStore>) {
    failing_at(Location::s3("lake", "", "eu-west-1"), plan)
}

/// The same, with messages and errors as of another kind of bucket.
pub(in crate::bucket) fn failing_at(
    location: Location,
    plan: impl Fn(Call, &str, usize) -> Fault + Send + Sync + 'static,
) -> (Bucket, Arc<FailingStore>) {
    let store = Arc::new(store_over(Arc::new(InMemory::new()), plan));
    (Bucket::over(Arc::new(Shared(Arc::clone(&store))), location, None), store)
}

/// A bucket that does as another, of which a test hears each request before it takes effect, and may have it fail.
pub(crate) fn over(bucket: &Bucket, plan: impl Fn(Call, &str, usize) -> Fault + Send + Sync + 'static) -> Bucket {
    let store = Shared(Arc::new(store_over(Arc::clone(&bucket.store), plan)));
    Bucket { store: Arc::new(store), ..bucket.clone() }
}

fn store_over(
    inner: Arc<dyn ObjectStore>,
    plan: impl Fn(Call, &str, usize) -> Fault + Send + Sync + 'static,
) -> FailingStore {
    FailingStore {
        inner,
        plan: Box::new(plan),
        calls: Mutex::default(),
        parts_in_flight: AtomicUsize::new(0),
        most_parts_in_flight: AtomicUsize::new(0),
    }
}

impl FailingStore {
    /// How many requests of a kind there have been.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.calls.lock().unwrap().get(&call).copied().unwrap_or(0)
    }

    /// How many parts were on their way at once, at most.
    pub(crate) fn most_parts_in_flight(&self) -> usize {
        self.most_parts_in_flight.load(Ordering::SeqCst)
    }

    /// Counts a request and gives its fault.
    fn fault(&self, call: Call, path: &Path) -> Fault {
        let count = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(call).or_default();
            *count += 1;
            *count
        };
        (self.plan)(call, path.as_ref(), count)
    }

    /// Counts a request and gives its fate.
    fn fate(&self, call: Call, path: &Path) -> (Result<()>, Result<()>) {
        self.fault(call, path).fate()
    }
}

impl Fault {
    /// What it does: an error before the request takes effect, or one after.
    fn fate(self) -> (Result<()>, Result<()>) {
        match self {
            Fault::None | Fault::ConditionIgnored => (Ok(()), Ok(())),
            Fault::NoAnswer => (Err(no_answer()), Ok(())),
            Fault::AnswerLost => (Ok(()), Err(no_answer())),
            Fault::AnsweredTwice => (Ok(()), Err(gone())),
            Fault::DiskFull => (Err(disk_full()), Ok(())),
            Fault::Denied => (Err(denied()), Ok(())),
        }
    }
}

/// A list that lets others go first, so that who asks for it can be dropped before it is answered.
fn after_others(list: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    futures::stream::once(async {
        yield_now().await;
        list
    })
    .flatten()
    .boxed()
}

fn no_answer() -> Error {
    let source = HttpError::new(HttpErrorKind::Timeout, io::Error::other("connection cut"));
    Error::Generic { store: "S3", source: Box::new(source) }
}

/// The answer to a request that was carried out before: there is no such upload any more.
fn gone() -> Error {
    answered(Answer { status: 404, code: Some("NoSuchUpload".to_owned()), ..Answer::default() })
}

fn denied() -> Error {
    let (code, message) = (Some("AccessDenied".to_owned()), Some("no".to_owned()));
    answered(Answer { status: 403, code, message, ..Answer::default() })
}

fn answered(answer: Answer) -> Error {
    let source = HttpError::new(HttpErrorKind::Unknown, answer);
    Error::Generic { store: "S3", source: Box::new(source) }
}

fn disk_full() -> Error {
    #[derive(Debug, thiserror::Error)]
    #[error("Unable to copy data to file: {source}")]
    struct Copying {
        source: io::Error,
    }
    let source = io::Error::from(io::ErrorKind::StorageFull);
    Error::Generic { store: "LocalFileSystem", source: Box::new(Copying { source }) }
}

#[derive(Debug, Clone)]
struct Shared(Arc<FailingStore>);

#[async_trait]
impl ObjectStore for Shared {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        yield_now().await;
        let call = if options.mode == PutMode::Create { Call::PutIfAbsent } else { Call::Put };
        let fault = self.0.fault(call, path);
        if fault == Fault::ConditionIgnored {
            options.mode = PutMode::Overwrite;
        }
        let (before, after) = fault.fate();
        before?;
        let put = self.0.inner.put_opts(path, payload, options).await?;
        after.map(|()| put)
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.0.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(FailingUpload { inner, path: path.clone(), store: Arc::clone(&self.0) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        yield_now().await;
        self.0.fate(Call::Get, path).0?;
        self.0.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = Arc::clone(&self.0);
        let passed = paths.then(move |path| {
            let store = Arc::clone(&store);
            async move {
                yield_now().await;
                path.and_then(|path| store.fate(Call::Delete, &path).0.map(|()| path))
            }
        });
        self.0.inner.delete_stream(passed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.0.fate(Call::List, prefix.unwrap_or(&Path::ROOT)).0 {
            Ok(()) => after_others(self.0.inner.list(prefix)),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.0.fate(Call::List, prefix.unwrap_or(&Path::ROOT)).0 {
            Ok(()) => after_others(self.0.inner.list_with_offset(prefix, offset)),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        yield_now().await;
        self.0.fate(Call::List, prefix.unwrap_or(&Path::ROOT)).0?;
        self.0.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FailingUpload {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    store: Arc<FailingStore>,
}

#[async_trait]
impl MultipartUpload for FailingUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let (before, after) = self.store.fate(Call::Part, &self.path);
        let (part, store) = (self.inner.put_part(payload), Arc::clone(&self.store));
        Box::pin(async move {
            let in_flight = store.parts_in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            store.most_parts_in_flight.fetch_max(in_flight, Ordering::SeqCst);
            // Others get to begin theirs.
            yield_now().await;
            let sent = match before {
                Ok(()) => part.await.and(after),
                Err(error) => Err(error),
            };
            store.parts_in_flight.fetch_sub(1, Ordering::SeqCst);
            sent
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (before, after) = self.store.fate(Call::CompleteParts, &self.path);
        before?;
        let put = self.inner.complete().await?;
        after.map(|()| put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.fate(Call::AbortParts, &self.path).0?;
        self.inner.abort().await
    }
}

impl fmt::Debug for FailingStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FailingStore")
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FailingStore")
    }
}
