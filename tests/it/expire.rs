//! How long data is kept: `[sink] keep` in a run, and `sluice expire`.

use std::fs;

use serde_json::Value;
use sluice_simulator::aws::{Fault, FaultAction, Service};

use crate::harness::{Workspace, data_files};

/// A folder with this many commits of two tables, all but the newest made two months ago; the first also has a table that the
/// others have retired.
fn of_commits(workspace: &Workspace, number: u64) {
    for made in 1..=number {
        let streams = if made == 1 { "[\"companies\", \"owners\", \"teams\"]" } else { "[\"companies\", \"owners\"]" };
        workspace.pipeline(&[&workspace.source(&format!("streams = {streams}")), &workspace.file_sink()]);
        workspace.run(0);
    }
    for made in 1..number {
        grows_old(workspace, made);
    }
}

fn entry(workspace: &Workspace, number: u64) -> std::path::PathBuf {
    workspace.path().join(format!("tables/_sluice/commits/{number:020}.json"))
}

fn grows_old(workspace: &Workspace, number: u64) {
    let mut stored: Value = serde_json::from_slice(&fs::read(entry(workspace, number)).unwrap()).unwrap();
    let now: jiff::Timestamp = stored["committed"].as_str().unwrap().parse().unwrap();
    stored["committed"] = (now - jiff::SignedDuration::from_hours(60 * 24)).to_string().into();
    fs::write(entry(workspace, number), stored.to_string()).unwrap();
}

fn numbers(workspace: &Workspace) -> Vec<u64> {
    let entries = fs::read_dir(workspace.path().join("tables/_sluice/commits")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<u64> = names.map(|name| name.trim_end_matches(".json").parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn files(workspace: &Workspace) -> usize {
    data_files(&workspace.path().join("tables")).len()
}

#[test]
fn a_run_removes_what_its_file_keeps_no_longer() {
    let workspace = Workspace::new();
    of_commits(&workspace, 3);
    assert_eq!((numbers(&workspace), files(&workspace)), (vec![1, 2, 3], 7));
    assert_eq!(workspace.report()["expired"], Value::Null, "without `keep` nothing expires");

    // The second was the newest until a moment ago, so it stays; the first goes with its three files.
    let sink = workspace.file_sink() + "keep = \"30d\"\n";
    workspace.pipeline(&[&workspace.source("streams = [\"companies\", \"owners\"]"), &sink]);
    let told = workspace.run(0);
    assert!(told.contains("gone, since the pipeline file keeps them no longer: 1 commit and 3 files ("), "{told}");
    let report = workspace.report();
    assert_eq!((&report["expired"]["commits"], &report["expired"]["files"]), (&1.into(), &3.into()), "{report}");
    assert!(report["expired"]["bytes"].as_u64().unwrap() > 1000, "{report}");
    assert_eq!((numbers(&workspace), files(&workspace)), (vec![2, 3, 4], 6));
    let listed = workspace.listed_files();
    let there = data_files(&workspace.path().join("tables"));
    assert!(listed.iter().all(|file| there.contains(file)));
    assert!(!workspace.path().join("tables/teams").exists(), "the retired table is gone");

    // Nothing is said where nothing goes; and what cannot be read is a warning.
    let told = workspace.run(0);
    assert!(!told.contains("gone"), "{told}");
    fs::write(entry(&workspace, 2), "{").unwrap();
    let told = workspace.run(0);
    assert!(told.contains("not all that is too old could be removed; the next run tries again"), "{told}");
    assert!(told.contains("commit `_sluice/commits/00000000000000000002.json`"), "{told}");
}

#[test]
fn commits_are_expired_from_the_command_line() {
    let workspace = Workspace::new();
    of_commits(&workspace, 4);
    let told = workspace.told(&["expire", "pipeline.toml"]);
    assert!(told.starts_with("exit code 2\nerror: nothing says how long commits are kept"), "{told}");
    for span in ["23h", "soon"] {
        let told = workspace.told(&["expire", "pipeline.toml", "--keep", span]);
        assert!(told.starts_with("exit code 2\n") && told.contains("write a span of a day or more"), "{told}");
    }
    let told = workspace.told(&["expire", "pipeline.toml", "--keep", "90d"]);
    assert!(told.starts_with("exit code 0\n0 commits and 0 files (0 B) went from file://"), "{told}");
    assert_eq!(numbers(&workspace), [1, 2, 3, 4]);

    let told = workspace.told(&["expire", "pipeline.toml", "--keep", "30d"]);
    assert!(told.starts_with("exit code 0\n2 commits and 5 files ("), "{told}");
    assert!(told.ends_with("; the oldest commit is 3 now\n"), "{told}");
    assert_eq!((numbers(&workspace), files(&workspace)), (vec![3, 4], 4));

    // What the file says holds where the line says nothing.
    grows_old(&workspace, 4);
    let sink = workspace.file_sink() + "keep = \"30d\"\n";
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    let output = workspace.sluice(&["expire", "pipeline.toml", "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["expired"]["commits"], &json["oldest_commit"]), (&1.into(), &4.into()), "{json}");
    assert_eq!((numbers(&workspace), files(&workspace)), (vec![4], 2));
    assert_eq!(workspace.listed_files().len(), 2);
}

#[test]
fn what_a_role_may_not_remove_is_told_and_stays_with_its_commit() {
    let workspace = Workspace::new();
    let sink = workspace.s3_sink("external_id = \"sluice-external-id\"", "keep = \"1d\"");
    workspace.pipeline(&[&workspace.source("streams = [\"owners\"]"), &sink]);
    for _ in 0..2 {
        workspace.run(0);
    }
    let commits = workspace.path().join("s3/bucket/crm/_sluice/commits");
    for number in 1..=2 {
        let path = commits.join(format!("{number:020}.json"));
        let mut stored: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        stored["committed"] = "2026-01-01T00:00:00Z".into();
        fs::write(path, stored.to_string()).unwrap();
    }
    workspace.aws.add_fault(Fault {
        service: Service::S3,
        method: Some(http::Method::DELETE),
        target_contains: "part-".to_owned(),
        nth: 1..=1,
        action: FaultAction::AccessDenied,
    });
    let told = workspace.told(&["expire", "pipeline.toml"]);
    assert!(told.starts_with("exit code 2\n0 commits and 0 files (0 B) went from s3://bucket/crm"), "{told}");
    assert!(told.contains("`s3:DeleteObject` is not allowed on `s3://bucket/crm/owners/"), "{told}");
    assert!(told.contains("\nhint: a policy of the identity must allow"), "{told}");
    assert_eq!(fs::read_dir(&commits).unwrap().count(), 2);
    // Once it may, the rest goes.
    let told = workspace.told(&["expire", "pipeline.toml"]);
    assert!(told.starts_with("exit code 0\n1 commit and 1 file ("), "{told}");
    assert_eq!(fs::read_dir(&commits).unwrap().count(), 1);
    workspace.run(0);
}
