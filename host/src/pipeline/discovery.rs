//! What an account holds: its streams, and the schema of each that can be read.
//!
//! A plan begins with it. So does `sluice discover`, which shows all an account offers, whatever a pipeline file takes in.

use sluice_hubspot::source::{Source, SourceError};
use sluice_model::{schema::Schema, stream::StreamInfo};

use super::{Error, at_once::concurrently};

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

/// The streams that the source offers, with the records of each that can be read, where their number can be known.
pub async fn everything(source: &dyn Source) -> Result<Vec<(Discovered, Option<u64>)>, Error> {
    let found = schemas(source, source.streams().await?).await?;
    let count = async |discovered: Discovered| {
        let records = match &discovered.schema {
            Ok(_) => source.count(&discovered.stream).await,
            Err(_) => None,
        };
        (discovered, records)
    };
    Ok(concurrently(found, SCHEMAS_AT_ONCE, count).await)
}
