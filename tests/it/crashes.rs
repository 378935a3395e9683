//! A run that fails or dies at each of its requests to the bucket in turn, and what is there afterwards.
//!
//! A clean run says which requests there are. Then, for each of them, over a bucket that is as it was: the request is
//! refused; its answer is lost; the run is killed when it has been answered. Whatever happens, readers see all old tables or
//! all new ones, and the next run succeeds and leaves no file that no commit lists. What else is seen is the table in
//! `ARCHITECTURE.md`, to the letter.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, iter,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::Output,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use sluice_simulator::{
    aws::{self, Fault, FaultAction, RequestRecord, Service},
    data, hubspot,
};

use crate::harness::{Workspace, data_files};

/// What a run asks of the bucket, step by step. The bucket holds two commits of both tables, a file that a dead run left, and
/// the lease of another pipeline, which is not at work.
/// The files of the first commit are in no other, so that no sweep is done before it has read all commits.
const STEPS: [(&str, &[&str]); 10] = [
    ("take the lease", &["list leases", "get lease", "put lease", "list leases", "put lease", "delete lease"]),
    ("read the newest commit", &["list commits", "get commit", "list leases"]),
    (
        "look for what dead runs left",
        &["get note", "list folders", "list table", "list table", "list kept", "list leases"],
    ),
    ("commit nothing, before removing it", &["put commit", "list commits"]),
    ("remove it", &["delete file", "put note"]),
    ("claim the tables", &["put lease", "list leases", "get lease"]),
    ("write the data files", &["put file", "put file"]),
    ("commit", &["put commit", "list commits"]),
    (
        "look again for what dead runs left",
        &["get note", "list folders", "list table", "list table", "list kept", "put note"],
    ),
    ("release the lease", &["put lease"]),
];

/// Runs at once: they wait for each other's answers most of the time.
const WORKERS: usize = 4;
/// The folder of the dead run's file.
const DEAD_RUN: &str = "pipeline=test/run=20990101T000000Z-00000001";

/// What happens to one request of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    /// It is refused.
    Denied,
    /// It is done, and the connection closed without an answer.
    AnswerLost,
    /// It is answered, and is the last thing that the run hears.
    Killed,
}

/// What is seen after a mishap.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The run's own end; `None` where it was killed.
    exit_code: Option<i32>,
    /// Whether the run's tables are there, and not those of the run before.
    is_new: bool,
    /// Files of the run that no commit lists.
    left: usize,
    is_lease_held: bool,
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.exit_code {
            write!(formatter, "exit code {code}, ")?;
        }
        formatter.write_str(if self.is_new { "new tables" } else { "old tables" })?;
        match self.left {
            0 => {}
            1 => formatter.write_str(", 1 file too many")?,
            more => write!(formatter, ", {more} files too many")?,
        }
        if self.is_lease_held { formatter.write_str(", lease held") } else { Ok(()) }
    }
}

/// A short name for a request.
fn name(request: &RequestRecord) -> String {
    let key = request.key.strip_prefix("crm/").unwrap_or(&request.key);
    let method = request.method.as_str().to_lowercase();
    if key.is_empty() {
        let what = match () {
            () if request.query.contains("_sluice%2Fleases%2F") => "leases",
            () if request.query.contains("_sluice%2Fcommits%2F") => "commits",
            () if request.query.contains("_sluice%2Fkept%2F") => "kept",
            () if request.query.contains("delimiter=") => "folders",
            () => "table",
        };
        return format!("list {what}");
    }
    let what = match key.strip_prefix("_sluice/") {
        Some("swept/test.json") => "note",
        Some(own) if own.starts_with("leases/") => "lease",
        Some(own) if own.starts_with("commits/") => "commit",
        Some(_) => key,
        None => "file",
    };
    format!("{method} {what}")
}

/// The requests to the bucket so far; those to STS are not counted.
fn to_bucket(workspace: &Workspace) -> Vec<RequestRecord> {
    workspace.aws.requests().into_iter().filter(|request| request.service == Service::S3).collect()
}

/// A bucket as it is before the run.
struct Before {
    workspace: Workspace,
    commit: serde_json::Value,
    /// Those of both commits, and that of the dead run.
    files: BTreeSet<String>,
}

