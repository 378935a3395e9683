//! The contract of sinks: one suite, run over each implementation, and over requests that fail.

mod memory;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, cast::AsArray, types::Int64Type};
use sluice_model::{
    delivery::{Delivery, Rows},
    schema::{ColumnType, Field, arrow_schema, attribute},
};
use tokio::runtime::Runtime;

use self::memory::Memory;
use super::*;
use crate::{
    bucket::{
        Bucket, PART_SIZE, Settings,
        failing::{Call, Fault, failing},
    },
    table::range::{KeyPart, KeyRange},
};

/// An empty place that a sink writes to, and what is there, past the sink.
trait Place: Send + Sync {
    /// A sink of a run.
    fn sink(&self) -> Arc<dyn Sink>;
    /// The keys of all files, in order, those that nobody lists included.
    fn files(&self) -> Vec<String>;
    /// The rows of a file.
    fn rows(&self, file: &DataFile) -> Vec<RecordBatch>;
}

/// Parquet files in a bucket.
struct ParquetPlace {
    bucket: Bucket,
    runtime: Arc<Runtime>,
    settings: ParquetSettings,
}

impl Place for ParquetPlace {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(ParquetFiles::new(RunFiles {
            bucket: self.bucket.clone(),
            pipeline: "crm".to_owned(),
            run: "20261123T201500Z-00000001".parse().unwrap(),
            settings: self.settings.clone(),
            metadata: Vec::new(),
        }))
    }

    fn files(&self) -> Vec<String> {
        let list = async {
            let mut keys: Vec<_> = self.bucket.list("").await.unwrap().into_iter().map(|entry| entry.key).collect();
            keys.extend(self.bucket.list_unfinished("").await.unwrap().into_iter().map(|unfinished| unfinished.key));
            keys
        };
        self.runtime.block_on(list)
    }

    fn rows(&self, file: &DataFile) -> Vec<RecordBatch> {
        let content = self.runtime.block_on(self.bucket.get(&file.key)).unwrap().unwrap();
        assert_eq!(content.len() as u64, file.bytes, "{}", file.key);
        let reader = ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap();
        reader.map(Result::unwrap).collect()
    }
}

fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

fn settings(file_bytes: u64) -> ParquetSettings {
    ParquetSettings { zstd_level: None, row_group_rows: 1_000_000, file_bytes }
}

fn spec(name: &str) -> TableSpec {
    let columns = vec![
        Field::new("objectId", ColumnType::Integer).with(attribute::KEY, "true"),
        Field::new("text", ColumnType::Text),
    ];
    TableSpec { name: name.to_owned(), columns }
}

fn batch_of(ids: impl IntoIterator<Item = i64>, text: &str) -> RecordBatch {
    let ids: Int64Array = ids.into_iter().collect::<Vec<_>>().into();
    let texts = StringArray::from(vec![text; ids.len()]);
    let arrays: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(texts)];
    RecordBatch::try_new(arrow_schema(&spec("t").columns), arrays).unwrap()
}

fn rows(ids: impl IntoIterator<Item = i64>) -> Delivery {
    Delivery::of_whole(batch_of(ids, "text"))
}

/// The ids in a file; fails unless it has as many rows as it says, and the keys that it says.
fn ids(place: &dyn Place, file: &DataFile) -> Vec<i64> {
    let batches = place.rows(file);
    let ids = batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
    let ids: Vec<i64> = ids.collect();
    assert_eq!(ids.len() as u64, file.rows, "{}", file.key);
    let key = |id: Option<&i64>| id.map(|id| vec![KeyPart::Integer(*id)]);
    let range = key(ids.iter().min()).zip(key(ids.iter().max()));
    assert_eq!(file.keys, range.and_then(|(least, greatest)| KeyRange::new(least, greatest)), "{}", file.key);
    ids
}

fn ids_of_all(place: &dyn Place, files: &[DataFile]) -> Vec<i64> {
    files.iter().flat_map(|file| ids(place, file)).collect()
}

fn keys(files: &[DataFile]) -> Vec<String> {
    let mut keys: Vec<String> = files.iter().map(|file| file.key.clone()).collect();
    keys.sort();
    keys
}

