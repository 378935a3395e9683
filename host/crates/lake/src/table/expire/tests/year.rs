//! A year of nightly runs, with expiry after each, and readers all the time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use super::*;
use crate::{
    bucket::{Settings, failing::over},
    table::sweep::sweep_after,
};

/// How long commits are kept.
const KEEP: Duration = Duration::from_hours(30 * 24);
/// From this night on the bucket does not grow.
const FULL: i64 = 60;
const YEAR: i64 = 365;
/// The night at which a table is retired.
const RETIRES: i64 = 150;

/// What is in the bucket, and who reads what.
#[derive(Default)]
struct World {
    now: Timestamp,
    objects: BTreeSet<String>,
    /// The newest commits as readers took them: when they were last the newest, and the files that they list.
    taken: VecDeque<(Timestamp, BTreeSet<String>)>,
    removals: u64,
}

impl World {
    /// A request is about to take effect. Whatever readers hold is there when it has.
    fn hear(&mut self, call: Call, path: &str) {
        match call {
            Call::Put | Call::PutIfAbsent => {
                self.objects.insert(path.to_owned());
            }
            Call::Delete => {
                self.objects.remove(path);
                self.removals += 1;
                for (until, files) in &self.taken {
                    let gone: Vec<_> = files.difference(&self.objects).collect();
                    assert!(gone.is_empty(), "{path} went, and who read until {until} lacks {gone:?} at {}", self.now);
                }
            }
            _ => {}
        }
    }

    /// A commit is the newest from now on. Whoever has taken the one before may read it for as long as commits are kept.
    fn newest(&mut self, commit: &Commit) {
        let (now, files) = (self.now, files_of(commit).into_keys().collect::<BTreeSet<_>>());
        assert!(files.is_subset(&self.objects), "commit {} lists what is not there", commit.number);
        if let Some(last) = self.taken.back_mut() {
            last.0 = now;
        }
        self.taken.push_back((now, files));
        let newest = self.taken.len() - 1;
        let mut index = 0;
        self.taken.retain(|(until, _)| {
            index += 1;
            index > newest || *until > now - KEEP
        });
    }
}

/// Objects and bytes.
async fn size(bucket: &Bucket) -> (usize, u64) {
    let all = bucket.list("").await.unwrap();
    (all.len(), all.iter().map(|entry| entry.bytes).sum())
}

/// What the runs of a night write: `crm` its tables, some of them each week only, and `sales`, at noon, one of its own.
fn of_night(number: i64, now: Timestamp, random: u32, pipeline: &str) -> Change {
    let id = format!("{}-{random:08x}", RunId::time_part(now)).parse().unwrap();
    if pipeline == "sales" {
        return by("sales", change(&id, &["owners"]));
    }
    let mut tables = vec!["contacts", "companies"];
    if number % 7 == 0 {
        tables.push("deals");
    }
    if number % 10 == 0 && number < RETIRES {
        tables.push("notes");
    }
    let mut change = change(&id, &tables);
    if number == RETIRES {
        change.retired.insert("notes".to_owned());
    }
    if let Some(contacts) = change.tables.get_mut("contacts") {
        let mut second = contacts.files[0].clone();
        second.key = second.key.replace("part-00000", "part-00001");
        contacts.files.push(second);
    }
    change
}

async fn a_year_over(bucket: &Bucket) {
    let world = Arc::new(Mutex::new(World::default()));
    let watched = over(bucket, {
        let world = Arc::clone(&world);
        move |call, path, _| {
            world.lock().unwrap().hear(call, path);
            Fault::None
        }
    });
    let log = CommitLog::of(&watched);
    let mut most = (0, 0);
    let mut gone = (0, 0);
    for number in 0..YEAR {
        for (pipeline, hour) in [("crm", 0), ("sales", 10)] {
            let now = night(number) + SignedDuration::from_hours(hour);
            world.lock().unwrap().now = now;
            if pipeline == "crm" && number % 20 == 3 {
                // A run that died.
                let dead = of_night(number, now, 1, pipeline);
                written(&watched, now, dead).await;
            }
            let change = written(&watched, now, of_night(number, now, 2, pipeline)).await;
            let base = log.latest().await.unwrap();
            let commit = log.commit(base.as_ref(), change).await.unwrap();
            world.lock().unwrap().newest(&commit);
            let swept = sweep_after(&watched, &commit, async || true).await;
            assert!(swept.failures.is_empty(), "{:?}", swept.failures);
            let expired = expire(&watched, KEEP, now).await;
            assert!(expired.failures.is_empty(), "{:?}", expired.failures);
            gone = (gone.0 + expired.gone.commits, gone.1 + expired.gone.files);
        }
        let (objects, bytes) = size(bucket).await;
        assert_eq!(objects, world.lock().unwrap().objects.len(), "the bucket is what was heard of it");
        if number < FULL {
            most = (most.0.max(objects), most.1.max(bytes));
        } else {
            // Numbers of commits get another digit.
            assert!(
                objects <= most.0 && bytes <= most.1 + most.1 / 100,
                "night {number}: {objects}, {bytes}; {most:?}"
            );
        }
    }
    // Two commits a night, of thirty nights and the one before.
    let left = numbers(bucket).await;
    assert!((60..=62).contains(&left.len()), "{left:?}");
    assert_eq!(gone.0 + left.len() as u64, 2 * YEAR.unsigned_abs());
    assert!(gone.1 > 4 * 300, "{gone:?}");
    assert!(world.lock().unwrap().removals > gone.0 + gone.1);
    assert!(files(bucket).await.iter().all(|file| !file.starts_with("notes")), "the retired table is gone");
}

#[tokio::test]
async fn a_year_of_nightly_runs_leaves_a_bucket_as_large_as_a_month() {
    a_year_over(&Bucket::memory()).await;
}

#[tokio::test]
async fn a_year_of_nightly_runs_leaves_a_folder_as_large_as_a_month() {
    let temporary = tempfile::tempdir().unwrap();
    let bucket = Bucket::open(&Settings::File { path: temporary.path().to_owned() }).await.unwrap();
    a_year_over(&bucket).await;
}
