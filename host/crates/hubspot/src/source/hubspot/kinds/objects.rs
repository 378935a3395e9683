//! Records of one object type: contacts, deals, the account's own types.
//!
//! Their columns are the type's properties, of all levels of sensitivity: what is sensitive is known, and marked, before any
//! value is asked for. How they are read is told in `read`.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::Kind;
use crate::source::{
    Price, ReadRequest, Reading, SourceError,
    hubspot::{HubSpot, Refusal, api, property, read, record, unlisted},
};

/// Records, a stream an object type.
pub(super) struct Objects;

#[async_trait]
impl Kind for Objects {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::Objects { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        hubspot.object_types().await
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let type_id = type_of(stream);
        match &*hubspot.properties(type_id).await? {
            Ok(properties) => Ok(super::schema(stream, columns(type_id, properties))),
            Err(Refusal { level, why, cause }) => Err(unlisted(stream, *level, *why, cause)),
        }
    }

    fn is_counted(&self) -> bool {
        true
    }

    async fn count(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Option<u64> {
        hubspot.count_now(type_of(stream)).await
    }

    async fn price(&self, hubspot: &HubSpot, request: &ReadRequest, _: bool) -> Option<Price> {
        read::Records::new(hubspot, type_of(&request.stream), request).price().await
    }

    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
        read::Records::new(hubspot, type_of(&request.stream), request).try_first().await
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        Arc::new(read::Records::new(hubspot, type_of(&request.stream), &request))
    }
}

/// The object type of a stream of records.
fn type_of(stream: &StreamInfo) -> &str {
    stream.kind.type_id().unwrap_or_else(|| unreachable!("records are of one type"))
}

/// The columns of a stream of records: what every record has, then one a property.
fn columns(type_id: &str, properties: &[api::Property]) -> Vec<Field> {
    let mut fields = vec![
        Field::new(record::OBJECT_TYPE_ID, ColumnType::Text)
            .required()
            .with(attribute::KEY, "true")
            .with(attribute::OBJECT_TYPE, "true"),
        Field::new(record::OBJECT_ID, ColumnType::Text)
            .required()
            .with(attribute::KEY, "true")
            .with(attribute::REFERENCES, type_id),
        Field::new(record::UPDATED_AT, ColumnType::Timestamp),
        Field::new(record::INGESTED_AT, ColumnType::Timestamp).required(),
    ];
    fields.extend(property::columns(properties, type_id));
    fields
}
