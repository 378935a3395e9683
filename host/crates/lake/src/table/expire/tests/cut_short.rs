//! Expiries that fail or end at each of their requests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::bucket::failing::failing;

#[tokio::test]
async fn at_whatever_request_an_expiry_ends_commits_that_are_left_are_whole_and_the_next_one_goes_on() {
    for fault in [Fault::Denied, Fault::NoAnswer] {
        for lasting in [false, true] {
            for struck in 0.. {
                let (asked, armed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let (bucket, _) = failing({
                    let (asked, armed) = (Arc::clone(&asked), Arc::clone(&armed));
                    move |_, _, _| {
                        let number = asked.fetch_add(1, Ordering::SeqCst);
                        let strikes = number == struck || lasting && number > struck;
                        if armed.load(Ordering::SeqCst) == 1 && strikes { fault } else { Fault::None }
                    }
                });
                let tables: [&[&str]; 6] =
                    [&["contacts", "deals"], &["contacts"], &["contacts"], &["deals"], &["contacts"], &["contacts"]];
                nights(&bucket, &tables).await;
                asked.store(0, Ordering::SeqCst);
                armed.store(1, Ordering::SeqCst);
                let expired = expire(&bucket, KEEP, night(7)).await;
                armed.store(0, Ordering::SeqCst);
                let is_done = asked.load(Ordering::SeqCst) <= struck;

                let what = format!("{fault:?}, lasting: {lasting}, request {struck}: {expired:?}");
                let there = files(&bucket).await;
                let log = CommitLog::of(&bucket);
                let left = numbers(&bucket).await;
                for number in &left {
                    // What an entry lists is there, but for the files of the oldest that go before it.
                    let keys: Vec<String> = bucket.list("").await.unwrap().into_iter().map(|entry| entry.key).collect();
                    let whole =
                        files_of(&log.read(*number).await.unwrap().unwrap()).keys().all(|key| keys.contains(key));
                    assert!(whole || (number == &left[0] && *number < 5), "{what}: {number}, {there:?}");
                }
                assert_eq!(u64::try_from(6 - left.len()).unwrap(), expired.gone.commits, "{what}");
                assert_eq!(is_done, expired.failures.is_empty(), "{what}");

                let again = expire(&bucket, KEEP, night(7)).await;
                assert!(again.failures.is_empty(), "{what}: {again:?}");
                assert_eq!(numbers(&bucket).await, [5, 6], "{what}");
                assert_eq!(
                    files(&bucket).await,
                    ["contacts 00000004", "contacts 00000005", "deals 00000003"],
                    "{what}"
                );
                if is_done {
                    assert!(struck >= 14, "only {struck} requests were tried");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn expiries_at_once_do_what_one_does() {
    let bucket = Bucket::memory();
    of_contacts(&bucket, 20).await;
    let expiries = (0..4).map(|_| expire(&bucket, KEEP, night(20)));
    let expired = futures::future::join_all(expiries).await;
    assert!(expired.iter().all(|it| it.failures.is_empty()), "{expired:?}");
    assert_eq!((numbers(&bucket).await, files(&bucket).await.len()), (vec![18, 19, 20], 3));
}