impl Before {
    fn new() -> Self {
        let workspace = small();
        for _ in 0..2 {
            let output = workspace.sluice(&["run", "pipeline.toml"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let dead = bucket(&workspace).join("objects_companies").join(DEAD_RUN);
        fs::create_dir_all(&dead).unwrap();
        fs::write(dead.join("part-00000.parquet"), "rows").unwrap();
        let leases = bucket(&workspace).join("_sluice/leases");
        let (entry, mut other) = newest_lease(&workspace);
        other["pipeline"] = "other".into();
        other["tables"] = serde_json::json!(["owners"]);
        fs::create_dir(leases.join("other")).unwrap();
        fs::write(leases.join("other").join(entry.file_name().unwrap()), other.to_string()).unwrap();
        let (commit, files) = (workspace.commit(), data_files(&bucket(&workspace)).into_iter().collect());
        Self { workspace, commit, files }
    }
}

/// Simulated ends without faults over a copy of the bucket of others.
fn over_the_bucket_of(other: &Workspace) -> Workspace {
    let workspace = small();
    copy(&bucket(other), &bucket(&workspace));
    workspace
}

fn bucket(workspace: &Workspace) -> PathBuf {
    workspace.path().join("s3/bucket/crm")
}

/// Two tables of a few rows, one after the other, so that requests always come in the same order.
fn small() -> Workspace {
    let data = data::Options { contacts: 50, ..data::Options::default() };
    let workspace = Workspace::with(hubspot::Options { data, ..hubspot::Options::default() }, aws::Options::default());
    workspace.pipeline(&[
        &workspace.source("streams = [\"companies\", \"owners\"]"),
        &workspace.s3_sink("external_id = \"sluice-external-id\"", ""),
        "[run]\nstreams_at_once = 1\n",
    ]);
    workspace
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs with a mishap at one of the requests, by its number counted from 0. Gives what the run says at its end, if it has one.
fn run_with(workspace: &Workspace, mishap: Mishap, requests: &[RequestRecord], index: usize) -> Option<Output> {
    let (this, next) = (index as u64 + 1, index as u64 + 2);
    let fault = |nth, action| Fault { service: Service::S3, method: None, target_contains: String::new(), nth, action };
    let request = &requests[index];
    workspace.aws.add_fault(match mishap {
        // What may not be read is asked for once more, where a list shows it.
        Mishap::Denied if request.method == http::Method::GET && !request.key.is_empty() => {
            let is_like_it = |other: &&RequestRecord| other.method == request.method && other.key == request.key;
            let this = requests[..=index].iter().filter(is_like_it).count() as u64;
            Fault {
                method: Some(request.method.clone()),
                target_contains: request.key.clone(),
                ..fault(this..=u64::MAX, FaultAction::AccessDenied)
            }
        }
        Mishap::Denied => fault(this..=this, FaultAction::AccessDenied),
        Mishap::AnswerLost => fault(this..=this, FaultAction::CutAfterwards),
        // Nothing that it asks for after this one is heard, so that it does not matter when exactly it dies.
        Mishap::Killed => fault(next..=u64::MAX, FaultAction::Cut),
    });
    let mut running = workspace.start(&["run", "pipeline.toml"]);
    if mishap != Mishap::Killed {
        return Some(running.output());
    }
    running.until("the request after which it is killed", |_| to_bucket(workspace).len() as u64 >= next);
    assert!(!running.kill().success());
    None
}

/// The entry of the lease that counts.
fn newest_lease(workspace: &Workspace) -> (PathBuf, serde_json::Value) {
    let entries = fs::read_dir(bucket(workspace).join("_sluice/leases/test")).unwrap();
    let newest = entries.map(|entry| entry.unwrap().path()).max().unwrap();
    let entry = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    (newest, entry)
}

/// The runs that wrote the tables of a commit.
fn runs(commit: &serde_json::Value) -> BTreeSet<&str> {
    commit["tables"].as_array().unwrap().iter().map(|table| table["run"].as_str().unwrap()).collect()
}

/// What is there after a mishap; fails unless the tables are all of one run, with their files, and the next run leaves nothing
/// that no commit lists.
fn after(before: &Before, workspace: &Workspace, exit_code: Option<i32>) -> Seen {
    let workspace = over_the_bucket_of(workspace);
    let commit = workspace.commit();
    assert_eq!(commit["tables"].as_array().unwrap().len(), 2, "{commit}");
    assert_eq!(runs(&commit).len(), 1, "tables of different runs: {commit}");
    let listed: BTreeSet<String> = workspace.listed_files().into_iter().collect();
    let there: BTreeSet<String> = data_files(&bucket(&workspace)).into_iter().collect();
    assert!(listed.is_subset(&there), "{listed:?} are listed, and only {there:?} are there");
    let (path, mut lease) = newest_lease(&workspace);
    let seen = Seen {
        exit_code,
        is_new: runs(&commit) != runs(&before.commit),
        left: there.iter().filter(|file| !listed.contains(*file) && !before.files.contains(*file)).count(),
        is_lease_held: lease["released"] == false,
    };
    if seen.is_lease_held {
        // Its time passes.
        lease["taken"] = "2020-01-01T00:00:00Z".into();
        lease["ends"] = "2020-01-01T00:01:00Z".into();
        fs::write(path, lease.to_string()).unwrap();
    }
    let output = workspace.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_of_a_commit = |file: &&String| !file.contains(DEAD_RUN);
    let files_of_commits = [Vec::from_iter(listed), workspace.listed_files()].concat();
    let files_of_commits: BTreeSet<&String> =
        before.files.iter().filter(is_of_a_commit).chain(&files_of_commits).collect();
    assert_eq!(
        data_files(&bucket(&workspace)),
        files_of_commits.into_iter().cloned().collect::<Vec<_>>(),
        "all is listed by some commit"
    );
    assert_eq!(newest_lease(&workspace).1["released"], true);
    seen
}

/// A refusal is told with its object and what mends it, or is a warning where the run goes on.
fn assert_told(request: &RequestRecord, output: &Output) {
    let told = String::from_utf8_lossy(&output.stderr);
    let refused = format!("is not allowed on `s3://bucket/{}", request.key);
    let (expected, also) = match (output.status.code(), name(request).as_str()) {
        // An old entry of the lease that stays is no matter for anybody.
        (Some(0), "delete lease") => ("", ""),
        // A run that cannot look at the lease removes nothing.
        (Some(0), "list leases") => (" WARN ", "the lease is not certain to be this run's"),
        (Some(0), _) => (" WARN ", refused.as_str()),
        _ => ("\nhint: ", refused.as_str()),
    };
    assert!(told.contains(expected) && told.contains(also), "{request:?}: {told}");
    assert_eq!(told.contains(" WARN "), expected == " WARN ", "{request:?}: {told}");
}

/// What is seen after a mishap at one request.
fn at(before: &Before, requests: &[RequestRecord], index: usize, mishap: Mishap) -> Seen {
    let workspace = over_the_bucket_of(&before.workspace);
    let output = run_with(&workspace, mishap, requests, index);
    let status = if mishap == Mishap::Denied { Some(403) } else { None };
    let requests_made = to_bucket(&workspace);
    let struck = requests_made.iter().find(|request| request.status == status).unwrap();
    if mishap != Mishap::Killed {
        assert_eq!(name(struck), name(&requests[index]), "request {index} is another one");
    }
    if let (Mishap::Denied, Some(output)) = (mishap, &output) {
        assert_told(struck, output);
    }
    after(before, &workspace, output.and_then(|output| output.status.code()))
}

/// The cells of the table for one request. What is not as it must be under all mishaps has been told, and is `FAILS`.
fn cells(before: &Before, requests: &[RequestRecord], index: usize) -> [String; 3] {
    [Mishap::Denied, Mishap::AnswerLost, Mishap::Killed].map(|mishap| {
        if mishap == Mishap::Killed && index + 1 == requests.len() {
            return "–".to_owned();
        }
        let seen = panic::catch_unwind(AssertUnwindSafe(|| at(before, requests, index, mishap)));
        seen.map_or_else(|_| "FAILS".to_owned(), |seen| seen.to_string())
    })
}

/// The table: the requests of a step with the same consequences are one line.
fn table(cells: impl Iterator<Item = [String; 3]>) -> String {
    let requests = STEPS.iter().flat_map(|(step, requests)| requests.iter().map(move |request| (*step, *request)));
    let mut rows: Vec<(&str, Vec<&str>, [String; 3])> = Vec::new();
    for ((step, request), cells) in requests.zip(cells) {
        match rows.last_mut() {
            Some((last, requests, the_same)) if *last == step && *the_same == cells => requests.push(request),
            _ => rows.push((step, vec![request], cells)),
        }
    }
    let head = "| Step | Request | Denied | Answer lost | Killed after it |\n|---|---|---|---|---|".to_owned();
    let rows = rows.into_iter().map(|(step, mut requests, cells)| {
        requests.dedup();
        format!("| {step} | {} | {} |", requests.join(", "), cells.join(" | "))
    });
    iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}

#[test]
fn at_whatever_request_a_run_fails_or_dies_the_tables_are_of_one_run_and_the_next_run_tidies_up() {
    let before = Before::new();
    let clean = over_the_bucket_of(&before.workspace);
    let output = clean.sluice(&["run", "pipeline.toml"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let requests = to_bucket(&clean);
    let names: Vec<String> = requests.iter().map(name).collect();
    assert_eq!(names, STEPS.map(|(_, requests)| requests).concat(), "the requests of a run have changed: so has STEPS");

    let next = AtomicUsize::new(0);
    let cells: BTreeMap<usize, [String; 3]> = thread::scope(|scope| {
        let work = || {
            let indexes = iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            let indexes = indexes.take_while(|index| *index < requests.len());
            indexes.map(|index| (index, cells(&before, &requests, index))).collect::<Vec<_>>()
        };
        let workers = [(); WORKERS].map(|()| scope.spawn(work));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let table = table(cells.into_values());
    let documented = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    assert!(
        documented.contains(&format!("\n\n{table}\n\n")),
        "ARCHITECTURE.md shows another table than this:\n{table}"
    );
}
