//! Runs under each fault at each request to S3.
//!
//! A good run comes first, and each case begins with a copy of what it has left. Then the next run meets one fault, and either
//! ends well with the tables that the account holds, or fails, says where, and leaves commit and tables byte for byte as they
//! were. Whatever passes by itself (a cut, a reset, an answer that asks to come again) it must outlive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Output,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use sluice_lake::bucket::{Bucket, PART_SIZE, S3Settings};
use sluice_simulator::data;

use crate::{
    portal::Portal,
    proxy::{Action, Answer, Fault, Proxy, Seen},
    seaweed::SEAWEED,
    tables::Tables,
};

/// Runs at once: they wait for pauses most of the time.
const WORKERS: usize = 4;
/// Longer than any answer of a server on this machine, shorter than any patience.
const LATE: Duration = Duration::from_secs(1);
/// How long a run may take that S3 never lets write: a request is tried again for three minutes at most.
const PATIENT: Duration = Duration::from_mins(5);

/// A kind of request.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    method: &'static str,
    /// Stands in the path and query of all of the kind, and of no others; `FOLDER` is that of the tables.
    target: &'static str,
}

const fn kind(name: &'static str, method: &'static str, target: &'static str) -> Kind {
    Kind { name, method, target }
}

impl Kind {
    fn target(&self, folder: &str) -> String {
        self.target.replace("FOLDER", folder)
    }

    /// Whether a request of a run into this folder is of the kind.
    fn has(&self, folder: &str, request: &Seen) -> bool {
        request.method == self.method && request.target.contains(&self.target(folder))
    }
}

/// All that a run asks for where files are of one part.
const KINDS: [Kind; 14] = [
    kind("list-leases", "GET", "prefix=FOLDER%2F_sluice%2Fleases"),
    kind("get-lease", "GET", "/_sluice/leases/"),
    kind("put-lease", "PUT", "/_sluice/leases/"),
    kind("delete-lease", "DELETE", "/_sluice/leases/"),
    kind("list-commits", "GET", "prefix=FOLDER%2F_sluice%2Fcommits"),
    kind("get-commit", "GET", "/_sluice/commits/"),
    kind("put-commit", "PUT", "/_sluice/commits/"),
    kind("list-kept", "GET", "prefix=FOLDER%2F_sluice%2Fkept"),
    kind("list-folders", "GET", "delimiter="),
    kind("list-contacts", "GET", "prefix=FOLDER%2Fobjects_contacts"),
    kind("list-companies", "GET", "prefix=FOLDER%2Fobjects_companies"),
    kind("get-note", "GET", "/_sluice/swept/"),
    kind("put-note", "PUT", "/_sluice/swept/"),
    kind("put-file", "PUT", ".parquet"),
];

/// What it asks for instead of a `put-file` where a file has more than one part.
const KINDS_OF_PARTS: [Kind; 3] = [
    kind("begin-upload", "POST", ".parquet?uploads"),
    kind("put-part", "PUT", ".parquet?partNumber="),
    kind("complete-upload", "POST", ".parquet?uploadId="),
];

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
struct Mishap {
    name: &'static str,
    action: Action,
    /// Whether it is over when the request is sent again.
    passes: bool,
}

const fn passing(name: &'static str, action: Action) -> Mishap {
    Mishap { name, action, passes: true }
}

const fn lasting(name: &'static str, action: Action) -> Mishap {
    Mishap { name, action, passes: false }
}

/// What may happen to any request.
const MISHAPS: [Mishap; 11] = [
    passing("late", Action::Delay(LATE)),
    passing("cut-before", Action::CutBefore),
    passing("cut-after", Action::CutAfter),
    passing("half-an-answer", Action::CutAnswer),
    passing("reset-before", Action::ResetBefore),
    passing("reset-after", Action::ResetAfter),
    passing("slow-down", Action::Answer(Answer::SlowDown)),
    passing("error-before", Action::Answer(Answer::InternalError)),
    passing("error-after", Action::AnswerAfter(Answer::InternalError)),
    lasting("denied", Action::Answer(Answer::AccessDenied)),
    // S3 does not do so, but something in between may.
    lasting("denied-after", Action::AnswerAfter(Answer::AccessDenied)),
];
/// What may happen besides to a conditional write.
const OF_CONDITIONAL_WRITES: [Mishap; 2] = [
    passing("conflict-before", Action::Answer(Answer::Conflict)),
    passing("conflict-after", Action::AnswerAfter(Answer::Conflict)),
];

