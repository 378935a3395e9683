//! Counts, which are never a reason to fail.

use super::*;

#[tokio::test]
async fn a_search_that_is_one_too_many_is_sent_again_and_any_other_failure_is_no_number() {
    let too_many = || (429, json!({ "category": "RATE_LIMITS", "policyName": "SECONDLY", "message": "slower" }));
    for (answers, expected) in [
        (vec![too_many(), (200, json!({ "total": 7 }))], Some(7)),
        (vec![(200, json!({ "total": "7" }))], Some(7)),
        (vec![(400, json!({ "category": "VALIDATION_ERROR", "message": "cannot be searched" }))], None),
        (vec![(502, json!({}))], None),
        (vec![(200, json!({ "results": [] }))], None),
        (vec![(200, json!({ "total": -1 }))], None),
        (vec![(429, json!({ "category": "RATE_LIMITS", "policyName": "DAILY", "message": "tomorrow" }))], None),
    ] {
        let asked = answers.len();
        let server = serve(move |seen| answers[seen.number].clone()).await;
        assert_eq!(hubspot(&server).count(&contacts()).await, expected);
        assert_eq!(server.seen().len(), asked);
    }
}

#[tokio::test]
async fn a_plan_counts_a_type_once_and_a_ledger_counts_each_time() {
    let server = serve(|seen| (200, json!({ "total": seen.number }))).await;
    let hubspot = hubspot(&server);
    let both = futures::join!(hubspot.count_of("0-1"), hubspot.count_of("0-1"));
    assert_eq!((both, hubspot.count_of("0-1").await), ((Some(0), Some(0)), Some(0)));
    assert_eq!((hubspot.count(&contacts()).await, hubspot.count(&contacts()).await), (Some(1), Some(2)));
}
