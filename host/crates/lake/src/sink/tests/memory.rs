//! A sink in memory: the smallest that keeps the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use sluice_model::{
    delivery::{Delivery, Rows},
    schema::arrow_schema,
};

use super::Place;
use crate::{
    sink::{
        Sink, SinkError, TableSpec, TableWriter, TakenBack,
        keys::{FileKeys, KeyColumns},
    },
    table::DataFile,
};

/// All that has been written, and is durable, by its key.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Vec<RecordBatch>>,
    begun: BTreeMap<String, u32>,
    kept: BTreeSet<String>,
    tables: BTreeMap<String, TableSpec>,
}

struct MemoryWriter {
    memory: Memory,
    spec: TableSpec,
    batches: Vec<RecordBatch>,
}

#[async_trait]
impl Sink for Memory {
    fn table(&self, table: &TableSpec) -> Result<Box<dyn TableWriter>, SinkError> {
        let mut shared = self.0.lock().unwrap();
        if shared.tables.entry(table.name.clone()).or_insert_with(|| table.clone()) != table {
            return Err(SinkError::Misused { table: table.name.clone(), what: "its columns differ" });
        }
        Ok(Box::new(MemoryWriter { memory: self.clone(), spec: table.clone(), batches: Vec::new() }))
    }

    async fn discard(&self, files: &[DataFile]) -> TakenBack {
        let mut shared = self.0.lock().unwrap();
        for file in files {
            shared.files.remove(&file.key);
        }
        TakenBack { files: files.len(), ..TakenBack::default() }
    }

    fn keep(&self, files: &[DataFile]) {
        self.0.lock().unwrap().kept.extend(files.iter().map(|file| file.key.clone()));
    }

    async fn take_back(&self) -> TakenBack {
        let shared = &mut *self.0.lock().unwrap();
        let before = shared.files.len();
        shared.files.retain(|key, _| shared.kept.contains(key));
        TakenBack { files: before - shared.files.len(), ..TakenBack::default() }
    }
}

impl MemoryWriter {
    fn file(&mut self, shared: &mut Shared) -> DataFile {
        let number = shared.begun.entry(self.spec.name.clone()).or_default();
        let key = format!("{}/{number:05}", self.spec.name);
        *number += 1;
        let (columns, mut keys) = (KeyColumns::of(&self.spec.columns), FileKeys::NoRows);
        for batch in &self.batches {
            keys.add(columns.as_ref(), batch);
        }
        let rows = self.batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let bytes = self.batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
        shared.files.insert(key.clone(), std::mem::take(&mut self.batches));
        DataFile { key, rows, bytes, keys: keys.into_range() }
    }
}

impl TableWriter for MemoryWriter {
    fn write(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        let misused = |what| Err(SinkError::Misused { table: self.spec.name.clone(), what });
        if delivery.rows == Rows::Delete {
            return misused("rows to delete");
        }
        if *delivery.batch.schema_ref() != arrow_schema(&self.spec.columns) {
            return misused("other columns");
        }
        self.batches.extend(Some(delivery.batch.clone()).filter(|batch| batch.num_rows() > 0));
        Ok(())
    }

    fn seal(&mut self) -> Result<Vec<DataFile>, SinkError> {
        if self.batches.is_empty() {
            return Ok(Vec::new());
        }
        let memory = self.memory.clone();
        Ok(vec![self.file(&mut memory.0.lock().unwrap())])
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<DataFile>, SinkError> {
        let sealed = self.seal()?;
        let memory = self.memory.clone();
        let mut shared = memory.0.lock().unwrap();
        let folder = format!("{}/", self.spec.name);
        let is_there = shared.files.keys().any(|key| key.starts_with(&folder));
        Ok(if is_there { sealed } else { vec![self.file(&mut shared)] })
    }

    fn abort(self: Box<Self>) {}
}

impl Place for Memory {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.clone())
    }

    fn files(&self) -> Vec<String> {
        self.0.lock().unwrap().files.keys().cloned().collect()
    }

    fn rows(&self, file: &DataFile) -> Vec<RecordBatch> {
        self.0.lock().unwrap().files[&file.key].clone()
    }
}