/// Everything that is promised of [`Sink`] and [`TableWriter`], for sinks that write tables whole.
fn keeps_the_contract(runtime: &Runtime, empty: &dyn Fn() -> Box<dyn Place>) {
    let _inside = runtime.enter();
    what_is_sealed_is_there_and_nothing_before(&*empty());
    writers_of_one_table_do_not_know_of_each_other(&*empty());
    a_table_without_rows_has_one_file(&*empty());
    a_table_of_which_there_is_any_file_gets_no_other(&*empty());
    what_is_aborted_is_gone_and_what_is_sealed_stays(&*empty());
    what_is_discarded_is_gone(runtime, &*empty());
    what_is_taken_back_is_gone_whatever_became_of_it(runtime, &*empty());
    what_is_kept_is_not_taken_back(runtime, &*empty());
    keys_that_carry_a_mark_are_told_to_nobody(&*empty());
    what_no_snapshot_takes_is_refused(&*empty());
}

fn what_is_sealed_is_there_and_nothing_before(place: &dyn Place) {
    let sink = place.sink();
    let mut writer = sink.table(&spec("t")).unwrap();
    assert_eq!(writer.seal().unwrap(), []);
    assert_eq!(place.files(), [""; 0], "nothing is written before there are rows");
    writer.write(&rows([])).unwrap();
    assert_eq!(writer.seal().unwrap(), []);
    for start in [20, 0, 10] {
        writer.write(&rows(start..start + 10)).unwrap();
    }
    let first = writer.seal().unwrap();
    assert_eq!(place.files(), keys(&first));
    assert_eq!(ids_of_all(place, &first), (20..30).chain(0..20).collect::<Vec<_>>());
    assert_eq!(writer.seal().unwrap(), [], "what is sealed is given once");
    writer.write(&rows(30..40)).unwrap();
    let second = writer.finish().unwrap();
    assert_eq!(ids_of_all(place, &second), (30..40).collect::<Vec<_>>());
    assert_eq!(place.files(), keys(&[first, second].concat()));
}

