//! Schemas: what HubSpot says about custom object types, and about those alone.

use serde_json::{Value, json};

use super::object_type::ObjectType;
use super::owners::FIRST_USER_ID;
use super::property::Sensitivity;
use super::{PORTAL_ID, Portal, associations, clock};

/// A custom type that was deleted: its id and name.
const ARCHIVED_SCHEMA: (&str, &str) = ("2-13370009", "old_vehicle");

/// The user who defined the schemas.
const AUTHOR: u64 = FIRST_USER_ID;

/// All schemas, complete; the archived one comes last.
pub(crate) fn all(portal: &Portal) -> Vec<Value> {
    let custom = portal.types().iter().filter(|object_type| object_type.is_custom());
    custom.enumerate().map(|(ordinal, object_type)| schema(object_type, ordinal)).chain([archived_schema()]).collect()
}

/// `ordinal` tells the custom types apart.
fn schema(object_type: &ObjectType, ordinal: usize) -> Value {
    let properties: Vec<Value> = object_type
        .properties()
        .iter()
        .enumerate()
        .filter(|(_, property)| !property.archived && property.sensitivity == Sensitivity::NonSensitive)
        .map(|(order, property)| property.definition(order))
        .collect();
    let allows_sensitive =
        object_type.properties().iter().any(|property| property.sensitivity != Sensitivity::NonSensitive);
    let display = object_type
        .properties()
        .iter()
        .filter(|property| !property.hubspot_defined)
        .map(|property| property.name.as_ref())
        .find(|name| matches!(*name, "vin" | "title"));
    let mut schema = frame(object_type.type_id(), object_type.name(), object_type.labels(), ordinal, false);
    schema["primaryDisplayProperty"] = Value::from(display);
    schema["requiredProperties"] = json!(display.iter().collect::<Vec<_>>());
    schema["searchableProperties"] = json!(display.iter().collect::<Vec<_>>());
    schema["allowsSensitiveProperties"] = Value::from(allows_sensitive);
    schema["properties"] = Value::from(properties);
    schema["associations"] = associations::defined_by(object_type.type_id())
        .map(|(to, definition)| {
            json!({
                "id": definition.type_id().to_string(),
                "fromObjectTypeId": object_type.type_id(),
                "toObjectTypeId": to,
                "name": definition.name(),
                "createdAt": clock::instant(clock::created(ordinal as u64)),
                "updatedAt": clock::instant(clock::created(ordinal as u64)),
            })
        })
        .collect();
    schema
}

fn archived_schema() -> Value {
    let (type_id, name) = ARCHIVED_SCHEMA;
    let mut schema = frame(type_id, name, ("Old vehicle", "Old vehicles"), 0, true);
    for list in ["requiredProperties", "searchableProperties", "properties", "associations"] {
        schema[list] = Value::from(Vec::<Value>::new());
    }
    schema["allowsSensitiveProperties"] = Value::from(false);
    schema
}

fn frame(type_id: &str, name: &str, (singular, plural): (&str, &str), ordinal: usize, archived: bool) -> Value {
    json!({
        "id": type_id.trim_start_matches("2-"),
        "objectTypeId": type_id,
        "name": name,
        "fullyQualifiedName": format!("p{PORTAL_ID}_{name}"),
        "labels": { "singular": singular, "plural": plural },
        "description": format!("{plural} of the clinic"),
        "secondaryDisplayProperties": [],
        "archived": archived,
        "createdAt": clock::instant(clock::created(ordinal as u64)),
        "updatedAt": clock::instant(clock::created(ordinal as u64 + 1)),
        "createdByUserId": AUTHOR,
        "updatedByUserId": AUTHOR,
    })
}
