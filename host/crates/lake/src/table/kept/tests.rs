use serde_json::json;

use super::*;
use crate::{
    bucket::{
        Settings,
        failing::{Call, Fault, failing},
    },
    table::{
        change::{
            next,
            tests::{by, change, run},
        },
        key::DataKey,
        range::{KeyPart, KeyRange},
    },
};

/// The content of each file.
const ROWS: &[u8] = b"rows";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A file of a run of pipeline `crm`, as it would be sealed.
pub(in crate::table) fn file(table: &str, run: &RunId, part: u32) -> DataFile {
    let key = DataKey { table: table.to_owned(), pipeline: "crm".to_owned(), run: run.clone(), part }.format();
    let keys = KeyRange::new(vec![KeyPart::Text("7".to_owned())], vec![KeyPart::Text("19".to_owned())]);
    DataFile { key, rows: 10, bytes: ROWS.len() as u64, keys }
}

/// A slice of these files that a run of pipeline `crm` has finished, in one table and none of another.
pub(in crate::table) fn slice(run: &RunId, table: &str, parts: &[u32], kept: &str) -> KeptSlice {
    let files: Vec<_> = parts.iter().map(|part| file(table, run, *part)).collect();
    KeptSlice {
        run: run.clone(),
        pipeline: "crm".to_owned(),
        kept: at(kept),
        plan: "sha256:ab".to_owned(),
        stream: "events".to_owned(),
        covers: json!({ "ids": [parts, "9007199254740993"], "since": null }),
        counts: json!({ "read": 12, "written": 10 }),
        tables: vec![
            KeptTable { name: table.to_owned(), rows: files.iter().map(|file| file.rows).sum(), files },
            KeptTable { name: "empty".to_owned(), rows: 0, files: Vec::new() },
        ],
    }
}

/// Writes a slice as a run does: its files, and then the note.
pub(in crate::table) async fn write_and_keep(bucket: &Bucket, slice: &KeptSlice) {
    for file in slice.files() {
        bucket.put(&file.key, Bytes::from_static(ROWS)).await.unwrap();
    }
    keep(bucket, slice).await.unwrap();
}

/// The keys of all notes.
pub(in crate::table) async fn note_keys(bucket: &Bucket) -> Vec<String> {
    bucket.list("_sluice/kept").await.unwrap().into_iter().map(|entry| entry.key).collect()
}

async fn reads_back_from(bucket: &Bucket) {
    assert_eq!(kept(bucket, "crm", Timestamp::MIN).await.unwrap(), []);
    let late = slice(&run(1), "events", &[0, 2], "2026-11-23T20:18:00.5Z");
    let early = slice(&run(2), "events", &[0], "2026-11-23T20:17:00Z");
    let without_rows = slice(&run(2), "events", &[], "2026-11-23T20:19:00Z");
    for slice in [&late, &early, &without_rows] {
        write_and_keep(bucket, slice).await;
    }
    // It is put once more where the answer was lost, and is still one note.
    keep(bucket, &late).await.unwrap();
    let all = [early, late, without_rows];
    assert_eq!(kept(bucket, "crm", Timestamp::MIN).await.unwrap(), all);
    assert_eq!(kept(bucket, "crm", all[1].kept).await.unwrap(), all[1..], "no older than that, itself included");
    // Of a pipeline whose name begins alike, and of others.
    for pipeline in ["cr", "crm2", "sales"] {
        assert_eq!(kept(bucket, pipeline, Timestamp::MIN).await.unwrap(), [], "{pipeline}");
    }
}

#[tokio::test]
async fn what_was_kept_is_read_back_oldest_first() {
    reads_back_from(&Bucket::memory()).await;
    let temporary = tempfile::tempdir().unwrap();
    reads_back_from(&Bucket::open(&Settings::File { path: temporary.path().to_owned() }).await.unwrap()).await;
}