/// A mishap at one request.
struct Case {
    kind: Kind,
    /// Which of the kind, counted from 0.
    number: u64,
    mishap: Mishap,
}

impl Case {
    fn name(&self) -> String {
        format!("{}-{}-{}", self.kind.name, self.number, self.mishap.name)
    }

    fn fault(&self, folder: &str) -> Fault {
        let nth = self.number..self.number + 1;
        Fault { method: self.kind.method, target: self.kind.target(folder), nth, action: self.mishap.action }
    }

    fn must_end_well(&self) -> bool {
        self.mishap.passes
    }
}

/// The mishaps of each request of these kinds that a run makes which nothing happens to.
fn cases(kinds: &[Kind], clean: &Clean) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in kinds {
        let of_kind: Vec<&Seen> = clean.requests.iter().filter(|request| kind.has(&clean.folder, request)).collect();
        assert!(!of_kind.is_empty(), "no request is a {}: {:?}", kind.name, clean.requests);
        for (number, request) in (0..).zip(of_kind) {
            let conditional = if request.is_conditional { &OF_CONDITIONAL_WRITES[..] } else { &[] };
            let mishaps = MISHAPS.iter().chain(conditional);
            cases.extend(mishaps.map(|mishap| Case { kind: *kind, number, mishap: *mishap }));
        }
    }
    cases
}

/// A run that nothing happens to.
struct Clean {
    folder: String,
    requests: Vec<Seen>,
}

/// What a good run has left, and what is expected of others.
struct Before {
    portal: Portal,
    lines: &'static str,
    folder: &'static str,
    tables: Tables,
}

impl Before {
    fn new(folder: &'static str, portal: Portal, lines: &'static str) -> Self {
        portal.run_well(folder, &SEAWEED.settings(folder), lines);
        let tables = portal.runtime.block_on(async { Tables::of(&SEAWEED.open(folder).await).await });
        portal.assert_true(&tables);
        Self { portal, lines, folder, tables }
    }

    fn clean(&self) -> Clean {
        let folder = format!("{}-clean", self.folder);
        let (_, proxy) = self.prepare(&folder, None);
        self.portal.run_well(&folder, &through(&proxy, &folder), self.lines);
        Clean { requests: proxy.requests(), folder }
    }

    /// A folder with a copy of all that the good run has left, and a proxy on the way to it.
    fn prepare(&self, folder: &str, fault: Option<Fault>) -> (Bucket, Proxy) {
        self.portal.runtime.block_on(async {
            let (from, to) = (SEAWEED.open(self.folder).await, SEAWEED.open(folder).await);
            for entry in from.list("").await.unwrap() {
                to.put(&entry.key, from.get(&entry.key).await.unwrap().unwrap()).await.unwrap();
            }
            (to, Proxy::start(SEAWEED.address, fault).await)
        })
    }

    /// Runs with a mishap, and looks at what is there afterwards. Gives what the run said if it failed.
    fn under(&self, case: &Case) -> Result<(), String> {
        let folder = format!("{}-{}", self.folder, case.name());
        let (bucket, proxy) = self.prepare(&folder, Some(case.fault(&folder)));
        let output = self.portal.run(&folder, &through(&proxy, &folder), self.lines);
        assert_eq!(proxy.struck(), 1, "{folder}: {:?}", proxy.requests());
        self.outcome(&folder, &bucket, &output)
    }

    /// What is there after a run: all that is new, or all that was. Gives what the run said if it failed.
    fn outcome(&self, folder: &str, bucket: &Bucket, output: &Output) -> Result<(), String> {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let tables = self.portal.runtime.block_on(Tables::of(bucket));
        match output.status.code() {
            Some(0) => {
                assert_eq!(tables.commit, self.tables.commit + 1, "{folder}: {told}");
                assert!(tables.rows() == self.tables.rows(), "{folder}: other rows: {told}");
                self.portal.assert_true(&tables);
                Ok(())
            }
            // It may not see whether what it has committed counts, and says so.
            Some(1 | 2) if told.contains(" was made, and it could not be seen whether it counts") => {
                assert_eq!(tables.commit, self.tables.commit + 1, "{folder}: {told}");
                self.portal.assert_true(&tables);
                Err(told)
            }
            Some(1 | 2) => {
                assert!(tables == self.tables, "{folder}: other tables: {told}");
                assert!(told.contains(&format!("s3://bucket/{folder}")), "{folder}: no place is named: {told}");
                Err(told)
            }
            code => panic!("{folder}: {code:?}: {told}"),
        }
    }
}

