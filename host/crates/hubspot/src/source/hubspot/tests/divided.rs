//! Lists that several readers read at once, of servers that let them and of such that do not.

use std::collections::BTreeSet;

use futures::{StreamExt, stream::FuturesUnordered};

use super::*;
use crate::source::hubspot::{read::Records, slices::Slices};

/// Records that half of a split must have here.
const SMALLEST: u64 = 20;

/// How a server lists, given all ids: those from a number on that it was asked with, whether or not it named it itself.
type List = dyn Fn(&[u64], u64, bool) -> Vec<u64> + Send + Sync;

/// What a server does otherwise than HubSpot.
struct Oddities {
    list: Box<List>,
    cursor: fn(u64) -> String,
    searches: bool,
}

impl Oddities {
    fn of(list: impl Fn(&[u64], u64, bool) -> Vec<u64> + Send + Sync + 'static) -> Self {
        Self { list: Box::new(list), cursor: |from| from.to_string(), searches: true }
    }
}

impl Default for Oddities {
    fn default() -> Self {
        Self::of(|ids, from, _| above(ids, from))
    }
}

/// A parameter of a request.
fn asked(seen: &Seen, name: &str) -> Option<String> {
    let query = seen.path_and_query.split_once('?')?.1;
    query.split('&').find_map(|part| part.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

/// Serves these ids, in pages.
async fn serve_list(ids: &[u64], oddities: Oddities) -> Server {
    let ids = ids.to_vec();
    let named: Mutex<BTreeSet<u64>> = Mutex::default();
    serve(move |seen| {
        let path = seen.path_and_query.split('?').next().unwrap();
        if path.ends_with("/search") {
            let last: Vec<_> = ids.iter().max().into_iter().map(|id| json!({ "id": id.to_string() })).collect();
            return if oddities.searches {
                (200, json!({ "total": ids.len(), "results": last }))
            } else {
                (400, json!({ "category": "VALIDATION_ERROR" }))
            };
        }
        if path.ends_with("/batch/read") {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let inputs = body["inputs"].as_array().unwrap().iter().rev();
            let found: Vec<_> = inputs.map(|input| json!({ "id": input["id"], "properties": {} })).collect();
            return (200, json!({ "results": found }));
        }
        let from: u64 = asked(seen, "after").map_or(0, |after| after.trim_start_matches('p').parse().unwrap());
        let limit: usize = asked(seen, "limit").unwrap().parse().unwrap();
        let is_named = from == 0 || named.lock().unwrap().contains(&from);
        let mut rest = (oddities.list)(&ids, from, is_named);
        let more = rest.len() > limit;
        rest.truncate(limit);
        let page: Vec<_> = rest.iter().map(|id| json!({ "id": id.to_string(), "properties": {} })).collect();
        let paging = more.then(|| {
            let next = rest.last().unwrap() + 1;
            named.lock().unwrap().insert(next);
            json!({ "next": { "after": (oddities.cursor)(next) } })
        });
        (200, json!({ "results": page, "paging": paging }))
    })
    .await
}

/// What came of a list.
#[derive(Debug)]
struct Outcome {
    read: Result<Read, SourceError>,
    /// The ids of the rows, in order.
    ids: Vec<u64>,
    /// How many slices were handed out.
    slices: usize,
}

/// Reads the ids of all contacts with so many readers.
async fn read_by(server: &Server, wide: bool, readers: usize) -> Outcome {
    let (request, place) = of_contacts(wide);
    let request = ReadRequest { readers: if readers > 1 { Readers::Several } else { Readers::One }, ..request };
    let slices = Slices::new(readers > 1, SMALLEST);
    let reading = Records::with_slices(&hubspot(server), "0-1", &request, slices);
    let (sender, mut deliveries) = mpsc::channel(1);
    let all = async {
        let sender = sender;
        let (mut at_work, mut slices) = (FuturesUnordered::new(), 0);
        loop {
            while at_work.len() < readers
                && let Some(slice) = reading.slice()
            {
                slices += 1;
                at_work.push(reading.read(slice, sender.clone()));
            }
            tokio::select! {
                ended = at_work.next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return (Err(error), slices),
                    None => return (reading.finish().await, slices),
                },
                () = reading.changed(), if at_work.len() < readers => {}
            }
        }
    };
    let rows = async {
        let mut ids = Vec::new();
        while let Some(delivery) = deliveries.recv().await {
            let column = delivery.batch.column(place).as_any().downcast_ref::<StringArray>().unwrap();
            ids.extend(column.iter().map(|id| id.unwrap().parse::<u64>().unwrap()));
        }
        ids.sort_unstable();
        ids
    };
    let ((read, slices), ids) = tokio::join!(all, rows);
    Outcome { read, ids, slices }
}

/// Ids in two clusters, far from one another, the second beyond what a float can tell apart.
fn clusters() -> Vec<u64> {
    let near = (1..=2_000).map(|number| number * 3);
    near.chain((0..2_000).map(|number| (1 << 60) + number)).collect()
}

#[tokio::test]
async fn several_readers_read_each_record_once() {
    for (wide, searches) in [(false, true), (true, true), (false, false), (true, false)] {
        let server = serve_list(&clusters(), Oddities { searches, ..Oddities::default() }).await;
        let outcome = read_by(&server, wide, 4).await;
        assert_eq!(outcome.ids, clusters(), "{wide} {searches}");
        assert_eq!(outcome.read.unwrap().undivided, None);
        assert!(outcome.slices >= 4, "{}", outcome.slices);
    }
}

#[tokio::test]
async fn short_lists_have_one_reader() {
    for (count, searches) in [(0, 0), (1, 0), (100, 0), (101, 1)] {
        let ids: Vec<u64> = (1..=count).collect();
        let server = serve_list(&ids, Oddities::default()).await;
        let outcome = read_by(&server, false, 4).await;
        assert_eq!((outcome.ids, outcome.read.unwrap().undivided), (ids, None));
        let searched = server.seen().iter().filter(|seen| seen.path_and_query.contains("search")).count();
        assert!(searched <= searches, "{count}");
    }
}

/// Each of these is read rightly, by one reader, as it would be without slices.
#[tokio::test]
async fn what_cannot_be_divided_has_one_reader() {
    let ids: Vec<u64> = (1..=1_000).map(|number| number * 7).collect();
    for wide in [false, true] {
        let opaque = Oddities { cursor: |from| format!("p{from}"), ..Oddities::default() };
        let unordered = Oddities::of(|ids, from, _| {
            let mut rest = above(ids, from);
            rest.swap(10, 20);
            rest
        });
        // A number that the server has not named itself is answered with the beginning, or with what lies before.
        let forgetful = Oddities::of(|ids, from, named| above(ids, if named { from } else { 0 }));
        let repeating = Oddities::of(|ids, from, named| above(ids, from - if named { 0 } else { 1_000.min(from) }));
        for oddities in [opaque, unordered, forgetful, repeating] {
            let outcome = read_by(&serve_list(&ids, oddities).await, wide, 4).await;
            assert_eq!(outcome.ids, ids);
            assert!(outcome.read.unwrap().undivided.is_some());
        }
        // Or with nothing at all, each time nearer.
        let silent = Oddities::of(|ids, from, named| if named { above(ids, from) } else { Vec::new() });
        let outcome = read_by(&serve_list(&ids, silent).await, wide, 4).await;
        assert_eq!(outcome.ids, ids);
        outcome.read.unwrap();
    }
}

fn above(ids: &[u64], from: u64) -> Vec<u64> {
    ids.iter().copied().filter(|id| *id >= from).collect()
}

/// A number that the server has not named itself is answered with what comes later: whoever reads up to there reads what was
/// left out.
#[tokio::test]
async fn a_computed_cursor_that_skips_loses_nothing() {
    for wide in [false, true] {
        let oddities = Oddities::of(|ids, from, named| above(ids, if named { from } else { from + 500 }));
        let ids: Vec<u64> = (1..=1_000).map(|number| number * 7).collect();
        let server = serve_list(&ids, oddities).await;
        let outcome = read_by(&server, wide, 4).await;
        assert!(outcome.slices > 2);
        assert_eq!(outcome.ids, ids);
        outcome.read.unwrap();
    }
}

/// What is listed for whoever begins in the middle is not listed for those who follow the cursors: nobody could tell what
/// else is not.
#[tokio::test]
async fn slices_that_do_not_meet_are_worth_nothing() {
    let ids: Vec<u64> = (1..=4_000).collect();
    for wide in [false, true] {
        let hidden: Mutex<BTreeSet<u64>> = Mutex::default();
        let oddities = Oddities::of(move |ids, from, named| {
            let rest = above(ids, from);
            let mut hidden = hidden.lock().unwrap();
            if named {
                return rest.into_iter().filter(|id| !hidden.contains(id)).collect();
            }
            hidden.extend(rest.iter().take(150));
            rest
        });
        let outcome = read_by(&serve_list(&ids, oddities).await, wide, 4).await;
        let Err(SourceError::OutOfOrder { stream, why }) = outcome.read else { panic!("{outcome:?}") };
        assert!(stream == "contacts" && why.contains("without the record"), "{why}");
    }
}

#[tokio::test]
async fn a_list_that_ceases_to_ascend_is_worth_nothing_to_several_and_all_to_one() {
    for wide in [false, true] {
        let ids: Vec<u64> = (1..=2_000).collect();
        // Beyond the first pages, two records have changed places.
        let oddities = Oddities::of(|ids, from, named| {
            let mut rest = above(ids, from);
            if named && from > 1_200 && rest.len() > 50 {
                rest.swap(10, 20);
            }
            rest
        });
        let server = serve_list(&ids, oddities).await;
        let outcome = read_by(&server, wide, 4).await;
        assert!(matches!(outcome.read, Err(SourceError::OutOfOrder { .. })), "{outcome:?}");
        assert_eq!(read_by(&server, wide, 1).await.ids, ids);
    }
}

/// The first record of each slice is archived as soon as it has been listed there, and others are made just before it.
#[tokio::test]
async fn records_come_and_go_where_slices_meet() {
    for wide in [false, true] {
        let changed: Mutex<(BTreeSet<u64>, BTreeSet<u64>)> = Mutex::default();
        let oddities = Oddities::of(move |ids, from, named| {
            let mut changed = changed.lock().unwrap();
            let (gone, made) = &mut *changed;
            let now: BTreeSet<u64> =
                ids.iter().copied().chain(made.iter().copied()).filter(|id| !gone.contains(id)).collect();
            let rest: Vec<u64> = now.range(from..).copied().collect();
            if let (false, Some(first)) = (named, rest.first()) {
                gone.insert(*first);
                made.insert(first - 1);
            }
            rest
        });
        let ids: Vec<u64> = (1..=1_000).map(|number| number * 10).collect();
        let server = serve_list(&ids, oddities).await;
        let outcome = read_by(&server, wide, 4).await;
        assert!(outcome.read.is_ok(), "{outcome:?}");
        let distinct: BTreeSet<u64> = outcome.ids.iter().copied().collect();
        assert_eq!(distinct.len(), outcome.ids.len(), "a record came twice");
        let throughout: BTreeSet<u64> = ids.iter().copied().collect();
        // Those that are archived had come before, with the first page of their slice.
        assert!(outcome.slices > 2 && throughout.is_subset(&distinct), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_slice_that_is_dropped_unread_is_given_again() {
    // The first page and the search are answered, and nothing after them.
    let server = Server::start(|seen| {
        let ids: Vec<String> = (1..=100).map(|id| id.to_string()).collect();
        let page = records(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        match seen.path_and_query.as_str() {
            path if path.contains("search") => answer(200, r#"{"total":1000,"results":[{"id":"1000"}]}"#),
            path if path.contains("after") => Reply::Hang,
            _ => answer(200, json!({ "results": page, "paging": { "next": { "after": "101" } } }).to_string()),
        }
    })
    .await;
    let (request, _) = of_contacts(false);
    let request = ReadRequest { readers: Readers::Several, ..request };
    let reading = Records::with_slices(&hubspot(&server), "0-1", &request, Slices::new(true, SMALLEST));
    reading.changed().await;
    let whole = reading.slice().unwrap();
    assert_eq!((reading.worth(), reading.slice().is_none()), (0, true));
    drop(whole);
    let (sender, _deliveries) = mpsc::channel(1);
    let work = reading.read(reading.slice().unwrap(), sender);
    let look = async {
        reading.changed().await;
        let (worth, slice) = (reading.worth(), reading.slice().unwrap());
        let begins = slice.begins();
        assert!(begins == 550 && worth == 450, "{begins} {worth}");
        let nearer = reading.slice().unwrap().begins();
        assert_ne!(nearer, begins);
        drop(slice);
        assert_eq!(reading.slice().unwrap().begins(), begins);
    };
    tokio::select! {
        read = work => panic!("{read:?}"),
        () = look => {}
    }
    assert_eq!(reading.finish().await.unwrap(), Read::default());
}