#[test]
fn the_stored_form_stays() {
    insta::assert_snapshot!(wire::write(&slice(&run(1), "events", &[0], "2026-11-23T20:17:00Z")), @r#"
    {
      "format": 1,
      "run": "20261123T201500Z-00000001",
      "pipeline": "crm",
      "kept": "2026-11-23T20:17:00Z",
      "plan": "sha256:ab",
      "stream": "events",
      "covers": {
        "ids": [
          [
            0
          ],
          "9007199254740993"
        ],
        "since": null
      },
      "counts": {
        "read": 12,
        "written": 10
      },
      "tables": [
        {
          "name": "events",
          "rows": 10,
          "files": [
            {
              "path": "events/pipeline=crm/run=20261123T201500Z-00000001/part-00000.parquet",
              "rows": 10,
              "bytes": 4,
              "keys": {
                "least": [
                  "7"
                ],
                "greatest": [
                  "19"
                ]
              }
            }
          ]
        },
        {
          "name": "empty",
          "rows": 0,
          "files": []
        }
      ]
    }
    "#);
}

/// Changes of a good note that make it none.
const CHANGES: [(&str, &str); 14] = [
    ("\"format\": 1", "\"format\": 2"),
    ("\"format\": 1,", ""),
    ("}", ""),
    ("-00000001\"", "-00000002\""),
    ("-00000001/part", "-00000002/part"),
    ("\"pipeline\": \"crm\"", "\"pipeline\": \"sales\""),
    ("pipeline=crm", "pipeline=sales"),
    ("\"path\": \"events/", "\"path\": \""),
    ("\"path\": \"events/", "\"path\": \"../events/"),
    ("\"path\": \"events/", "\"path\": \"notes/"),
    ("part-00000.parquet", "part-0.parquet"),
    ("\"name\": \"empty\"", "\"name\": \"_sluice\""),
    ("\"stream\": \"events\"", "\"stream\": \"events\\u001b[2J\""),
    ("2026-11-23T20:17:00Z", "today"),
];

#[tokio::test]
async fn a_note_that_is_not_as_we_would_have_written_it_is_none() {
    let slice = slice(&run(1), "events", &[0], "2026-11-23T20:17:00Z");
    let good = wire::write(&slice);
    assert_eq!(wire::read("crm", &run(1), good.as_bytes()).unwrap(), slice);
    let with_more = good.replacen('{', "{ \"later\": true,", 1);
    assert_eq!(wire::read("crm", &run(1), with_more.as_bytes()).unwrap(), slice, "a later version may say more");
    for (from, to) in CHANGES {
        let other = good.replace(from, to);
        assert!(other != good && wire::read("crm", &run(1), other.as_bytes()).is_err(), "{to}: {other}");
        // Under a name of its own, so that it is not for its name that it is none.
        let bucket = Bucket::memory();
        write_and_keep(&bucket, &slice).await;
        let number = number_of(other.as_bytes());
        let key = NoteKey { pipeline: "crm".to_owned(), run: run(1), number }.format();
        bucket.put(&key, Bytes::from(other)).await.unwrap();
        assert_eq!(note_keys(&bucket).await.len(), 2);
        assert_eq!(kept(&bucket, "crm", Timestamp::MIN).await.unwrap(), std::slice::from_ref(&slice), "{to}");
    }
}

#[tokio::test]
async fn a_note_is_none_under_another_name() {
    let slice = slice(&run(1), "events", &[0], "2026-11-23T20:17:00Z");
    let (content, number) = (wire::write(&slice), number_of(wire::write(&slice).as_bytes()));
    for (pipeline, run, number) in [("crm", run(1), number + 1), ("crm", run(2), number), ("sales", run(1), number)] {
        let bucket = Bucket::memory();
        bucket.put(&slice.tables[0].files[0].key, Bytes::from_static(ROWS)).await.unwrap();
        let key = NoteKey { pipeline: pipeline.to_owned(), run, number }.format();
        bucket.put(&key, Bytes::from(content.clone())).await.unwrap();
        assert_eq!(kept(&bucket, pipeline, Timestamp::MIN).await.unwrap(), [], "{key}");
    }
}

#[tokio::test]
async fn a_slice_whose_file_is_gone_or_another_is_none() {
    let bucket = Bucket::memory();
    let slices = [[0, 1], [2, 3], [4, 5]].map(|parts| slice(&run(1), "events", &parts, "2026-11-23T20:17:00Z"));
    for slice in &slices {
        write_and_keep(&bucket, slice).await;
    }
    bucket.delete(&file("events", &run(1), 1).key).await.unwrap();
    bucket.put(&file("events", &run(1), 4).key, Bytes::from_static(b"row")).await.unwrap();
    assert_eq!(kept(&bucket, "crm", Timestamp::MIN).await.unwrap(), slices[1..2]);
}

#[tokio::test]
async fn whatever_request_fails_a_slice_is_noted_whole_or_not_at_all() {
    for (fault, there) in [(Fault::Denied, false), (Fault::NoAnswer, false), (Fault::AnswerLost, true)] {
        let (bucket, _) = failing(move |call, key, _| match (call, key.starts_with("_sluice/")) {
            (Call::Put, true) => fault,
            _ => Fault::None,
        });
        let slice = slice(&run(1), "events", &[0], "2026-11-23T20:17:00Z");
        bucket.put(&slice.tables[0].files[0].key, Bytes::from_static(ROWS)).await.unwrap();
        keep(&bucket, &slice).await.unwrap_err();
        let read = kept(&bucket, "crm", Timestamp::MIN).await.unwrap();
        assert_eq!(read, Vec::from_iter(there.then_some(slice)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_request_that_fails_while_notes_are_read_is_an_error_and_no_slice_fewer() {
    for struck in 1..=2 {
        for struck_call in [Call::List, Call::Get] {
            let (bucket, store) =
                failing(
                    move |call, _, count| {
                        if call == struck_call && count == struck { Fault::Denied } else { Fault::None }
                    },
                );
            for part in 0..2 {
                let slice = slice(&run(1), "events", &[part], "2026-11-23T20:17:00Z");
                write_and_keep(&bucket, &slice).await;
            }
            assert!(kept(&bucket, "crm", Timestamp::MIN).await.is_err());
            // There is such a request; notes are read at once, so others may have begun.
            assert!(store.count(struck_call) >= struck, "{struck_call:?}");
        }
    }
}

#[test]
fn slices_are_of_use_for_a_day_and_until_the_pipeline_has_written_tables() {
    let now = at("2026-11-24T10:00:00Z");
    let a_day_ago = at("2026-11-23T10:00:00Z");
    assert_eq!(of_use_since("crm", None, now), a_day_ago);
    let written = |committed: &str, pipeline| {
        let mut change = by(pipeline, change(&run(1), &["contacts"]));
        change.tables.get_mut("contacts").unwrap().written = at(committed);
        next(None, change)
    };
    assert_eq!(of_use_since("crm", Some(&written("2026-11-23T09:59:59Z", "crm")), now), a_day_ago);
    assert_eq!(of_use_since("crm", Some(&written("2026-11-24T09:00:00Z", "sales")), now), a_day_ago);
    let base = written("2026-11-24T09:00:00Z", "crm");
    assert_eq!(of_use_since("crm", Some(&base), now), at("2026-11-24T09:00:00Z"));
    // A fence is no such time.
    let mut fence = change(&run(2), &[]);
    fence.committed = at("2026-11-24T09:30:00Z");
    assert_eq!(of_use_since("crm", Some(&next(Some(&base), fence)), now), at("2026-11-24T09:00:00Z"));
}

/// Puts a note of a slice with so many blanks behind it, under the name of its content.
async fn keep_with_blanks(bucket: &Bucket, slice: &KeptSlice, blanks: usize) {
    for file in slice.files() {
        bucket.put(&file.key, Bytes::from_static(ROWS)).await.unwrap();
    }
    let content = wire::write(slice) + &" ".repeat(blanks);
    let (pipeline, run) = (slice.pipeline.clone(), slice.run.clone());
    let key = NoteKey { pipeline, run, number: number_of(content.as_bytes()) };
    bucket.put(&key.format(), Bytes::from(content)).await.unwrap();
}

#[tokio::test]
async fn notes_that_are_larger_than_any_are_none_and_are_swept_as_such() {
    let bucket = Bucket::memory();
    let kept_at = "2026-11-23T20:17:00Z";
    keep_with_blanks(&bucket, &slice(&run(1), "events", &[0], kept_at), 1 << 20).await;
    keep_with_blanks(&bucket, &slice(&run(2), "events", &[0], kept_at), 5 << 20).await;
    let runs = |slices: Vec<KeptSlice>| slices.into_iter().map(|slice| slice.run).collect::<Vec<_>>();
    assert_eq!(runs(kept(&bucket, "crm", Timestamp::MIN).await.unwrap()), [run(1)]);
    let all = notes(&bucket, "crm").await.unwrap();
    assert_eq!(all.iter().map(|note| note.slice.is_some()).collect::<Vec<_>>(), [true, false]);
    // Nor are those that are too large together: sixteen megabytes, of which the large one has taken four.
    for number in 3..30 {
        keep_with_blanks(&bucket, &slice(&run(number), "events", &[0], kept_at), 1 << 20).await;
    }
    let all = notes(&bucket, "crm").await.unwrap();
    assert_eq!((all.len(), all.iter().filter(|note| note.slice.is_some()).count()), (29, 11));
}

#[tokio::test]
async fn no_note_is_written_that_would_be_none() {
    let (bucket, store) = failing(|_, _, _| Fault::None);
    let slice =
        KeptSlice { covers: json!("x".repeat(5 << 20)), ..slice(&run(1), "events", &[0], "2026-11-23T20:17:00Z") };
    let error = keep(&bucket, &slice).await.unwrap_err();
    assert!(matches!(error, BucketError::Oversized { .. }) && !error.may_have_happened(), "{error}");
    assert_eq!(store.count(Call::Put), 0);
}
