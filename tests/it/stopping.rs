//! Runs that are told to stop: wherever they are, they end soon, say what became of the tables, and release the lease.
//! And those that panic, which is to leave nothing else behind.

use std::{
    fs,
    ops::RangeFrom,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use http::Method;
use sluice::pipeline::{self, Patience, Pipeline, Progress, Run, Shutdown, Wait};
use sluice_hubspot::source::{
    DeliverySender, Price, Quota, Read, ReadRequest, Reading, Slice, Source, SourceError, Usage,
};
use sluice_model::{delivery::Delivery, schema::Schema, stream::StreamInfo};
use sluice_simulator::{
    aws::{self, Fault, FaultAction, Service},
    data, hubspot,
};

use crate::{
    child::Running,
    guests,
    harness::{Workspace, data_files, portal},
    heavy::{children_of, heavy},
};

/// A run that has nothing to wait for ends within two seconds of a stop; on a machine that is busy with other tests, in less
/// than this.
const SOON: Duration = Duration::from_secs(10);
/// Where the bucket does not answer it takes a few times as long as it is waited for.
const IN_THE_END: Duration = Duration::from_secs(40);

/// Owners through this plugin.
fn through(plugin: &[u8], settings: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("plugin.wasm", plugin);
    let transform = format!(
        "[[transform]]\nname = \"plugin\"\npath = \"plugin.wasm\"\n\
         settings = {{ {settings} }}\n\
         limits = {{ fuel_base = 1_000_000_000_000_000, timeout = \"10m\" }}\n"
    );
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink(), &transform]);
    workspace
}

/// A pipeline whose plugin goes on and on in this call.
fn going_on_in(call: &str) -> Workspace {
    through(guests::evil(), &format!("behave = \"say-and-loop\", in = \"{call}\""))
}

/// Interrupts a run, and says what it has said; it ends with this code and in this time.
fn interrupted(running: Running, exit_code: i32, within: Duration) -> String {
    let began = Instant::now();
    running.interrupt();
    let output = running.output();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit_code), "{told}");
    assert!(began.elapsed() < within, "after {:?}:\n{told}", began.elapsed());
    told
}

/// Whether the next run need not wait for the lease.
fn lease_is_free(workspace: &Workspace) -> bool {
    let folder = workspace.path().join("tables/_sluice/leases/test");
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let newest: serde_json::Value = serde_json::from_slice(&fs::read(entries.last().unwrap()).unwrap()).unwrap();
    newest["released"] == true
}

