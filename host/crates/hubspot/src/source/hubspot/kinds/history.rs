//! What the properties of records were before: a stream for each object type, always offered, since that costs no request.
//!
//! The columns of properties are those of the stream of the records themselves, so that whatever a pipeline file says of a
//! property, and every mark on it, holds for its past too. A batch has those of one property only: a row is a version of one.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::{Kind, definitions};
use crate::source::{
    Price, ReadRequest, Reading, SourceError,
    hubspot::{
        HubSpot, Refusal, api,
        history::{self, History as Reader},
        property,
        ranged::Ranged,
        read, record, types, unlisted,
    },
};

/// The names of the columns.
pub(in crate::source::hubspot) mod column {
    pub(in crate::source::hubspot) const SOURCE_TYPE: &str = "sourceType";
    pub(in crate::source::hubspot) const SOURCE_ID: &str = "sourceId";
    pub(in crate::source::hubspot) const UPDATED_BY: &str = "updatedByUserId";
}

/// Versions of properties.
pub(super) struct History;

#[async_trait]
impl Kind for History {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::History { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        let types = hubspot.object_types().await?;
        Ok(types.iter().filter_map(|records| Some(StreamInfo::history(records, records.kind.type_id()?))).collect())
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let type_id = type_of(stream);
        match &*hubspot.properties(type_id).await? {
            Ok(properties) => {
                let mut schema = super::schema(stream, columns(type_id, properties));
                schema.attributes.insert(attribute::OBJECT_TYPE_ID.to_owned(), type_id.to_owned());
                Ok(schema)
            }
            Err(Refusal { level, why, cause }) => Err(unlisted(stream, *level, *why, cause)),
        }
    }

    fn needs(&self, _: &HubSpot, stream: &StreamInfo) -> Vec<String> {
        vec![type_of(stream).to_owned()]
    }

    async fn price(&self, hubspot: &HubSpot, request: &ReadRequest, ids_are_kept: bool) -> Option<Price> {
        if history::asks_for_nothing(request) {
            return Some(Price { requests: 0, rows: Some(0) });
        }
        let records = hubspot.count_of(type_of(&request.stream)).await?;
        let ids = if ids_are_kept { 0 } else { read::requests_for_ids(records) };
        Some(Price { requests: ids + history::requests(records), rows: None })
    }

    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
        // Who may see the value of a property may see its past.
        read::Records::new(hubspot, type_of(&request.stream), request).try_first().await
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        let (readers, resumes, type_id) =
            (request.readers, request.resumes.clone(), type_of(&request.stream).to_owned());
        Arc::new(Ranged::resuming(Reader::new(hubspot, request, &type_id), readers, resumes))
    }
}

fn type_of(stream: &StreamInfo) -> &str {
    match &stream.kind {
        StreamKind::History { type_id } => type_id,
        _ => unreachable!("a history is of one type"),
    }
}

/// What every version has, then the columns of all properties as the records have them.
fn columns(type_id: &str, properties: &[api::Property]) -> Vec<Field> {
    let mut fields = vec![
        definitions::type_key(),
        definitions::key(record::OBJECT_ID).with(attribute::REFERENCES, type_id),
        definitions::time(record::UPDATED_AT).required().with(attribute::KEY, "true"),
        definitions::text(column::SOURCE_TYPE),
        definitions::text(column::SOURCE_ID),
        definitions::text(column::UPDATED_BY).with(attribute::REFERENCES, types::ACCOUNT_USER),
        Field::new(record::INGESTED_AT, ColumnType::Timestamp).required(),
    ];
    let is_calculated = |field: &Field| {
        let name = field.attributes.get(attribute::PROPERTY).map(String::as_str).unwrap_or_default();
        let by_definition =
            properties.iter().any(|property| property.name == name && property.calculated == Some(true));
        by_definition || record::LAST_MODIFIED.contains(&name)
    };
    fields.extend(
        property::columns(properties, type_id)
            .into_iter()
            .map(|field| if is_calculated(&field) { field.with(attribute::CALCULATED, "true") } else { field }),
    );
    fields
}
