//! The lines about what values were before. There are many: about three for each value of a record.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::write_lines;
use crate::data::history::{History, Version};
use crate::data::ids::Section;
use crate::data::object_type::ObjectType;
use crate::data::property::Property;
use crate::data::{Options, Portal, clock};

/// All properties of a type that are not archived.
const ALL: &str = "*";

/// Writes two files about the history of these properties into `dir`, which is created if it is missing. A property is the type
/// as paths have it (`contacts`, `0-1`), and its name or `*` for all of the type that are not archived; sensitive ones are no
/// exception.
///
/// - `property_history.ndjson`: a version that the API gives of a live record: `objectTypeId`, `objectId`, `name`, `value`,
///   `timestamp`, `sourceType`, and `sourceId`, `sourceLabel` and `updatedByUserId`, which may be null;
/// - `property_history_capped.ndjson`: a property of a live record of which there are more versions than the API gives:
///   `objectTypeId`, `objectId`, `name`, how many `versions` there are, and how many are `given`.
///
/// # Errors
///
/// What the file system answers; [`io::ErrorKind::InvalidInput`] where a property is not there or archived.
pub fn write_history(dir: impl AsRef<Path>, options: &Options, properties: &[(String, String)]) -> io::Result<()> {
    let dir = dir.as_ref();
    fs::create_dir_all(dir)?;
    let portal = Portal::new(options);
    let mut chosen = Vec::new();
    for (object_type, name) in properties {
        let found = chosen_properties(&portal, object_type, name);
        if found.is_empty() {
            let message = format!("there is no property `{name}` of `{object_type}`");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        // One that was named twice is written once.
        chosen.retain(|(of, property): &(&ObjectType, &Property)| {
            !found.iter().any(|(to, other)| of.type_id() == to.type_id() && property.name == other.name)
        });
        chosen.extend(found);
    }
    let histories = || chosen.iter().flat_map(|(object_type, property)| histories(&portal, object_type, property));
    let versions = histories().flat_map(|history| {
        let given: Vec<Value> =
            history.versions().take(cap(&history)).map(|version| line(&history, &version)).collect();
        given
    });
    write_lines(&dir.join("property_history.ndjson"), versions)?;
    let capped = histories().filter(|history| history.len() > cap(history));
    write_lines(&dir.join("property_history_capped.ndjson"), capped.map(|history| capped_line(&history)))
}

fn chosen_properties<'a>(portal: &'a Portal, object_type: &str, name: &str) -> Vec<(&'a ObjectType, &'a Property)> {
    let Some(object_type) = portal.find_type(object_type) else { return Vec::new() };
    let properties = object_type.properties().iter();
    properties
        .filter(|property| !property.archived && (name == ALL || property.name == name))
        .map(|property| (object_type, property))
        .collect()
}

fn histories<'a>(
    portal: &'a Portal,
    object_type: &'a ObjectType,
    property: &'a Property,
) -> impl Iterator<Item = History<'a>> + use<'a> {
    object_type.records(portal, Section::Live, None).map(move |record| History::new(record, property))
}

fn cap(history: &History<'_>) -> usize {
    history.record().portal().history_cap(history.record().object_type())
}

fn of_property(history: &History<'_>, mut line: Value) -> Value {
    line["objectTypeId"] = Value::from(history.record().object_type().type_id());
    line["objectId"] = Value::from(history.record().id().to_string());
    line["name"] = Value::from(history.property().name.as_ref());
    line
}

fn line(history: &History<'_>, version: &Version) -> Value {
    let source = &version.source;
    of_property(
        history,
        json!({
            "value": version.value,
            "timestamp": clock::instant(version.at),
            "sourceType": source.kind,
            "sourceId": source.id,
            "sourceLabel": source.label,
            "updatedByUserId": source.user,
        }),
    )
}

fn capped_line(history: &History<'_>) -> Value {
    of_property(history, json!({ "versions": history.len(), "given": cap(history) }))
}
