mod strange;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Barrier;

use super::*;
use crate::bucket::{
    BucketError, Settings,
    failing::{Call, Fault, failing, failing_s3},
    numbered,
};

fn holder(number: u32) -> Holder {
    Holder {
        run: format!("20261123T201500Z-{number:08x}").parse().unwrap(),
        pipeline: "crm".to_owned(),
        host: "worker-1".to_owned(),
        pid: number,
    }
}

/// A clock that goes with tokio's, and can be set.
fn clock_to_set() -> (Clock, Arc<Mutex<jiff::SignedDuration>>) {
    let (clock, ahead) = (tokio_clock(), Arc::default());
    let offset: Arc<Mutex<jiff::SignedDuration>> = Arc::clone(&ahead);
    (Clock::new(move || clock.now() + *offset.lock().unwrap()), ahead)
}

/// A clock that goes with tokio's, which stands still while the test does not wait.
fn tokio_clock() -> Clock {
    let began = time::Instant::now();
    let midnight: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    Clock::new(move || midnight + began.elapsed())
}

async fn folder(path: &Path) -> Bucket {
    Bucket::open(&Settings::File { path: path.to_owned() }).await.unwrap()
}

/// Two runs want the lease at once, again and again. Each time one gets it and the other is told who.
async fn race(bucket: Bucket, rounds: u32) {
    let barrier = Arc::new(Barrier::new(2));
    for round in 0..rounds {
        let [left, right] = [2 * round, 2 * round + 1].map(|number| {
            let (bucket, barrier) = (bucket.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                let taken = Lease::take(&bucket, holder(number), Clock::system()).await;
                // Held until both know.
                barrier.wait().await;
                (number, taken)
            })
        });
        let ((winner, lease), (_, refusal)) = match (left.await.unwrap(), right.await.unwrap()) {
            (left, right) if left.1.is_ok() => (left, right),
            (left, right) => (right, left),
        };
        let Err(LeaseError::Held { entry, .. }) = refusal else {
            panic!("round {round}: expected a refusal that names the holder, not {refusal:?}");
        };
        assert_eq!(entry.holder, holder(winner), "round {round}");
        lease.unwrap().release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_at_once_a_thousand_times_in_memory() {
    race(Bucket::memory(), 1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_runs_at_once_a_thousand_times_in_a_folder() {
    let temporary = tempfile::tempdir().unwrap();
    race(folder(temporary.path()).await, 1000).await;
}

#[tokio::test]
async fn a_refused_run_names_the_holder() {
    let bucket = Bucket::memory();
    let clock = Clock::new(|| "2026-11-23T20:15:00Z".parse().unwrap());
    let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    let error = Lease::take(&bucket, holder(2), clock.clone()).await.unwrap_err();
    insta::assert_snapshot!(error, @"run `20261123T201500Z-00000001` of pipeline `crm` holds the lease on `memory://`: process 1 on host `worker-1`, since 2026-11-23T20:15:00Z, until 2026-11-23T20:16:00Z unless renewed");
    insta::assert_snapshot!(error.hint().unwrap(), @"wait for that run to end (`--wait 5m` does); if it crashed, its lease can be taken over 30 seconds after its end");
    lease.release().await.unwrap();
    Lease::take(&bucket, holder(2), clock).await.unwrap();
}

#[tokio::test]
async fn old_entries_are_removed_by_the_next_taker() {
    let bucket = Bucket::memory();
    for number in 1..=3 {
        let lease = Lease::take(&bucket, holder(number), Clock::system()).await.unwrap();
        lease.release().await.unwrap();
    }
    let entries = bucket.list("_sluice").await.unwrap();
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["_sluice/leases/crm/00000000000000000003.json"]);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_crashed_run_is_taken_over_after_its_end() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    drop(Lease::take(&bucket, holder(1), clock.clone()).await.unwrap());
    time::advance(LENGTH + CLOCK_TOLERANCE.saturating_sub(Duration::from_secs(1))).await;
    let error = Lease::take(&bucket, holder(2), clock.clone()).await.unwrap_err();
    assert!(matches!(error, LeaseError::Held { .. }), "{error}");
    time::advance(Duration::from_secs(1)).await;
    Lease::take(&bucket, holder(2), clock).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_take_over_an_ended_lease_one_succeeds() {
    for round in 0..50 {
        let bucket = Bucket::memory();
        let past = Clock::new(|| "2020-01-01T00:00:00Z".parse().unwrap());
        drop(Lease::take(&bucket, holder(0), past).await.unwrap());
        let barrier = Arc::new(Barrier::new(8));
        let takers: Vec<_> = (1..=8)
            .map(|number| {
                let (bucket, barrier) = (bucket.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    Lease::take(&bucket, holder(number), Clock::system()).await
                })
            })
            .collect();
        let mut held = Vec::new();
        for taker in takers {
            match taker.await.unwrap() {
                Ok(lease) => held.push(lease),
                Err(LeaseError::Held { .. }) => {}
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        assert_eq!(held.len(), 1, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_held_renews_itself() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    // Ten times its length, asked every few seconds.
    for _ in 0..200 {
        time::sleep(Duration::from_secs(3)).await;
        let error = Lease::take(&bucket, holder(2), clock.clone()).await.unwrap_err();
        let LeaseError::Held { entry, .. } = error else { panic!("{error}") };
        assert!(entry.ends.duration_since(clock.now()) >= jiff::SignedDuration::from_secs(44), "{entry:?}");
    }
    lease.confirm().await.unwrap();
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_silent_for_minutes_loses_no_lease_that_nobody_took() {
    let silent = Arc::new(AtomicBool::new(true));
    let (bucket, store) = failing({
        let silent = Arc::clone(&silent);
        move |call, _, _| {
            if call == Call::Put && silent.load(Ordering::SeqCst) { Fault::NoAnswer } else { Fault::None }
        }
    });
    let clock = tokio_clock();
    let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    let lost = time::timeout(5 * LENGTH, lease.lost()).await;
    assert!(lost.is_err(), "{lost:?}");
    assert!(store.count(Call::Put) > 30, "it was tried {} times", store.count(Call::Put));
    lease.confirm().await.unwrap();
    // Renewed as soon as the bucket answers again, and held as before.
    silent.store(false, Ordering::SeqCst);
    time::sleep(RENEWAL_PAUSE + Duration::from_millis(1)).await;
    let error = Lease::take(&bucket, holder(2), clock).await.unwrap_err();
    assert!(matches!(error, LeaseError::Held { .. }), "{error}");
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_could_not_be_renewed_is_lost_to_whoever_takes_it() {
    let silent = Arc::new(AtomicBool::new(true));
    let (bucket, _) = failing({
        let silent = Arc::clone(&silent);
        move |call, path, _| {
            let renewal = call == Call::Put && path.ends_with("1.json");
            if renewal && silent.load(Ordering::SeqCst) { Fault::NoAnswer } else { Fault::None }
        }
    });
    let clock = tokio_clock();
    let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    time::sleep(LENGTH + CLOCK_TOLERANCE).await;
    let second = Lease::take(&bucket, holder(2), clock.clone()).await.unwrap();
    assert!(matches!(lease.confirm().await, Err(LeaseError::Lost { .. })));
    silent.store(false, Ordering::SeqCst);
    let lost = time::timeout(RENEWAL, lease.lost()).await.unwrap();
    insta::assert_snapshot!(lost, @"the lease on `memory://` was lost: another run has taken it (entry 2)");
    // The entry that its late renewal wrote again means nothing.
    second.confirm().await.unwrap();
    let error = Lease::take(&bucket, holder(3), clock).await.unwrap_err();
    let LeaseError::Held { entry, .. } = error else { panic!("{error}") };
    assert_eq!(entry.holder, holder(2));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_loses_no_lease_that_nobody_took() {
    for jump in [jiff::SignedDuration::from_hours(26), jiff::SignedDuration::from_hours(-26)] {
        let bucket = Bucket::memory();
        let (clock, ahead) = clock_to_set();
        let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
        time::sleep(Duration::from_secs(3)).await;
        *ahead.lock().unwrap() = jump;
        let lost = time::timeout(10 * LENGTH, lease.lost()).await;
        assert!(lost.is_err(), "{lost:?}");
        lease.confirm().await.unwrap();
        // The end is by the new time.
        let error = Lease::take(&bucket, holder(2), clock.clone()).await.unwrap_err();
        let LeaseError::Held { entry, .. } = error else { panic!("{error}") };
        let left = entry.ends.duration_since(clock.now());
        assert!((44..=60).contains(&left.as_secs()), "{left}");
    }
}

/// Takes the lease within a span as run 2, and gives what came of it, how long it took and how often it told of waiting.
async fn wait_for(bucket: &Bucket, clock: &Clock, span: Duration) -> (Result<Lease, Box<LeaseError>>, Duration, u32) {
    let (began, mut told) = (time::Instant::now(), 0);
    let taken = Lease::take_within(span, bucket, || Ok(holder(2)), clock, |_| told += 1).await;
    (taken.map(|(lease, _)| lease), began.elapsed(), told)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_takes_the_lease_soon_after_it_is_given_back() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    let first = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    let releasing = tokio::spawn(async move {
        time::sleep(Duration::from_secs(61)).await;
        first.release().await.unwrap();
    });
    let (taken, took, told) = wait_for(&bucket, &clock, Duration::from_mins(5)).await;
    releasing.await.unwrap();
    taken.unwrap().confirm().await.unwrap();
    assert!((61..=66).contains(&took.as_secs()), "{took:?}");
    assert_eq!(told, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_names_the_holder_when_its_time_is_over() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    let _first = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    let (taken, took, told) = wait_for(&bucket, &clock, Duration::from_secs(12)).await;
    let LeaseError::Held { entry, .. } = *taken.unwrap_err() else {
        panic!("expected a refusal that names the holder")
    };
    assert_eq!((entry.holder, took.as_secs(), told), (holder(1), 12, 1));
    let (taken, took, told) = wait_for(&bucket, &clock, Duration::ZERO).await;
    assert!(matches!(*taken.unwrap_err(), LeaseError::Held { .. }));
    assert_eq!((took.as_secs(), told), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_of_the_bucket_does_not_lose_the_lease() {
    let (bucket, _) = failing(|call, _, count| match (call, count % 4) {
        (Call::Put, 1..=3) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let lease = Lease::take(&bucket, holder(1), tokio_clock()).await.unwrap();
    let lost = time::timeout(Duration::from_hours(1), lease.lost()).await;
    assert!(lost.is_err(), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_suspended_finds_that_it_has_lost() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    let lease = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    // By the clock of the second run, the lease has ended.
    let ahead = Clock::new(move || clock.now() + LENGTH + CLOCK_TOLERANCE);
    let second = Lease::take(&bucket, holder(2), ahead).await.unwrap();
    let error = lease.confirm().await.unwrap_err();
    insta::assert_snapshot!(error, @"the lease on `memory://` was lost: another run has taken it (entry 2)");
    let lost = lease.lost().await;
    assert_eq!(lost.to_string(), error.to_string());
    // Giving back what is lost leaves the other's lease alone.
    lease.release().await.unwrap();
    second.confirm().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_was_taken_although_the_answer_was_lost_is_held() {
    for fault in [Fault::AnswerLost, Fault::NoAnswer] {
        let (bucket, _) = failing(move |call, _, count| match (call, count) {
            (Call::PutIfAbsent, 1) => fault,
            _ => Fault::None,
        });
        let lease = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
        lease.confirm().await.unwrap();
        assert_eq!(bucket.list("_sluice/leases/crm").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_bucket_that_never_answers_is_told_and_leaves_no_lease() {
    let (bucket, _) = failing(|call, _, _| if call == Call::PutIfAbsent { Fault::NoAnswer } else { Fault::None });
    let error = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap_err();
    assert!(matches!(error, LeaseError::Bucket(BucketError::Unavailable { .. })), "{error}");

    let (bucket, _) = failing(|call, _, count| match (call, count) {
        (Call::List, 2) => Fault::Denied,
        _ => Fault::None,
    });
    Lease::take(&bucket, holder(1), Clock::system()).await.unwrap_err();
    Lease::take(&bucket, holder(2), Clock::system()).await.unwrap();
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    let (bucket, _) = failing(|_, _, _| Fault::ConditionIgnored);
    let error = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the store at `memory://` ignores `If-None-Match`: two runs could both commit");
}

#[tokio::test]
async fn a_slow_taker_gives_way_to_whoever_was_quicker_by_more_than_one() {
    // While the first run is about to create entry 2, others take and release 2 and 3, and the last removes 2.
    let quicker = Arc::new(Mutex::new(None::<Bucket>));
    let steps = Arc::new(AtomicU32::new(0));
    let (bucket, _) = failing({
        let (quicker, steps) = (Arc::clone(&quicker), Arc::clone(&steps));
        move |call, path, _| {
            let slow_create = call == Call::PutIfAbsent && path.ends_with("00002.json");
            if slow_create && steps.fetch_add(1, Ordering::SeqCst) == 0 {
                let bucket = quicker.lock().unwrap().clone().unwrap();
                let third = LeaseEntry { released: true, ..LeaseEntry::new(3, holder(3), Timestamp::UNIX_EPOCH) };
                let others = async move {
                    let entries = Entries::of(&bucket, "crm");
                    entries.overwrite(&third).await.unwrap();
                    entries.forget(1).await;
                };
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                std::thread::spawn(move || runtime.block_on(others)).join().unwrap();
            }
            Fault::None
        }
    });
    *quicker.lock().unwrap() = Some(bucket.clone());
    let first = LeaseEntry { released: true, ..LeaseEntry::new(1, holder(1), Timestamp::UNIX_EPOCH) };
    Entries::of(&bucket, "crm").overwrite(&first).await.unwrap();

    let lease = Lease::take(&bucket, holder(9), Clock::system()).await.unwrap();
    assert_eq!(lease.number, 4, "it created 2, found 3, and began anew");
    assert_eq!(numbered::all(&bucket, "_sluice/leases/crm").await.unwrap(), [4]);
}

#[tokio::test]
async fn an_entry_of_another_version_is_not_overruled() {
    let bucket = Bucket::memory();
    bucket.put(&Entries::of(&bucket, "crm").key(7), Bytes::from_static(b"{\"format\": 9}")).await.unwrap();
    let error = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`_sluice/leases/crm/00000000000000000007.json` in `memory://` is no lease that this version can read"
    );
}

/// A run of another pipeline.
fn of(pipeline: &str, number: u32) -> Holder {
    Holder { pipeline: pipeline.to_owned(), ..holder(number) }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_lease_is_of_a_pipeline_and_no_other_is_in_its_way() {
    let bucket = Bucket::memory();
    let crm = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
    let sales = Lease::take(&bucket, of("sales", 2), Clock::system()).await.unwrap();
    let refused = Lease::take(&bucket, of("sales", 3), Clock::system()).await.unwrap_err();
    assert!(matches!(&refused, LeaseError::Held { entry, .. } if entry.holder == of("sales", 2)), "{refused}");
    crm.claim(names(&["contacts"])).await.unwrap();
    sales.claim(names(&["deals"])).await.unwrap();
    crm.release().await.unwrap();
    sales.confirm().await.unwrap();
}

#[tokio::test]
async fn who_claims_a_table_second_is_refused_with_both_names() {
    let bucket = Bucket::memory();
    let clock = Clock::new(|| "2026-11-23T20:15:00Z".parse().unwrap());
    let crm = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    let sales = Lease::take(&bucket, of("sales", 2), clock.clone()).await.unwrap();
    crm.claim(names(&["contacts", "Deals"])).await.unwrap();
    let error = sales.claim(names(&["companies", "deals"])).await.unwrap_err();
    insta::assert_snapshot!(error, @"table `deals` of pipeline `sales` is about to be written by run `20261123T201500Z-00000001` of pipeline `crm`, too: process 1 on host `worker-1`, since 2026-11-23T20:15:00Z");
    insta::assert_snapshot!(error.hint().unwrap(), @"give each pipeline a folder of its own, or its tables other names");
    // What is given back is claimed no more.
    sales.release().await.unwrap();
    crm.claim(names(&["contacts", "Deals"])).await.unwrap();
    crm.release().await.unwrap();
    let sales = Lease::take(&bucket, of("sales", 3), clock).await.unwrap();
    sales.claim(names(&["companies", "deals"])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_claim_one_table_at_once_one_is_refused_at_least_and_others_never() {
    let temporary = tempfile::tempdir().unwrap();
    for bucket in [Bucket::memory(), folder(temporary.path()).await] {
        for round in 0..100 {
            let barrier = Arc::new(Barrier::new(3));
            let claims =
                [("crm", "contacts"), ("sales", "CONTACTS"), ("service", "tickets")].map(|(pipeline, table)| {
                    let (bucket, barrier) = (bucket.clone(), Arc::clone(&barrier));
                    tokio::spawn(async move {
                        let lease = Lease::take(&bucket, of(pipeline, round), Clock::system()).await.unwrap();
                        barrier.wait().await;
                        let claimed = lease.claim(names(&[table])).await;
                        barrier.wait().await;
                        lease.release().await.unwrap();
                        claimed
                    })
                });
            let mut refused = Vec::new();
            for claim in claims {
                match claim.await.unwrap() {
                    Ok(()) => {}
                    Err(LeaseError::Claimed { pipeline, entry, .. }) => refused.push((pipeline, entry.holder.pipeline)),
                    Err(other) => panic!("round {round}: {other}"),
                }
            }
            let each_other = |(one, other): &(String, String)| one != "service" && other != "service" && one != other;
            assert!((1..=2).contains(&refused.len()) && refused.iter().all(each_other), "round {round}: {refused:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_outlives_renewals_and_ends_with_the_lease_of_a_run_that_died() {
    let bucket = Bucket::memory();
    let clock = tokio_clock();
    let crm = Lease::take(&bucket, holder(1), clock.clone()).await.unwrap();
    crm.claim(names(&["contacts"])).await.unwrap();
    time::sleep(10 * LENGTH).await;
    let sales = Lease::take(&bucket, of("sales", 2), clock).await.unwrap();
    let error = sales.claim(names(&["contacts"])).await.unwrap_err();
    assert!(matches!(&error, LeaseError::Claimed { entry, .. } if entry.holder == holder(1)), "{error}");
    // Nothing renews it any more.
    crm.renewals.abort();
    time::sleep(LENGTH + CLOCK_TOLERANCE).await;
    sales.claim(names(&["contacts"])).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_cannot_be_made_or_compared_is_an_error() {
    for (call, path) in [(Call::Put, "crm"), (Call::List, "_sluice/leases"), (Call::Get, "sales")] {
        let (bucket, _) = failing_s3(move |it, at, count| {
            let is_the_claim =
                at.contains(path) && (it != Call::List || at == path) && count > usize::from(it == Call::Get);
            if it == call && is_the_claim { Fault::Denied } else { Fault::None }
        });
        let crm = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
        // Somebody else has a lease, and reads it once.
        let _sales = Lease::take(&bucket, of("sales", 2), Clock::system()).await.unwrap();
        drop(Lease::take(&bucket, of("sales", 3), Clock::system()).await);
        let error = crm.claim(names(&["contacts"])).await.unwrap_err();
        assert!(matches!(error, LeaseError::Bucket(BucketError::AccessDenied { .. })), "{call:?}: {error}");
    }
    let bucket = Bucket::memory();
    let crm = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
    let theirs = Entries::of(&bucket, "sales").key(4);
    bucket.put(&theirs, Bytes::from_static(b"{\"format\": 9}")).await.unwrap();
    let error = crm.claim(names(&["contacts"])).await.unwrap_err();
    assert!(matches!(&error, LeaseError::Unreadable { key, .. } if *key == theirs), "{error}");
}

#[tokio::test]
async fn a_run_that_has_lost_its_lease_claims_nothing() {
    let bucket = Bucket::memory();
    let crm = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
    let taken = LeaseEntry::new(2, holder(2), Clock::system().now());
    Entries::of(&bucket, "crm").overwrite(&taken).await.unwrap();
    let error = crm.claim(names(&["contacts"])).await.unwrap_err();
    assert!(matches!(error, LeaseError::Lost { loss: Loss::TakenOver { number: 2 }, .. }), "{error}");
    // Its entry says so, and counts for nobody.
    let sales = Lease::take(&bucket, of("sales", 3), Clock::system()).await.unwrap();
    sales.claim(names(&["contacts"])).await.unwrap();
}

#[tokio::test]
async fn what_else_lies_among_the_leases_claims_nothing() {
    let bucket = Bucket::memory();
    for key in ["leases/00000000000000000001.json", "leases/sales/note.txt", "leases/sales/7.json"] {
        bucket.put(&format!("_sluice/{key}"), Bytes::from_static(b"?")).await.unwrap();
    }
    let crm = Lease::take(&bucket, holder(1), Clock::system()).await.unwrap();
    crm.claim(names(&["contacts"])).await.unwrap();
}