fn through(proxy: &Proxy, folder: &str) -> S3Settings {
    S3Settings { endpoint: Some(proxy.endpoint().parse().unwrap()), ..SEAWEED.settings(folder) }
}

/// Runs cases, some at a time, and tells all that are not as they must be.
fn run_all(before: &Before, cases: &[Case]) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            match catch_unwind(AssertUnwindSafe(|| before.under(case))) {
                Ok(Err(told)) if case.must_end_well() => wrong.push(format!("{} fails: {told}", case.name())),
                Ok(Ok(()) | Err(_)) => {}
                Err(_) => wrong.push(format!("{} is wrong, as told above", case.name())),
            }
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn a_run_outlives_what_passes_and_leaves_all_as_it_was_where_it_fails() {
    let before = Before::new("small", Portal::small(), "");
    let clean = before.clean();
    for request in &clean.requests {
        let of = KINDS.iter().filter(|kind| kind.has(&clean.folder, request)).count();
        assert_eq!(of, 1, "{request:?} is not of one kind");
    }
    run_all(&before, &cases(&KINDS, &clean));
}

/// Files of more than a part: rows that are not compressed, and many.
#[test]
fn so_it_is_where_files_are_sent_in_parts() {
    let data = data::Options { contacts: 5_000, extra_properties: 300, ..data::Options::default() };
    let before = Before::new("large", Portal::new(data), "compression = \"none\"\nrow_group_rows = 1000\n");
    assert!(before.tables.largest() > PART_SIZE, "{}", before.tables.largest());
    // What becomes of one part becomes of any.
    let mut cases = cases(&KINDS_OF_PARTS, &before.clean());
    cases.retain(|case| case.number == 0);
    run_all(&before, &cases);
}

/// The digests that sluice declares are of what it meant to send: a store that has got something else refuses it.
#[test]
fn a_byte_that_changes_on_the_way_is_noticed() {
    let before = Before::new("garbled", Portal::small(), "");
    for (name, target) in [("lease", "/_sluice/leases/"), ("file", ".parquet"), ("commit", "/_sluice/commits/")] {
        let folder = format!("garbled-{name}");
        let fault = Fault { method: "PUT", target: target.to_owned(), nth: 0..1, action: Action::Garble };
        let (bucket, proxy) = before.prepare(&folder, Some(fault));
        let output = before.portal.run(&folder, &through(&proxy, &folder), "");
        let told = before.outcome(&folder, &bucket, &output).unwrap_err();
        assert!(told.contains("S3 answered 400 `BadDigest`"), "{told}");
    }
}

/// Of a commit that others are always said to be making, nobody knows whose it is.
#[test]
fn a_commit_that_always_meets_another_is_given_up() {
    let before = Before::new("contested", Portal::small(), "");
    let fault = Fault {
        method: "PUT",
        target: "/_sluice/commits/".to_owned(),
        nth: 0..u64::MAX,
        action: Action::Answer(Answer::Conflict),
    };
    let (bucket, proxy) = before.prepare("contested-always", Some(fault));
    let output = before.portal.run("contested-always", &through(&proxy, "contested-always"), "");
    let told = before.outcome("contested-always", &bucket, &output).unwrap_err();
    assert!(told.contains("other requests for it were under way"), "{told}");
}

/// S3 asks to slow down, however often it is asked.
#[test]
fn a_store_that_never_takes_a_file_is_given_up() {
    let before = Before::new("slow", Portal::small(), "");
    let fault = Fault {
        method: "PUT",
        target: ".parquet".to_owned(),
        nth: 0..u64::MAX,
        action: Action::Answer(Answer::SlowDown),
    };
    let (bucket, proxy) = before.prepare("slow-always", Some(fault));
    let output = before.portal.run_for(PATIENT, "slow-always", &through(&proxy, "slow-always"), "");
    let told = before.outcome("slow-always", &bucket, &output).unwrap_err();
    assert!(told.contains("S3 answered 503 `SlowDown`"), "{told}");
}
