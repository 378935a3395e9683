//! What an account holds: its streams, and the schema of each that can be read.
//!
//! A plan begins with it. So does `sluice discover`, which shows all an account offers, whatever a pipeline file takes in; but
//! for associations, histories and events: of these, what the file takes in.

use sluice_hubspot::source::{Source, SourceError, Unreadable};
use sluice_model::{
    schema::Schema,
    stream::{StreamInfo, StreamKind},
};

use super::{Error, Pipeline, at_once::concurrently};

/// Streams whose schemas are asked for at once. Each takes a few requests, and the limit of the account holds for these too.
const SCHEMAS_AT_ONCE: usize = 8;

/// A stream, and what is known of it.
#[derive(Debug)]
pub struct Discovered {
    /// The stream.
    pub stream: StreamInfo,
    /// Its schema, or why it cannot be read: a [`SourceError::NotReadable`].
    pub schema: Result<Schema, SourceError>,
}

/// Asks for the schemas of these streams, a few at once. That one cannot be read is no error here.
pub(super) async fn schemas(source: &dyn Source, streams: Vec<StreamInfo>) -> Result<Vec<Discovered>, Error> {
    let one = async |stream: StreamInfo| match source.schema(&stream).await {
        Err(error @ SourceError::NotReadable { .. }) => Ok(Discovered { stream, schema: Err(error) }),
        Err(error) => Err(Error::Source(error)),
        Ok(schema) => Ok(Discovered { stream, schema: Ok(schema) }),
    };
    concurrently(streams, SCHEMAS_AT_ONCE, one).await.into_iter().collect()
}

/// Whether it is one of many that an account could have and does not: a pair of types that are never linked, a type without
/// lists.
fn is_not_there(Discovered { stream, schema }: &Discovered) -> bool {
    stream.group().is_some() && matches!(schema, Err(SourceError::NotReadable { why: Unreadable::Absent, .. }))
}

/// Whether it is of a kind of which there are many more streams than anybody reads.
fn is_one_of_very_many(stream: &StreamInfo) -> bool {
    stream.kind.is_by_record() || matches!(stream.kind, StreamKind::Associations { .. })
}

/// The streams that the source offers, with the records of each that can be read, where their number can be known. Of the
/// associations, histories and events those that the pipeline file takes in: there is one for each pair of types, each type,
/// each type of events, and a question about each.
pub async fn everything(pipeline: &Pipeline, source: &dyn Source) -> Result<Vec<(Discovered, Option<u64>)>, Error> {
    let rules = pipeline.rules();
    let mut offered = source.streams().await?;
    offered.retain(|stream| !is_one_of_very_many(stream) || rules.takes(stream.names()));
    let mut found = schemas(source, offered).await?;
    found.retain(|it| !is_not_there(it) || rules.names(&it.stream));
    let count = async |discovered: Discovered| {
        let records = match &discovered.schema {
            Ok(_) => source.count(&discovered.stream).await,
            Err(_) => None,
        };
        (discovered, records)
    };
    Ok(concurrently(found, SCHEMAS_AT_ONCE, count).await)
}
