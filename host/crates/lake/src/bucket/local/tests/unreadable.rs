//! Folders that another user has made, in which this one may not look.

use std::fs;

use super::*;
use crate::bucket::nobody::{as_nobody, let_all};

async fn keys(bucket: &Bucket, folder: &str) -> Vec<String> {
    bucket.list(folder).await.unwrap().into_iter().map(|entry| entry.key).collect()
}

#[test]
fn a_folder_that_may_not_be_looked_into_is_passed_over_and_told_once() {
    let temporary = tempfile::tempdir().unwrap();
    let leases = temporary.path().join("_sluice/leases");
    for pipeline in ["crm", "closed", "names_alone", "above/closed"] {
        fs::create_dir_all(leases.join(pipeline)).unwrap();
        fs::write(leases.join(pipeline).join("1.json"), "{}").unwrap();
    }
    let_all(temporary.path(), 0o777);
    // Of the last, the names may be read, and nothing else.
    let shut = [("closed", 0), ("above/closed", 0), ("names_alone", 0o444)];
    for (pipeline, mode) in shut {
        let_all(&leases.join(pipeline), mode);
    }
    as_nobody(async {
        let bucket = open_at(temporary.path()).await.unwrap();
        for _ in 0..2 {
            assert_eq!(keys(&bucket, "_sluice/leases").await, ["_sluice/leases/crm/1.json"]);
            assert_eq!(keys(&bucket, "").await.len(), 1);
            assert_eq!(bucket.list_after("_sluice", "_sluice/a", 9).await.unwrap().len(), 1);
            assert_eq!(bucket.list_unfinished("_sluice").await.unwrap(), []);
        }
        let told = bucket.folder.as_ref().unwrap().told();
        let names = ["above/closed`", "closed`", "names_alone/1.json`"];
        assert_eq!(told.len(), names.len(), "{told:?}");
        for (told, name) in told.iter().zip(names) {
            assert!(told.starts_with(&format!("`_sluice/leases/{name}")), "{told}");
        }
        // Who asks for the folder itself is told that it cannot be had: it is not empty.
        for (pipeline, _) in shut {
            let asked = format!("_sluice/leases/{pipeline}");
            let listed = bucket.list(&asked).await.unwrap_err();
            assert!(matches!(listed, BucketError::NotPermitted { .. }), "{asked}: {listed:?}");
            assert!(listed.to_string().contains(&asked) && listed.is_for_the_owner(), "{listed}");
        }
        for (pipeline, key) in
            [("closed", "_sluice/leases/closed/1.json"), ("names_alone", "_sluice/leases/names_alone/1.json")]
        {
            let unfinished = bucket.list_unfinished(&format!("_sluice/leases/{pipeline}")).await;
            assert_eq!(unfinished.is_err(), pipeline == "closed", "{unfinished:?}");
            // Nor is a file in it one that is gone.
            for refusal in [bucket.delete(key).await.unwrap_err(), bucket.get(key).await.unwrap_err()] {
                assert!(matches!(refusal, BucketError::NotPermitted { .. }), "{refusal:?}");
            }
        }
    });
    for (pipeline, _) in shut {
        let_all(&leases.join(pipeline), 0o755);
    }
}
