//! The contract of sources: one suite, run by every kind.

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::{
    cast,
    display::{ArrayFormatter, FormatOptions},
};
use arrow_schema::DataType;
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use sluice_hubspot::{
    http::{Backoff, Patience, Reserve, RetryPolicy},
    source::{
        DeliverySender, Read, ReadRequest, Readers, RowsSeen, Source, SourceError,
        hubspot::{EventRecords, EventScope, HubSpot, Marking, Paths, Settings},
        recorded::{NoSchema, RecordedSource, RecordedStream},
    },
};
use sluice_model::{
    delivery::Rows,
    schema::{Field, Schema, arrow_schema, attribute},
    secret::Secret,
    stream::{StreamInfo, StreamKind},
};
use sluice_simulator::{data, hubspot};
use tokio::{sync::mpsc, time::timeout};

use crate::harness::on_records;

/// How long a read may take: many times what it does.
const DEADLINE: Duration = Duration::from_mins(2);

/// More contacts than one batch holds, and enough for several readers.
const CONTACTS: u64 = 9_000;

/// Readers of a stream, where there may be several.
const SEVERAL: usize = 4;

/// Everything that the rest of the program relies on. Gives the streams that can be read, with their schemas.
async fn keeps_the_contract(source: &dyn Source) -> Vec<(StreamInfo, Schema)> {
    let streams = streams_have_names_of_their_own(source).await;
    let mut readable = Vec::new();
    for stream in streams {
        if let Some(schema) = schemas_are_sound_and_stay(source, &stream).await {
            readable.push((stream, schema));
        }
    }
    assert!(!readable.is_empty());
    readable
}

/// The same of a source that has records.
async fn reads_by_the_contract(source: &dyn Source, readable: &[(StreamInfo, Schema)]) {
    for (stream, schema) in readable {
        let schema = &some_of(stream, schema);
        let rows = all_columns_come_in_the_order_that_was_asked_for(source, stream, schema).await;
        counts_and_trials_agree_with_reads(source, stream, schema, rows).await;
        only_columns_that_were_asked_for_come(source, stream, schema, rows).await;
        several_readers_get_what_one_gets(source, stream, schema).await;
        a_read_ends_when_nobody_listens(source, stream, schema).await;
    }
}

/// The schema; of a history a few of its properties, since each has many versions of every record.
fn some_of(stream: &StreamInfo, schema: &Schema) -> Schema {
    const COLUMNS: usize = 12;
    let mut schema = schema.clone();
    if matches!(stream.kind, StreamKind::History { .. }) {
        schema.fields.truncate(COLUMNS);
    }
    schema
}

async fn streams_have_names_of_their_own(source: &dyn Source) -> Vec<StreamInfo> {
    let streams = source.streams().await.unwrap();
    assert_eq!(streams, source.streams().await.unwrap(), "the order is stable");
    let mut taken = BTreeSet::new();
    for stream in &streams {
        for name in stream.names() {
            assert!(taken.insert(name.to_owned()), "two streams answer to `{name}`");
        }
    }
    // Members, and what was before, are in one table, of whichever type they are.
    let is_alone =
        |stream: &&StreamInfo| !matches!(stream.kind, StreamKind::Memberships { .. } | StreamKind::History { .. });
    let alone = streams.iter().filter(is_alone);
    let tables: BTreeSet<String> = alone.clone().map(|stream| stream.table().to_lowercase()).collect();
    assert_eq!(tables.len(), alone.count(), "two tables would be one where case does not count");
    streams
}

async fn schemas_are_sound_and_stay(source: &dyn Source, stream: &StreamInfo) -> Option<Schema> {
    let schema = match source.schema(stream).await {
        Ok(schema) => schema,
        Err(SourceError::NotReadable { stream: name, .. }) => {
            assert_eq!(name, stream.name);
            return None;
        }
        Err(error) => panic!("{}: {error}", stream.name),
    };
    assert_eq!(schema.name, stream.shown_name());
    let names: BTreeSet<&String> = schema.fields.iter().map(|field| &field.name).collect();
    assert_eq!(names.len(), schema.fields.len(), "{}: two columns of one name", stream.name);
    assert!(schema.fields.iter().any(Field::is_key), "{}: no key", stream.name);
    assert_eq!(source.schema(stream).await.unwrap(), schema, "{}: asked again", stream.name);
    Some(schema)
}

