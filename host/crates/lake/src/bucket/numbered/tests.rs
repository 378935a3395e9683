use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;

use super::*;
use crate::bucket::failing::{Call, FailingStore, Fault, failing};

async fn bucket_of(numbers: impl IntoIterator<Item = u64>) -> (Bucket, Arc<FailingStore>) {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    for number in numbers {
        bucket.put(&key("log", number), Bytes::new()).await.unwrap();
    }
    (bucket, store)
}

#[test]
fn keys_read_back_and_others_do_not() {
    assert_eq!(key("_sluice/commits", 42), "_sluice/commits/00000000000000000042.json");
    assert_eq!(number("log", &key("log", 42)), Some(42));
    assert_eq!(number("log", &key("log", u64::MAX)), Some(u64::MAX));
    for other in ["log/42.json", "log/+0000000000000000042.json", "log/99999999999999999999.json", "logs", "log/"] {
        assert_eq!(number("log", other), None, "{other}");
    }
}

#[tokio::test]
async fn the_newest_is_found_without_listing_all() {
    for (entries, requests) in [(0, 1), (1, 1), (999, 1), (1000, 3), (1001, 3), (3500, 5), (20_000, 11), (100_000, 16)]
    {
        let (bucket, store) = bucket_of(1..=entries).await;
        let found = newest(&bucket, "log").await.unwrap();
        assert_eq!(found, (entries > 0).then_some(entries));
        assert!(store.count(Call::List) <= requests, "{} requests for {entries} entries", store.count(Call::List));
    }
}

#[tokio::test]
async fn other_objects_in_the_folder_are_not_entries() {
    let (bucket, _) = bucket_of([1, 2]).await;
    for other in ["log/00000000000000000003.json.bak", "log/readme", "log/x/00000000000000000009.json"] {
        bucket.put(other, Bytes::new()).await.unwrap();
    }
    assert_eq!(newest(&bucket, "log").await.unwrap(), Some(2));
    assert_eq!(all(&bucket, "log").await.unwrap(), [1, 2]);
}

/// Pages of nothing else, before, between and after entries.
#[tokio::test]
async fn pages_of_other_objects_do_not_hide_the_newest() {
    for entries in [vec![1], vec![1, 2, 3], (1..=1500).collect(), vec![5_000]] {
        for strange in [0, *entries.first().unwrap(), entries[entries.len() / 2], *entries.last().unwrap()] {
            let (bucket, store) = bucket_of(entries.iter().copied()).await;
            for other in 0..2_500 {
                bucket.put(&format!("{}x{other:05}", key("log", strange)), Bytes::new()).await.unwrap();
            }
            assert_eq!(
                newest(&bucket, "log").await.unwrap(),
                entries.last().copied(),
                "{strange} of {}",
                entries.len()
            );
            assert!(store.count(Call::List) < 40, "{} requests", store.count(Call::List));
        }
    }
}

#[tokio::test]
async fn who_stops_early_has_not_listed_all_and_a_gap_costs_little() {
    let (bucket, store) = bucket_of(1..=5000).await;
    let newest: Vec<u64> = below(&bucket, "log", 0, 5000).take(10).try_collect().await.unwrap();
    assert_eq!(newest, (4990..5000).rev().collect::<Vec<_>>());
    assert_eq!(store.count(Call::List), 1);

    let (bucket, store) = bucket_of(90_000..=90_010).await;
    let found: Vec<u64> = below(&bucket, "log", 0, 90_010).try_collect().await.unwrap();
    assert_eq!(found, (90_000..90_010).rev().collect::<Vec<_>>());
    assert!(store.count(Call::List) <= 3, "{}", store.count(Call::List));
}

#[tokio::test]
async fn entries_far_below_are_found_by_what_is_listed_and_no_further_than_asked() {
    let (bucket, store) = bucket_of((1..=3).chain((1..=20).map(|far| far << 34))).await;
    for (above, end) in [(0, MOST), (0, 1 << 39), (2, 7 << 34), (3, 1 << 34), (9, 9), (9, 8), (u64::MAX, MOST)] {
        let before = store.count(Call::List);
        let found: Vec<u64> = below(&bucket, "log", above, end).try_collect().await.unwrap();
        let mut expected = all(&bucket, "log").await.unwrap();
        expected.retain(|number| *number > above && *number < end);
        expected.reverse();
        assert_eq!(found, expected, "between {above} and {end}");
        let lists = store.count(Call::List) - before - 1;
        assert!(lists <= 2, "{lists} lists between {above} and {end}");
    }
}

#[tokio::test]
async fn what_else_lies_in_the_folder_hides_no_entry() {
    let (bucket, _) = bucket_of(1..=30).await;
    for number in 0..2500 {
        bucket.put(&format!("log/00000000000000000010.json.{number}"), Bytes::new()).await.unwrap();
    }
    let found: Vec<u64> = below(&bucket, "log", 0, 30).try_collect().await.unwrap();
    assert_eq!(found, (1..30).rev().collect::<Vec<_>>());
    assert_eq!(first_above(&bucket, "log", 9).await.unwrap(), Some(10));
    assert_eq!(first_above(&bucket, "log", 10).await.unwrap(), Some(11));
    assert_eq!(first_above(&bucket, "log", 30).await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_newest_is_found_wherever_the_log_begins_and_whatever_is_missing(
        begins in 1_u64..5000,
        lengths in prop::collection::vec((1_u64..900, 0_u64..3000), 1..4),
    ) {
        let mut numbers = Vec::new();
        let mut from = begins;
        for (length, gap) in lengths {
            numbers.extend(from..from + length);
            from += length + gap;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let (bucket, _) = bucket_of(numbers.iter().copied()).await;
            (newest(&bucket, "log").await.unwrap(), below(&bucket, "log", 0, from).try_collect::<Vec<_>>().await.unwrap())
        });
        prop_assert_eq!(found.0, numbers.last().copied());
        numbers.reverse();
        prop_assert_eq!(found.1, numbers);
    }
}

#[tokio::test]
async fn a_folder_with_a_number_that_nobody_can_have_come_to_is_refused_with_its_key() {
    for forged in [MOST + 1, u64::MAX - 2, u64::MAX] {
        let (bucket, store) = bucket_of([1, 2, forged]).await;
        let errors = [
            newest(&bucket, "log").await.unwrap_err(),
            all(&bucket, "log").await.unwrap_err(),
            first_above(&bucket, "log", 2).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, BucketError::NotOurs { .. }), "{error:?}");
            assert!(error.to_string().contains(&key("log", forged)) && error.is_for_the_owner(), "{error}");
        }
        assert!(store.count(Call::List) < 200, "{} requests", store.count(Call::List));
    }
    let (bucket, _) = bucket_of([1, MOST]).await;
    assert_eq!(newest(&bucket, "log").await.unwrap(), Some(MOST));
    // None follows it, for that would be refused ever after, and with its own key.
    let error = create(&bucket, "log", MOST + 1, Bytes::new()).await.unwrap_err();
    assert!(error.to_string().contains(&key("log", MOST)) && !error.may_have_happened(), "{error}");
    assert_eq!(all(&bucket, "log").await.unwrap(), [1, MOST]);
}
