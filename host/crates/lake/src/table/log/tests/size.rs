//! Commits that are larger than any should be.

use super::*;

/// A change whose second table has this many megabytes of names.
fn heavy(megabytes: usize) -> Change {
    let mut change = change(&run(1), &["contacts", "deals"]);
    let deals = change.tables.get_mut("deals").unwrap();
    deals.streams[0].ids = vec!["x".repeat(1 << 20); megabytes];
    deals.columns[1].name = format!("property_{}", "y".repeat(1 << 20));
    change
}

#[tokio::test]
async fn a_commit_that_is_too_large_is_refused_before_it_is_put_and_says_what_weighs_most() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let error = CommitLog::of(&bucket).commit(None, heavy(80)).await.err().unwrap();
    let told = sluice_model::error_chain(&error);
    assert!(told.contains("`deals`") && !told.contains("`contacts`"), "{told}");
    assert!(told.contains("`property_yyyyy") && told.len() < 1000, "{told}");
    assert!(error.hint().is_some() && !error.may_have_been_made());
    assert_eq!(store.count(Call::PutIfAbsent), 0);
    assert_eq!(CommitLog::of(&bucket).latest().await.unwrap(), None);
    CommitLog::of(&bucket).commit(None, heavy(20)).await.unwrap();
}

#[tokio::test]
async fn of_many_tables_that_weigh_the_same_one_is_named() {
    let (bucket, _) = failing(|_, _, _| Fault::None);
    let names: Vec<String> = (0..40).map(|number| format!("table_{number}")).collect();
    let mut change = change(&run(1), &names.iter().map(String::as_str).collect::<Vec<_>>());
    for table in change.tables.values_mut() {
        table.columns[1].name = "y".repeat(2 << 20);
    }
    let error = CommitLog::of(&bucket).commit(None, change).await.err().unwrap();
    let told = sluice_model::error_chain(&error);
    assert_eq!(told.matches("`table_").count(), 1, "{told}");
}

#[tokio::test]
async fn a_commit_of_an_earlier_version_that_nobody_can_read_is_told_with_what_to_do() {
    let temporary = tempfile::tempdir().unwrap();
    let settings = crate::bucket::Settings::File { path: temporary.path().to_owned() };
    let log = CommitLog::of(&Bucket::open(&settings).await.unwrap());
    let first = log.commit(None, change(&run(1), &["contacts"])).await.unwrap();
    let key = "_sluice/commits/00000000000000000002.json";
    // Of holes alone: it takes no space.
    std::fs::File::create(temporary.path().join(key)).unwrap().set_len(608_000_000).unwrap();
    let error = log.latest().await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(error.to_string().contains(key) && hint.contains(key) && hint.contains("before it"), "{error}: {hint}");
    // What the hint says helps.
    std::fs::remove_file(temporary.path().join(key)).unwrap();
    assert_eq!(log.latest().await.unwrap(), Some(first));
}

#[tokio::test]
async fn a_commit_that_is_too_large_by_what_others_have_written_says_whose_it_is_and_what_helps() {
    let bucket = Bucket::memory();
    let log = CommitLog::of(&bucket);
    let first = log.commit(None, by("sales", heavy(20))).await.unwrap();
    // What an earlier version has made, which took more.
    let made_earlier = |mut commit: Commit| {
        commit.tables.get_mut("deals").unwrap().streams[0].ids = vec!["x".repeat(1 << 20); 80];
        commit
    };
    let base = made_earlier(first);
    let error = log.commit(Some(&base), change(&run(2), &["owners"])).await.unwrap_err();
    let told = sluice_model::error_chain(&error);
    assert!(told.contains("table `deals` of pipeline `sales` has 8"), "{told}");
    let hint = error.hint().unwrap();
    for word in ["pipeline `sales`", "`deals`", "`exclude`", "folder of its own"] {
        assert!(hint.contains(word), "{word}: {hint}");
    }
    assert!(!hint.contains("plugin"), "{hint}");
    // What the hint says helps: that pipeline retires the table.
    let retires =
        Change { retired: BTreeSet::from(["deals".to_owned()]), ..by("sales", change(&run(3), &["contacts"])) };
    let lighter = log.commit(Some(&base), retires).await.unwrap();
    log.commit(Some(&lighter), change(&run(4), &["owners"])).await.unwrap();
    // Of one's own table something else is said.
    let error = log.commit(Some(&lighter), heavy(80)).await.unwrap_err();
    let hint = error.hint().unwrap();
    for word in ["`deals`", "plugin", "`exclude`"] {
        assert!(hint.contains(word), "{word}: {hint}");
    }
    assert!(!hint.contains("sales"), "{hint}");
}