fn request(stream: &StreamInfo, columns: Vec<Field>) -> ReadRequest {
    let ingested_at = Timestamp::from_second(1_795_000_000).unwrap();
    let (readers, seen) = (Readers::One, RowsSeen::default());
    ReadRequest { stream: stream.clone(), columns, ingested_at, readers, keeps_ids: false, resumes: None, seen }
}

/// Reads a stream, with as many readers as it may have and there are slices for; the first slice that fails ends it.
async fn read_into(source: &dyn Source, request: &ReadRequest, send: DeliverySender) -> Result<Read, SourceError> {
    let most = if request.readers == Readers::Several { SEVERAL } else { 1 };
    let reading = source.open(request.clone());
    let mut at_work = FuturesUnordered::new();
    loop {
        while at_work.len() < most
            && let Some(slice) = reading.slice()
        {
            at_work.push(reading.read(slice, send.clone()));
        }
        tokio::select! {
            ended = at_work.next() => match ended {
                Some(outcome) => outcome?,
                None => return reading.finish().await,
            },
            () = reading.changed(), if at_work.len() < most => {}
        }
    }
}

/// Reads a stream; what came, and how it ended. Whatever the end, nothing comes after it.
async fn read(source: &dyn Source, request: &ReadRequest) -> (Vec<(usize, RecordBatch)>, Result<Read, SourceError>) {
    let (send, mut receive) = mpsc::channel(1);
    let reading = read_into(source, request, send);
    let receiving = async {
        let mut batches = Vec::new();
        while let Some(delivery) = receive.recv().await {
            assert_eq!((delivery.rows, delivery.position), (Rows::Put, None), "it is read whole");
            batches.push((delivery.strand, delivery.batch));
        }
        batches
    };
    let both = async { tokio::join!(reading, receiving) };
    let (outcome, batches) = timeout(DEADLINE, both).await.expect("the read ends, and its channel with it");
    (batches, outcome)
}

/// Reads a stream with these columns; gives the number of its rows.
async fn rows_with(source: &dyn Source, stream: &StreamInfo, columns: Vec<Field>) -> u64 {
    let strands = strands_of(stream, &columns);
    let request = request(stream, columns);
    let (batches, outcome) = read(source, &request).await;
    outcome.unwrap();
    for (strand, batch) in &batches {
        assert_eq!(batch.schema(), arrow_schema(&strands[*strand]), "{}", stream.name);
        assert!(batch.num_rows() > 0, "{}: an empty batch", stream.name);
    }
    let rows = batches.iter().map(|(_, batch)| batch.num_rows() as u64).sum();
    if stream.kind.type_id().is_some() {
        assert_eq!(request.seen.get(), rows, "{}: rows that were seen as they came", stream.name);
    }
    rows
}

/// The columns of each strand of a stream: of a history those of no property, and those of one.
fn strands_of(stream: &StreamInfo, columns: &[Field]) -> Vec<Vec<Field>> {
    let property = |field: &Field| field.attributes.get(attribute::PROPERTY).cloned();
    if !matches!(stream.kind, StreamKind::History { .. }) {
        return vec![columns.to_vec()];
    }
    let mut properties: Vec<String> = Vec::new();
    for name in columns.iter().filter_map(property) {
        if !properties.contains(&name) {
            properties.push(name);
        }
    }
    let of = |name: &String| columns.iter().filter(|it| property(it).is_none_or(|own| own == *name)).cloned().collect();
    properties.iter().map(of).collect()
}

async fn all_columns_come_in_the_order_that_was_asked_for(
    source: &dyn Source,
    stream: &StreamInfo,
    schema: &Schema,
) -> u64 {
    let reversed = schema.fields.iter().rev().cloned().collect();
    rows_with(source, stream, reversed).await
}