fn writers_of_one_table_do_not_know_of_each_other(place: &dyn Place) {
    const WRITERS: i64 = 4;
    const SEALS: i64 = 5;
    let (sink, barrier) = (place.sink(), Barrier::new(WRITERS as usize));
    let files: Vec<DataFile> = thread::scope(|scope| {
        let write = |writer: i64| {
            let (mut table, barrier) = (sink.table(&spec("t")).unwrap(), &barrier);
            scope.spawn(move || {
                let mut files = Vec::new();
                for seal in 0..SEALS {
                    barrier.wait();
                    let first = (writer * SEALS + seal) * 20;
                    table.write(&rows(first..first + 10)).unwrap();
                    table.write(&rows(first + 10..first + 20)).unwrap();
                    files.extend(table.seal().unwrap());
                }
                files.extend(table.finish().unwrap());
                files
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(place.files(), keys(&files));
    assert_eq!(keys(&files).into_iter().collect::<BTreeSet<_>>().len(), files.len(), "no two files have one key");
    let mut all = ids_of_all(place, &files);
    all.sort_unstable();
    assert_eq!(all, (0..WRITERS * SEALS * 20).collect::<Vec<_>>());
}

fn a_table_without_rows_has_one_file(place: &dyn Place) {
    let sink = place.sink();
    let file = sink.table(&spec("alone")).unwrap().finish().unwrap();
    assert_eq!((file.len(), file[0].rows, &file[0].keys), (1, 0, &None));
    assert_eq!(ids(place, &file[0]), [0; 0]);
    // Whoever comes last, of several that come at once.
    let (writers, barrier) = (8, Barrier::new(8));
    let made: Vec<DataFile> = thread::scope(|scope| {
        let finish = |_| {
            let (table, barrier) = (sink.table(&spec("together")).unwrap(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                table.finish().unwrap()
            })
        };
        let writers: Vec<_> = (0..writers).map(finish).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!((made.len(), made[0].rows), (1, 0));
    assert_eq!(place.files(), keys(&[file, made].concat()), "it is a file of each table");
}

fn a_table_of_which_there_is_any_file_gets_no_other(place: &dyn Place) {
    let sink = place.sink();
    let (mut with_rows, without) = (sink.table(&spec("t")).unwrap(), sink.table(&spec("t")).unwrap());
    with_rows.write(&rows(0..10)).unwrap();
    let sealed = with_rows.seal().unwrap();
    assert_eq!(without.finish().unwrap(), []);
    assert_eq!(with_rows.finish().unwrap(), []);
    assert_eq!(place.files(), keys(&sealed));
}

fn what_is_aborted_is_gone_and_what_is_sealed_stays(place: &dyn Place) {
    let sink = place.sink();
    let mut writer = sink.table(&spec("t")).unwrap();
    writer.write(&rows(0..10)).unwrap();
    let sealed = writer.seal().unwrap();
    for start in [10, 20] {
        writer.write(&rows(start..start + 10)).unwrap();
    }
    writer.abort();
    assert_eq!(place.files(), keys(&sealed));
    // A stream that is read once more, and has no rows then: its table is none the less a table.
    let mut writer = sink.table(&spec("again")).unwrap();
    writer.write(&rows(0..10)).unwrap();
    writer.abort();
    let again = sink.table(&spec("again")).unwrap().finish().unwrap();
    assert_eq!(ids_of_all(place, &again), [0; 0]);
    assert_eq!(place.files(), keys(&[sealed, again].concat()));
}

fn what_is_discarded_is_gone(runtime: &Runtime, place: &dyn Place) {
    let sink = place.sink();
    let mut writer = sink.table(&spec("t")).unwrap();
    writer.write(&rows(0..10)).unwrap();
    let discarded = writer.seal().unwrap();
    let taken = runtime.block_on(sink.discard(&discarded));
    assert_eq!((taken.files, taken.left), (discarded.len(), 0));
    assert_eq!(place.files(), [""; 0]);
    // The table has no file any more; and no key is given to two files.
    let whole = writer.finish().unwrap();
    assert_eq!(place.files(), keys(&whole));
    assert!(whole.len() == 1 && keys(&discarded) != keys(&whole), "{whole:?}");
}

fn what_is_taken_back_is_gone_whatever_became_of_it(runtime: &Runtime, place: &dyn Place) {
    let others = place.sink();
    let mut other = others.table(&spec("other")).unwrap();
    other.write(&rows(0..10)).unwrap();
    let mut dropped = others.table(&spec("t")).unwrap();
    dropped.write(&rows(0..10)).unwrap();
    let _sealed = dropped.seal().unwrap();
    dropped.write(&rows(10..20)).unwrap();
    drop(dropped);
    let _whole = other.finish().unwrap();
    let taken = runtime.block_on(others.take_back());
    assert!(taken.files >= 2 && taken.left == 0, "{taken:?}");
    assert_eq!(place.files(), [""; 0]);
    assert_eq!(runtime.block_on(others.take_back()).files, 0);
}

fn what_is_kept_is_not_taken_back(runtime: &Runtime, place: &dyn Place) {
    let sink = place.sink();
    let mut writer = sink.table(&spec("t")).unwrap();
    writer.write(&rows(0..10)).unwrap();
    let kept = writer.seal().unwrap();
    sink.keep(&kept);
    writer.write(&rows(10..20)).unwrap();
    let sealed = writer.seal().unwrap();
    assert_eq!(writer.finish().unwrap(), [], "what is kept is a file of its table");
    let taken = runtime.block_on(sink.take_back());
    assert_eq!((taken.files, taken.left), (sealed.len(), 0));
    assert_eq!(place.files(), keys(&kept));
    assert_eq!(ids_of_all(place, &kept), (0..10).collect::<Vec<_>>());
}

fn keys_that_carry_a_mark_are_told_to_nobody(place: &dyn Place) {
    let mut marked = spec("t");
    marked.columns[0].marks.insert("phi".parse().unwrap());
    let mut writer = place.sink().table(&marked).unwrap();
    let arrays = batch_of(0..10, "text").columns().to_vec();
    writer.write(&Delivery::of_whole(RecordBatch::try_new(arrow_schema(&marked.columns), arrays).unwrap())).unwrap();
    let files = writer.finish().unwrap();
    assert!(files.iter().all(|file| file.keys.is_none() && file.rows > 0), "{files:?}");
}

fn what_no_snapshot_takes_is_refused(place: &dyn Place) {
    let sink = place.sink();
    let mut writer = sink.table(&spec("t")).unwrap();
    writer.write(&rows(0..10)).unwrap();
    let refused = writer.write(&Delivery { rows: Rows::Delete, ..rows(0..10) });
    assert!(matches!(refused, Err(SinkError::Misused { .. })), "{refused:?}");
    let narrow = batch_of(0..10, "text").project(&[0]).unwrap();
    let refused = sink.table(&spec("t")).unwrap().write(&Delivery::of_whole(narrow));
    assert!(matches!(refused, Err(SinkError::Misused { .. })), "{refused:?}");
    let narrow = TableSpec { columns: spec("t").columns[..1].to_vec(), ..spec("t") };
    let refused = sink.table(&narrow).err();
    assert!(matches!(refused, Some(SinkError::Misused { .. })), "{refused:?}");
    writer.abort();
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn memory_keeps_the_contract() {
    keeps_the_contract(&runtime(), &|| Box::new(Memory::default()));
}

/// With files that are closed after each batch, and with files that hold all.
const FILE_SIZES: [u64; 2] = [1, 1 << 30];

#[test]
fn parquet_in_memory_keeps_the_contract() {
    let runtime = runtime();
    for file_bytes in FILE_SIZES {
        let place =
            || ParquetPlace { bucket: Bucket::memory(), runtime: Arc::clone(&runtime), settings: settings(file_bytes) };
        keeps_the_contract(&runtime, &|| Box::new(place()));
    }
}

#[test]
fn parquet_in_a_folder_keeps_the_contract() {
    let (runtime, temporary, number) = (runtime(), tempfile::tempdir().unwrap(), AtomicUsize::new(0));
    for file_bytes in FILE_SIZES {
        keeps_the_contract(&runtime, &|| {
            let folder = temporary.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
            let bucket = runtime.block_on(Bucket::open(&Settings::File { path: folder })).unwrap();
            Box::new(ParquetPlace { bucket, runtime: Arc::clone(&runtime), settings: settings(file_bytes) })
        });
    }
}

#[test]
fn a_misuse_is_told_as_a_mistake_of_ours() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let place = ParquetPlace { bucket: Bucket::memory(), runtime: Arc::clone(&runtime), settings: settings(1) };
    let mut writer = place.sink().table(&spec("contacts")).unwrap();
    let refused = writer.write(&Delivery { rows: Rows::Delete, ..rows(0..10) }).unwrap_err();
    insta::assert_snapshot!(refused, @"table `contacts` could not be written: it is written whole, and was given rows to delete, which is a mistake in sluice");
}

/// What a run of a few files, one of several parts, comes to: all files of its table, or what went wrong, with all taken back.
fn write_a_table(runtime: &Runtime, sink: &dyn Sink) -> Result<Vec<DataFile>, SinkError> {
    let write = || {
        let (mut one, mut other) = (sink.table(&spec("t"))?, sink.table(&spec("t"))?);
        one.write(&rows(0..10))?;
        let mut files = one.seal()?;
        // No two texts are the same, and none is compressed: more than a part.
        let text = "x".repeat(PART_SIZE / 8);
        for id in 10..20 {
            other.write(&Delivery::of_whole(batch_of([id], &format!("{id}{text}"))))?;
        }
        one.write(&rows(20..30))?;
        files.extend(other.seal()?);
        files.extend(one.finish()?);
        Ok(files)
    };
    write().inspect_err(|_| drop(runtime.block_on(sink.take_back())))
}

#[test]
fn whatever_request_fails_a_table_is_whole_or_an_error_is_told_and_nothing_is_left() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let is_of_writing = |call| matches!(call, Call::Put | Call::Part | Call::CompleteParts);
    for fault in [Fault::Denied, Fault::NoAnswer, Fault::AnswerLost] {
        let mut struck_calls = BTreeSet::new();
        for struck in 0.. {
            let (asked, call_struck) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(None)));
            let (bucket, _) = failing({
                let (asked, call_struck) = (Arc::clone(&asked), Arc::clone(&call_struck));
                move |call, _, _| {
                    if !is_of_writing(call) || asked.fetch_add(1, Ordering::SeqCst) != struck {
                        return Fault::None;
                    }
                    *call_struck.lock().unwrap() = Some(call);
                    fault
                }
            });
            let place = ParquetPlace {
                bucket,
                runtime: Arc::clone(&runtime),
                settings: settings(ParquetSettings::DEFAULT_FILE_BYTES),
            };
            let outcome = write_a_table(&runtime, &*place.sink());
            let call = *call_struck.lock().unwrap();
            match (&outcome, call) {
                (Ok(files), None) => {
                    let mut all = ids_of_all(&place, files);
                    all.sort_unstable();
                    assert_eq!(all, (0..30).collect::<Vec<_>>());
                    assert_eq!(place.files(), keys(files));
                }
                // That the upload is complete is seen, whatever became of the answer.
                (Ok(files), Some(Call::CompleteParts)) if matches!(fault, Fault::AnswerLost) => {
                    assert_eq!(place.files(), keys(files));
                }
                (Err(SinkError::Bucket { .. }), Some(_)) => {
                    assert_eq!(place.files(), [""; 0], "{fault:?} of request {struck}, {call:?}");
                }
                _ => panic!("{fault:?} of request {struck}, {call:?}: {outcome:?}"),
            }
            let Some(call) = call else { break };
            struck_calls.insert(call);
        }
        assert_eq!(Vec::from_iter(struck_calls), [Call::Put, Call::Part, Call::CompleteParts], "all kinds were struck");
    }
}
