//! What has happened to records: a stream for each type of events, where somebody has said of which records.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{EventType, StreamInfo, StreamKind},
};

use super::{Kind, definitions};
use crate::source::{
    Price, ReadRequest, Reading, SourceError,
    hubspot::{EventRecords, EventScope, HubSpot, events::Events as Reader, names, property, ranged::Ranged, record},
};

/// The names of the columns.
pub(in crate::source::hubspot) mod column {
    pub(in crate::source::hubspot) const ID: &str = "id";
    pub(in crate::source::hubspot) const EVENT_TYPE: &str = "eventTypeId";
    pub(in crate::source::hubspot) const OCCURRED_AT: &str = "occurredAt";
}

/// Events.
pub(super) struct Events;

#[async_trait]
impl Kind for Events {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::Events { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        if hubspot.events.is_none() {
            return Ok(Vec::new());
        }
        hubspot.custom_types().await?;
        let Some(records) = hubspot.type_of_events() else { return Ok(Vec::new()) };
        let of = records.kind.type_id().unwrap_or_else(|| unreachable!("records are of one type"));
        Ok(names::event_streams(&hubspot.all_event_types(of).await?, of))
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let (event_type, of) = type_of(stream);
        if let Some(EventScope { records: EventRecords::InList(name), .. }) = &hubspot.events {
            hubspot.list_for_events(stream, of, name).await?;
        }
        let properties = hubspot.event_properties(stream, event_type, of).await?;
        let mut fields = vec![
            definitions::key(column::ID),
            definitions::text(column::EVENT_TYPE).required(),
            definitions::text(record::OBJECT_TYPE_ID).required().with(attribute::OBJECT_TYPE, "true"),
            definitions::text(record::OBJECT_ID).required().with(attribute::REFERENCES, of),
            definitions::time(column::OCCURRED_AT),
        ];
        fields.extend(property::columns(&properties, event_type.id.as_deref().unwrap_or(&event_type.full_name)));
        fields.push(Field::new(record::INGESTED_AT, ColumnType::Timestamp).required());
        Ok(super::schema(stream, fields))
    }

    fn needs(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Vec<String> {
        match &hubspot.events {
            // The list says who its members are.
            Some(EventScope { records: EventRecords::InList(_), .. }) => Vec::new(),
            Some(_) | None => vec![type_of(stream).1.to_owned()],
        }
    }

    async fn price(&self, hubspot: &HubSpot, request: &ReadRequest, ids_are_kept: bool) -> Option<Price> {
        let of = type_of(&request.stream).1;
        let (records, listing) = hubspot.price_of_ids_for_events(&request.stream, of, ids_are_kept).await?;
        // A record with more events than a page has takes more; how many have so many nobody says.
        Some(Price { requests: listing + records, rows: None })
    }

    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
        reader(hubspot, request.clone()).try_one().await
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        let (readers, resumes) = (request.readers, request.resumes.clone());
        Arc::new(Ranged::resuming(reader(hubspot, request), readers, resumes))
    }
}

fn reader(hubspot: &HubSpot, request: ReadRequest) -> Reader {
    let stream = request.stream.clone();
    let (event_type, of) = type_of(&stream);
    Reader::new(hubspot, request, event_type, of)
}

/// The type of the events of a stream, and that of the records.
fn type_of(stream: &StreamInfo) -> (&EventType, &str) {
    match &stream.kind {
        StreamKind::Events { event_type, of } => (event_type, of),
        _ => unreachable!("events are of one type"),
    }
}