#[test]
fn a_stop_ends_the_call_of_a_plugin() {
    for call in ["open", "outline", "apply"] {
        let workspace = going_on_in(call);
        let mut running = workspace.start(&["run", "pipeline.toml"]);
        running.until("the plugin goes on and on", |running| running.told().contains("on and on"));
        let told = interrupted(running, 130, SOON);
        assert!(told.contains("error: interrupted; nothing was committed"), "{call}: {told}");
        assert!(data_files(&workspace.path().join("tables")).is_empty(), "{call}");
        assert!(lease_is_free(&workspace), "{call}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stop_ends_compiling() {
    let workspace = through(&heavy(200, 20_000), "");
    let mut running = workspace.start(&["run", "pipeline.toml"]);
    let own = rustix::process::Pid::from_raw(running.id().cast_signed()).unwrap();
    running.until("it compiles", |_| children_of(own).iter().any(|(_, words)| words.ends_with(pipeline::COMPILE)));
    let told = interrupted(running, 130, SOON);
    assert!(told.contains("error: interrupted; nothing was committed"), "{told}");
}

/// Owners in the simulated S3, once; from then on, these of the requests to it get no answer.
fn without_an_answer(method: Method, target: &'static str, nth: RangeFrom<u64>) -> (Workspace, &'static str) {
    of_stream("owners", Workspace::new(), method, target, nth)
}

fn of_stream(
    stream: &str,
    workspace: Workspace,
    method: Method,
    target: &'static str,
    nth: RangeFrom<u64>,
) -> (Workspace, &'static str) {
    let external_id = format!("external_id = \"{}\"", aws::Options::default().external_id);
    let source = workspace.source(&format!("streams = [\"{stream}\"]"));
    workspace.pipeline(&[&source, &workspace.s3_sink(&external_id, "")]);
    workspace.run(0);
    workspace.aws.add_fault(Fault {
        service: Service::S3,
        method: Some(method),
        target_contains: target.to_owned(),
        nth: nth.start..=u64::MAX,
        action: FaultAction::Hang,
    });
    (workspace, target)
}

/// Starts a run, and waits until it waits for the bucket.
fn waiting_for_the_bucket((workspace, target): &(Workspace, &'static str)) -> Running {
    let mut running = workspace.start(&["run", "pipeline.toml", "--report", "report.json"]);
    let is_unanswered = |request: &aws::RequestRecord| {
        request.status.is_none() && format!("{}?{}", request.key, request.query).contains(target)
    };
    running.until("it waits", |_| workspace.aws.requests().iter().any(is_unanswered));
    running
}

#[test]
fn a_stop_ends_the_sweep_before_reading() {
    let bucket = without_an_answer(Method::GET, "delimiter=", 1..);
    let told = interrupted(waiting_for_the_bucket(&bucket), 130, SOON);
    assert!(told.contains("nothing was committed"), "{told}");
}

#[test]
fn a_stop_ends_the_sweep_after_the_commit_and_the_run_is_a_success() {
    // The list before reading is answered, the next is not.
    let bucket = without_an_answer(Method::GET, "delimiter=", 2..);
    let told = interrupted(waiting_for_the_bucket(&bucket), 0, SOON);
    assert!(told.contains("commit 2 in s3://bucket/crm"), "{told}");
    assert_eq!(bucket.0.report()["outcome"], "complete");
}

#[test]
fn a_commit_without_an_answer_is_not_said_to_be_none() {
    let bucket = without_an_answer(Method::PUT, "_sluice/commits/", 1..);
    let told = interrupted(waiting_for_the_bucket(&bucket), 130, IN_THE_END);
    assert!(told.contains("it may have been made, or may yet be"), "{told}");
    assert!(!told.contains("nothing was committed"), "{told}");
    assert_eq!(bucket.0.report()["outcome"], "interrupted");
}

#[test]
fn files_without_an_answer_are_given_up() {
    let bucket = without_an_answer(Method::PUT, "owners/", 1..);
    let told = interrupted(waiting_for_the_bucket(&bucket), 130, IN_THE_END);
    assert!(told.contains("nothing was committed"), "{told}");
}

/// Its file without rows is written when all has been read.
#[test]
fn the_file_of_a_table_without_rows_is_given_up_too() {
    let data = data::Options { contacts: 1, ..data::Options::default() };
    let empty = Workspace::with(hubspot::Options { data, ..portal() }, aws::Options::default());
    let bucket = of_stream("companies", empty, Method::PUT, "objects_companies/", 1..);
    let told = interrupted(waiting_for_the_bucket(&bucket), 130, IN_THE_END);
    assert!(told.contains("nothing was committed"), "{told}");
}

/// Another takes the lease while the commit waits for its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_does_not_hide_that_the_commit_may_have_been_made() {
    let (held, target) =
        tokio::task::spawn_blocking(|| without_an_answer(Method::PUT, "_sluice/commits/", 1..)).await.unwrap();
    let bucket = (held, target);
    let running = tokio::task::block_in_place(|| waiting_for_the_bucket(&bucket));
    let pipeline = Pipeline::read(&bucket.0.path().join("pipeline.toml")).unwrap();
    let lake = pipeline.bucket().await.unwrap();
    let mut entries: Vec<String> =
        lake.list("_sluice/leases/test").await.unwrap().into_iter().map(|entry| entry.key).collect();
    entries.sort();
    let newest = entries.last().unwrap();
    let mut entry: serde_json::Value = serde_json::from_slice(&lake.get(newest).await.unwrap().unwrap()).unwrap();
    entry["run"] = "20990101T000000Z-00000000".into();
    let number: u64 = newest.rsplit('/').next().unwrap().trim_end_matches(".json").parse().unwrap();
    lake.put(&format!("_sluice/leases/test/{:020}.json", number + 1), entry.to_string().into()).await.unwrap();
    tokio::task::block_in_place(|| {
        let output = running.output();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("it may have been made, or may yet be") && told.contains("was lost"), "{told}");
        drop(bucket);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_core_is_dumped() {
    let workspace = going_on_in("open");
    let mut running = workspace.start(&["run", "pipeline.toml"]);
    running.until("the plugin goes on and on", |running| running.told().contains("on and on"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let allowed: Vec<&str> = core.split_whitespace().skip(4).collect();
    assert_eq!(allowed, ["0", "0", "bytes"]);
    drop(running);
}

/// Where a source makes a run panic: a mistake in sluice.
#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    /// While the plan is made.
    Planning,
    /// While its records are read.
    Reader,
    /// While they are written: it gives batches of a strand that there is not.
    Worker,
}

struct Broken {
    inner: Arc<dyn Source>,
    breaks: Breaks,
}

struct BrokenReading {
    inner: Arc<dyn Reading>,
    breaks: Breaks,
}

#[async_trait]
impl Reading for BrokenReading {
    fn slice(&self) -> Option<Slice> {
        self.inner.slice()
    }

    fn worth(&self) -> u64 {
        self.inner.worth()
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }

    async fn read(&self, slice: Slice, deliveries: DeliverySender) -> Result<(), SourceError> {
        assert!(self.breaks != Breaks::Reader, "a reader that panics");
        let (sender, mut whole) = tokio::sync::mpsc::channel::<Delivery>(1);
        let other = async {
            while let Some(delivery) = whole.recv().await {
                drop(deliveries.send(delivery.of_strand(99)).await);
            }
        };
        tokio::join!(self.inner.read(slice, sender), other).0
    }

    async fn finish(&self) -> Result<Read, SourceError> {
        self.inner.finish().await
    }
}

#[async_trait]
impl Source for Broken {
    async fn streams(&self) -> Result<Vec<StreamInfo>, SourceError> {
        self.inner.streams().await
    }

    async fn schema(&self, stream: &StreamInfo) -> Result<Schema, SourceError> {
        assert!(self.breaks != Breaks::Planning, "a plan that panics");
        self.inner.schema(stream).await
    }

    async fn count(&self, _: &StreamInfo) -> Option<u64> {
        None
    }

    fn is_counted(&self, _: &StreamInfo) -> bool {
        false
    }

    async fn size(&self, _: &StreamInfo) -> Option<u64> {
        None
    }

    async fn price(&self, _: &ReadRequest, _: bool) -> Option<Price> {
        None
    }

    async fn quota(&self) -> Option<Quota> {
        None
    }

    async fn account(&self) -> Option<String> {
        None
    }

    fn needs(&self, _: &StreamInfo) -> Vec<String> {
        Vec::new()
    }

    async fn try_read(&self, request: &ReadRequest) -> Result<(), SourceError> {
        self.inner.try_read(request).await
    }

    fn open(&self, request: ReadRequest) -> Arc<dyn Reading> {
        Arc::new(BrokenReading { inner: self.inner.open(request), breaks: self.breaks })
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_still_releases_the_lease() {
    for breaks in [Breaks::Planning, Breaks::Reader, Breaks::Worker] {
        let workspace = tokio::task::spawn_blocking(Workspace::new).await.unwrap();
        let file = workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &workspace.file_sink()]);
        let pipeline = Pipeline::read(&file).unwrap();
        let plugins = pipeline.plugins().unwrap();
        let source = Arc::new(Broken { inner: pipeline.source(Patience::OfALook).unwrap(), breaks });
        let bucket = pipeline.bucket().await.unwrap();
        let run = Run {
            pipeline: &pipeline,
            source,
            plugins: &plugins,
            only: &[],
            bucket: &bucket,
            wait: Wait { span: Duration::ZERO, tell: &|_| {} },
            progress: &Arc::new(Progress::default()),
            shutdown: &Shutdown::new(),
        };
        let error = pipeline::run(run).await.unwrap_err();
        assert!(matches!(error, pipeline::Error::Panicked { may_have_committed: false }), "{error:?}");
        assert_eq!(error.exit_code(), 1);
        assert!(lease_is_free(&workspace));
        assert!(data_files(&workspace.path().join("tables")).is_empty());
        tokio::task::spawn_blocking(move || drop(workspace)).await.unwrap();
    }
}
