//! Pipelines that share a folder: none is in another's way, unless their tables meet.

use std::{collections::BTreeMap, fs};

use sluice_lake::{
    bucket::{Bucket, Settings},
    table::{Commit, CommitLog, Commits},
};
use sluice_simulator::{
    aws, data,
    hubspot::{self, FaultAction},
};

use crate::harness::{Workspace, data_files, is_page, on_records, portal};

/// How often the two pipelines run at once.
const ROUNDS: u64 = 100;

/// Writes the file of a pipeline of this name and stream into the folder of all.
fn pipeline(workspace: &Workspace, name: &str, stream: &str) {
    let source = workspace.source(&format!("streams = [\"{stream}\"]\nrequests_per_10s = 10000"));
    let sections = [source, workspace.file_sink()].join("\n");
    workspace.write(&format!("{name}.toml"), format!("pipeline = \"{name}\"\n{sections}"));
}

/// The newest commit of the folder.
fn newest(workspace: &Workspace) -> Commit {
    let settings = Settings::File { path: workspace.path().join("tables") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = async {
        let bucket = Bucket::open_existing(&settings).await.unwrap();
        CommitLog::of(&bucket).latest().await.unwrap().unwrap()
    };
    runtime.block_on(read)
}

#[test]
fn two_pipelines_on_one_folder_a_hundred_times_both_succeed_and_both_tables_are_whole() {
    let data = data::Options { contacts: 20, ..data::Options::default() };
    let options = hubspot::Options { data, requests_per_10s: 10_000, ..portal() };
    let workspace = Workspace::with(options, aws::Options::default());
    let pipelines = [("first", "contacts", "objects_contacts"), ("second", "owners", "owners")];
    for (name, stream, _) in pipelines {
        pipeline(&workspace, name, stream);
    }
    let mut rows = BTreeMap::new();
    for round in 1..=ROUNDS {
        let running = pipelines.map(|(name, _, _)| workspace.start(&["run", &format!("{name}.toml"), "--quiet"]));
        for (running, (name, ..)) in running.into_iter().zip(pipelines) {
            let output = running.output();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && told.is_empty(), "round {round}, {name}: {told}");
        }
        let commit = newest(&workspace);
        assert_eq!(commit.number, 2 * round);
        let there = data_files(&workspace.path().join("tables"));
        assert_eq!(there.len() as u64, 2 * round, "each run has left its file, and nothing else");
        for (name, _, table) in pipelines {
            let listed = &commit.tables[table];
            assert_eq!((listed.pipeline.as_str(), listed.files.len()), (name, 1));
            assert!(there.contains(&listed.files[0].key), "round {round}: {}", listed.files[0].key);
            assert_eq!(*rows.entry(table).or_insert(listed.rows()), listed.rows(), "round {round}: {table}");
        }
        // Each table is of this round's run: nobody's commit has been overwritten by another's.
        let entries = fs::read_dir(workspace.path().join("tables/_sluice/commits")).unwrap().count() as u64;
        assert_eq!(entries, 2 * round);
        let last_two: Vec<_> = commit.tables.values().map(|table| table.run.clone()).collect();
        assert!(last_two.contains(&commit.author.run) && last_two[0] != last_two[1], "round {round}: {last_two:?}");
    }
    assert!(rows["objects_contacts"] > 0 && rows["owners"] > 0, "{rows:?}");
}

#[test]
fn two_pipelines_whose_tables_meet_are_refused_before_anything_is_read() {
    // The first look is answered, so that the first pipeline hangs when it reads.
    let hang = on_records("0-1", 1..2, FaultAction::Hang);
    let workspace = Workspace::with(hubspot::Options { faults: vec![hang], ..portal() }, aws::Options::default());
    pipeline(&workspace, "first", "contacts");
    pipeline(&workspace, "second", "contacts");
    pipeline(&workspace, "third", "owners");
    let pages = || workspace.hubspot.requests().iter().filter(|request| is_page(request)).count();
    let mut first = workspace.start(&["run", "first.toml", "--quiet"]);
    first.until("it reads", |_| pages() > 0);
    let before = pages();

    // Neither has committed anything: only the claim of the first tells.
    let refused = workspace.sluice(&["run", "second.toml"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("table `objects_contacts` of pipeline `second` is about to be written by run `"), "{told}");
    assert!(told.contains("of pipeline `first`, too: process ") && told.contains("hint: give each pipeline"), "{told}");
    assert_eq!(pages(), before, "it is refused before a record is read");
    assert!(!workspace.path().join("tables/objects_contacts/pipeline=second").exists());

    // One whose tables are its own is not in the way, nor is the first in its.
    let third = workspace.sluice(&["run", "third.toml"]);
    assert!(third.status.success(), "{}", String::from_utf8_lossy(&third.stderr));
    assert!(!first.kill().success());

    // Once it is committed, the commit tells.
    fs::remove_dir_all(workspace.path().join("tables/_sluice/leases/first")).unwrap();
    let first = workspace.sluice(&["run", "first.toml"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let refused = workspace.sluice(&["run", "second.toml"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("`objects_contacts` belongs to pipeline `first`"), "{told}");
}