async fn only_columns_that_were_asked_for_come(source: &dyn Source, stream: &StreamInfo, schema: &Schema, rows: u64) {
    for column in [schema.fields.first(), schema.fields.last()].into_iter().flatten() {
        let found = rows_with(source, stream, vec![column.clone()]).await;
        if matches!(stream.kind, StreamKind::History { .. }) {
            let is_property = column.attributes.contains_key(attribute::PROPERTY);
            let versions = if is_property { 0..rows + 1 } else { 0..1 };
            assert!(versions.contains(&found), "{}: {} alone: {found} of {rows}", stream.name, column.name);
        } else {
            assert_eq!(found, rows, "{}: {} alone", stream.name, column.name);
        }
    }
}

async fn counts_and_trials_agree_with_reads(source: &dyn Source, stream: &StreamInfo, schema: &Schema, rows: u64) {
    source.try_read(&request(stream, schema.fields.clone())).await.unwrap();
    if let Some(count) = source.count(stream).await {
        assert_eq!(count, rows, "{}", stream.name);
    }
}

async fn several_readers_get_what_one_gets(source: &dyn Source, stream: &StreamInfo, schema: &Schema) {
    let one = request(stream, schema.fields.clone());
    let several = ReadRequest { readers: Readers::Several, seen: RowsSeen::default(), ..one.clone() };
    let expected = rows_of(&read(source, &one).await.0);
    let (batches, outcome) = read(source, &several).await;
    outcome.unwrap();
    assert!(rows_of(&batches) == expected, "{}: other rows", stream.name);
    assert_eq!(several.seen.get(), one.seen.get(), "{}", stream.name);
}

/// All rows as texts, in an order of their own.
fn rows_of(batches: &[(usize, RecordBatch)]) -> Vec<String> {
    let options = FormatOptions::default().with_null("–");
    let mut rows = Vec::new();
    for (strand, batch) in batches {
        // Times as numbers: a zone by its name would need a database of all zones.
        let plain = |column: &ArrayRef| match column.data_type() {
            DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
            _ => Arc::clone(column),
        };
        let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
        let columns: Vec<_> =
            columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
        let row = |row| {
            let values = columns.iter().map(|column| column.value(row).to_string());
            let row = values.collect::<Vec<_>>().join("\t");
            if *strand == 0 { row } else { format!("{strand}\t{row}") }
        };
        rows.extend((0..batch.num_rows()).map(row));
    }
    rows.sort_unstable();
    rows
}

async fn a_read_ends_when_nobody_listens(source: &dyn Source, stream: &StreamInfo, schema: &Schema) {
    let (send, receive) = mpsc::channel(1);
    drop(receive);
    let request = request(stream, schema.fields.clone());
    let reading = read_into(source, &request, send);
    timeout(DEADLINE, reading).await.expect("the read ends").expect("that nobody listens is no error");
    if stream.kind.type_id().is_some() && source.count(stream).await.is_some_and(|rows| rows >= CONTACTS) {
        assert!(request.seen.get() < CONTACTS, "{}: it was read to its end all the same", stream.name);
    }
}

/// A simulated account, and the source that reads it. At once: a request that fails is not sent again.
async fn account(token: &str, faults: Vec<hubspot::Fault>) -> (hubspot::Running, HubSpot) {
    account_with(token, hubspot::Options { faults, ..hubspot::Options::default() }).await
}

async fn account_with(token: &str, options: hubspot::Options) -> (hubspot::Running, HubSpot) {
    account_of(CONTACTS, token, options, None).await
}

