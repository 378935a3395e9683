//! A source that holds its streams in memory: for tests of everything that comes after a source.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use async_trait::async_trait;

use super::{BatchSender, ReadRequest, Source, SourceError, Usage};
use crate::{schema::Schema, stream::StreamInfo};

/// Streams in memory.
#[derive(Debug, Default)]
pub struct MemorySource {
    streams: Vec<(StreamInfo, Schema, Vec<RecordBatch>)>,
}

impl MemorySource {
    /// The same source with one more stream. The batches have all columns of the schema, in its order.
    #[must_use]
    pub fn with(mut self, stream: StreamInfo, schema: Schema, batches: Vec<RecordBatch>) -> Self {
        self.streams.push((stream, schema, batches));
        self
    }

    fn find(&self, stream: &StreamInfo) -> Result<&(StreamInfo, Schema, Vec<RecordBatch>), SourceError> {
        self.streams.iter().find(|(info, ..)| info == stream).ok_or_else(|| SourceError::NotReadable {
            stream: stream.name.clone(),
            reason: "there is no such stream".to_owned(),
            hint: None,
        })
    }
}

#[async_trait]
impl Source for MemorySource {
    async fn streams(&self) -> Result<Vec<StreamInfo>, SourceError> {
        Ok(self.streams.iter().map(|(info, ..)| info.clone()).collect())
    }

    async fn schema(&self, stream: &StreamInfo) -> Result<Schema, SourceError> {
        self.find(stream).map(|(_, schema, _)| schema.clone())
    }

    async fn count(&self, stream: &StreamInfo) -> Result<Option<u64>, SourceError> {
        self.find(stream).map(|(.., batches)| Some(batches.iter().map(|batch| batch.num_rows() as u64).sum()))
    }

    async fn try_read(&self, _: &ReadRequest) -> Result<(), SourceError> {
        Ok(())
    }

    async fn read(&self, request: ReadRequest, batches: BatchSender) -> Result<Vec<String>, SourceError> {
        let (_, schema, all) = self.find(&request.stream)?;
        let unknown = |name: &str| SourceError::Batch {
            stream: request.stream.name.clone(),
            cause: ArrowError::SchemaError(format!("no column `{name}`")),
        };
        let columns: Vec<usize> = request
            .columns
            .iter()
            .map(|field| schema.index_of(&field.name).ok_or_else(|| unknown(&field.name)))
            .collect::<Result<_, _>>()?;
        for batch in all {
            let wanted = batch
                .project(&columns)
                .map_err(|cause| SourceError::Batch { stream: request.stream.name.clone(), cause })?;
            if batches.send(wanted).await.is_err() {
                break;
            }
        }
        Ok(Vec::new())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}
