//! The lines about events.

use serde_json::{Map, Value, json};

use crate::data::event_types::EventType;
use crate::data::events::{self, Occurrence};
use crate::data::{Portal, clock};

pub(super) fn type_line(event_type: &EventType) -> Value {
    json!({ "eventType": event_type.name, "eventTypeId": event_type.defined_id() })
}

pub(super) fn definition_lines(portal: &Portal) -> impl Iterator<Item = Value> {
    portal.event_types().iter().filter_map(EventType::definition)
}

/// What happened to each live record.
pub(super) fn lines(portal: &Portal) -> impl Iterator<Item = Value> {
    events::object_types(portal)
        .flat_map(|object_type| events::of_type(portal, object_type))
        .map(|occurrence| line(&occurrence))
}

fn line(occurrence: &Occurrence<'_>) -> Value {
    let properties: Map<String, Value> =
        occurrence.properties().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    json!({
        "id": occurrence.id(),
        "eventType": occurrence.event_type.name,
        "eventTypeId": occurrence.event_type.defined_id(),
        "objectTypeId": occurrence.record.object_type().type_id(),
        "objectId": occurrence.record.id().to_string(),
        "occurredAt": clock::instant(occurrence.at),
        "properties": properties,
    })
}