async fn account_of(
    contacts: u64,
    token: &str,
    options: hubspot::Options,
    events: Option<EventScope>,
) -> (hubspot::Running, HubSpot) {
    let data = data::Options { contacts, ..data::Options::default() };
    let options = hubspot::Options { data, requests_per_10s: 100_000, searches_per_second: 1_000, ..options };
    let running = hubspot::start(options, None).await.unwrap();
    let source = HubSpot::new(&Settings {
        base_url: running.base_url().parse().unwrap(),
        token: Secret::new(token),
        paths: Paths::Dated("2026-09"),
        requests_per_10s: NonZeroU32::new(100_000),
        reserve: Reserve::NONE,
        retry: RetryPolicy {
            patience: Patience::Attempts(NonZeroU32::MIN),
            backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO },
        },
        sensitive: false,
        marking: Marking::new(|_, _| {}),
        events,
    });
    (running, source.unwrap())
}

/// A source that has what another has, but no records.
async fn recorded(source: &dyn Source) -> RecordedSource {
    let mut streams = Vec::new();
    for stream in source.streams().await.unwrap() {
        let records = source.count(&stream).await;
        let schema = source.schema(&stream).await.map_err(|error| match error {
            SourceError::NotReadable { why, reason, hint, .. } => NoSchema { why, reason, hint },
            other => panic!("{other}"),
        });
        streams.push(RecordedStream { stream, records, schema });
    }
    RecordedSource::read(&RecordedSource::of(streams).write()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubspot_keeps_the_contract() {
    keeps_the_contract_with(hubspot::Cursors::Numeric).await;
}

/// Events are asked for record by record, so there are few records, and the types that happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_keep_the_contract() {
    let scope = EventScope { of: "contacts".to_owned(), records: EventRecords::All, since: None };
    let (_running, source) = account_of(60, hubspot::SENSITIVE_TOKEN, hubspot::Options::default(), Some(scope)).await;
    let happens = ["e_visited_page", "e_form_submission_v2", "pe48012345_consultation_booked"];
    let mut readable = keeps_the_contract(&source).await;
    readable.retain(|(stream, _)| match &stream.kind {
        StreamKind::Events { event_type, .. } => happens.contains(&event_type.full_name.as_str()),
        _ => false,
    });
    assert_eq!(readable.len(), happens.len());
    reads_by_the_contract(&source, &readable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubspot_keeps_the_contract_with_cursors_that_only_it_can_read() {
    keeps_the_contract_with(hubspot::Cursors::Opaque).await;
}

async fn keeps_the_contract_with(cursors: hubspot::Cursors) {
    let options = hubspot::Options { cursors, ..hubspot::Options::default() };
    let (_running, source) = account_with(hubspot::SENSITIVE_TOKEN, options).await;
    let readable = keeps_the_contract(&source).await;
    reads_by_the_contract(&source, &readable).await;
    let (contacts, schema) = readable.iter().find(|(stream, _)| stream.name == "contacts").unwrap();
    assert_eq!(source.count(contacts).await, Some(CONTACTS));
    let (batches, _) = read(&source, &request(contacts, schema.fields.clone())).await;
    assert!(batches.len() > 1, "contacts are more than one batch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_are_divided_where_cursors_are_numbers() {
    for cursors in [hubspot::Cursors::Numeric, hubspot::Cursors::Opaque] {
        let options = hubspot::Options { cursors, ..hubspot::Options::default() };
        let (_running, source) = account_with(hubspot::SENSITIVE_TOKEN, options).await;
        let streams = source.streams().await.unwrap();
        let contacts = streams.iter().find(|stream| stream.name == "contacts").unwrap();
        let schema = source.schema(contacts).await.unwrap();
        let several = ReadRequest { readers: Readers::Several, ..request(contacts, schema.fields.clone()) };
        let (batches, outcome) = read(&source, &several).await;
        let most = batches.iter().map(|(_, batch)| batch.num_rows()).max();
        let divided = cursors == hubspot::Cursors::Numeric;
        assert_eq!(outcome.unwrap().undivided.is_none(), divided);
        assert_eq!(most < Some(8_000), divided, "{most:?}: no slice has as much as a batch holds");
        several_readers_get_what_one_gets(&source, contacts, &schema).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_recorded_keeps_the_contract_as_far_as_it_reads() {
    let (_running, source) = account(hubspot::SENSITIVE_TOKEN, Vec::new()).await;
    let recorded = recorded(&source).await;
    let readable = keeps_the_contract(&recorded).await;
    assert_eq!(readable, keeps_the_contract(&source).await);
    for (stream, schema) in &readable {
        assert_eq!(recorded.count(stream).await, source.count(stream).await, "{}", stream.name);
        let (batches, outcome) = read(&recorded, &request(stream, schema.fields.clone())).await;
        assert!(batches.is_empty() && matches!(outcome, Err(SourceError::NotReadable { .. })), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_trial_refuses_a_read_refuses_too() {
    // The token may list sensitive properties, and not read them.
    let (_running, source) = account(hubspot::TOKEN, Vec::new()).await;
    let streams = source.streams().await.unwrap();
    let contacts = streams.iter().find(|stream| stream.name == "contacts").unwrap();
    let request = request(contacts, source.schema(contacts).await.unwrap().fields);
    let tried = source.try_read(&request).await;
    let (batches, outcome) = read(&source, &request).await;
    assert!(matches!(tried, Err(SourceError::NotReadable { .. })), "{tried:?}");
    assert!(matches!(outcome, Err(SourceError::NotReadable { .. })) && batches.is_empty(), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_error_nothing_comes() {
    // After the first batch, in the middle of the second.
    let failure = hubspot::FaultAction::Status { status: 500, body: hubspot::FaultBody::Json, retry_after: None };
    let fault = on_records("0-1", 85..u64::MAX, failure);
    let (running, source) = account(hubspot::SENSITIVE_TOKEN, vec![fault]).await;
    let streams = source.streams().await.unwrap();
    let contacts = streams.iter().find(|stream| stream.name == "contacts").unwrap();
    let schema = source.schema(contacts).await.unwrap();
    let asked_for = vec![schema.fields[0].clone()];
    let (batches, outcome) = read(&source, &request(contacts, asked_for)).await;
    assert!(matches!(outcome, Err(SourceError::Http { .. })), "{outcome:?}");
    let rows: usize = batches.iter().map(|(_, batch)| batch.num_rows()).sum();
    assert!(rows > 0 && rows < 8_500, "{rows} rows: whole batches of the pages before the error");
    let asked = running.requests().len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.requests().len(), asked, "nor is anything asked for");
}

/// What one stream has read is what another asks with: ids are kept by whoever reads the records, and listed where nobody
/// does, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_have_been_read_are_not_listed_again() {
    let (running, source) = account(hubspot::SENSITIVE_TOKEN, Vec::new()).await;
    let streams = source.streams().await.unwrap();
    let of = |name: &str| streams.iter().find(|stream| stream.name == name).unwrap();
    for (name, readers) in [("contacts", Readers::Several), ("companies", Readers::One)] {
        let stream = of(name);
        assert!(source.needs(stream).is_empty(), "records are asked with nothing");
        let schema = source.schema(stream).await.unwrap();
        let columns = schema.fields.into_iter().filter(|field| field.name == "objectId").collect();
        let keeping = ReadRequest { readers, keeps_ids: true, ..request(stream, columns) };
        let (batches, outcome) = read(&source, &keeping).await;
        outcome.unwrap();
        let asked = running.requests().len();
        let ids = source.ids(stream.kind.type_id().unwrap()).await.unwrap();
        assert_eq!(running.requests().len(), asked, "{name}: nothing is asked for");
        assert_eq!(ids.len(), keeping.seen.get(), "{name}");
        let mut kept: Vec<String> = ids.iter().map(std::borrow::Cow::into_owned).collect();
        kept.sort_unstable();
        assert_eq!(kept, rows_of(&batches), "{name}");
    }
    let deals = of("deals").kind.type_id().unwrap();
    let listed = source.ids(deals).await.unwrap();
    assert_eq!(Some(listed.len()), source.count(of("deals")).await);
    let asked = running.requests().len();
    assert_eq!(source.ids(deals).await.unwrap(), listed);
    assert_eq!(running.requests().len(), asked, "they are listed once");
}
