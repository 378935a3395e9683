//! The truth: the whole portal as NDJSON files, so that any program can compare.
//!
//! It is written from the data set itself, past the HTTP layer, so that a mistake in the simulated
//! API cannot hide in the comparison. Ids are text, `typeId` is a number. Files are written record by record: memory grows with
//! the links alone, but the files grow with the portal (about 2 kB a contact).
//!
//! | file | a line is |
//! |---|---|
//! | `<type>.ndjson` | a live record, by id: `id`, `archived`, `createdAt`, `updatedAt`, and `properties` with every property that is not archived, sensitive ones included, as raw text or null |
//! | `<type>.archived.ndjson` | an archived record, with `archivedAt` too |
//! | `object_types.ndjson` | an object type: `objectTypeId`, `name`, `fullyQualifiedName`, `labels`, `custom`, `file`, and how many `live` and `archived` records there are |
//! | `property_definitions.ndjson` | a property definition with its `objectTypeId`, archived ones included |
//! | `schemas.ndjson` | the schema of a custom type, archived ones included |
//! | `owners.ndjson` | an owner, archived ones included |
//! | `account_users.ndjson`, `teams.ndjson` | a user as the account's settings have it (`users.ndjson` has the records of that type); a team with its users |
//! | `association_definitions.ndjson` | a kind of link in one direction: `fromObjectTypeId`, `toObjectTypeId`, `category`, `typeId`, `name`, `label` or null, `isMain`, and `maxToObjectIds` where the account set a limit |
//! | `associations.ndjson` | one kind that a link of a live record is of, in one direction: `fromObjectTypeId`, `fromObjectId`, `toObjectTypeId`, `toObjectId`, `category`, `typeId`, `label` or null, `isMain` |
//! | `lists.ndjson` | a list, with its `size` and with `additionalProperties` |
//! | `list_memberships.ndjson` | a record in a list: `listId`, `objectTypeId`, `recordId`, `membershipTimestamp` |
//! | `event_types.ndjson` | a type of events: `eventType`, and `eventTypeId` or null where no definition tells it |
//! | `event_definitions.ndjson` | the definition of an event of the account's own, with its properties |
//! | `events.ndjson` | that something happened to a live record: `id`, `eventType`, `eventTypeId` or null, `objectTypeId`, `objectId`, `occurredAt`, and the `properties` that have a value, as raw text |
//! | `property_history.ndjson`, `property_history_capped.ndjson` | a version of a value; how many versions are not given. [`write_history`] writes them, for some properties |
//! | `pipelines.ndjson`, `pipeline_stages.ndjson` | a pipeline with its `objectTypeId`; a stage with its `objectTypeId` and `pipelineId` |
//!
//! `<type>` is the name of a standard type (`contacts`) and the fully qualified name of a custom one
//! (`p48012345_vehicle`).

mod events;
mod history;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::data::associations::{self, Definition, Direction};
use crate::data::ids::Section;
use crate::data::lists::List;
use crate::data::object_type::ObjectType;
use crate::data::record::Record;
use crate::data::{Options, Portal, clock, schemas};

pub use history::write_history;

/// Writes the portal of `options` into `dir`, which is created if it is missing. Files of the same
/// names are overwritten; others are left alone.
///
/// # Errors
///
/// What the file system answers.
pub fn write(dir: impl AsRef<Path>, options: &Options) -> io::Result<()> {
    let dir = dir.as_ref();
    fs::create_dir_all(dir)?;
    let portal = Portal::new(options);

    for object_type in portal.types() {
        let name = file_name(object_type);
        write_records(&portal, object_type, Section::Live, &dir.join(format!("{name}.ndjson")))?;
        write_records(&portal, object_type, Section::Archived, &dir.join(format!("{name}.archived.ndjson")))?;
    }
    write_lines(&dir.join("object_types.ndjson"), portal.types().iter().map(type_line))?;
    write_lines(&dir.join("property_definitions.ndjson"), portal.types().iter().flat_map(definition_lines))?;
    write_lines(&dir.join("schemas.ndjson"), schemas::all(&portal))?;
    write_lines(&dir.join("owners.ndjson"), portal.owners().iter().map(|owner| owner.listing.clone()))?;
    write_lines(&dir.join("account_users.ndjson"), portal.users().iter().map(|user| user.listing.clone()))?;
    write_lines(&dir.join("teams.ndjson"), portal.teams())?;
    write_lines(
        &dir.join("association_definitions.ndjson"),
        associations::directions().flat_map(association_definition_lines),
    )?;
    write_lines(
        &dir.join("associations.ndjson"),
        associations::directions().flat_map(|direction| association_lines(&portal, direction)),
    )?;
    write_lines(&dir.join("lists.ndjson"), portal.lists().iter().map(|list| list_line(&portal, list)))?;
    write_lines(
        &dir.join("list_memberships.ndjson"),
        portal.lists().iter().flat_map(|list| membership_lines(&portal, list)),
    )?;
    write_lines(&dir.join("event_types.ndjson"), portal.event_types().iter().map(events::type_line))?;
    write_lines(&dir.join("event_definitions.ndjson"), events::definition_lines(&portal))?;
    write_lines(&dir.join("events.ndjson"), events::lines(&portal))?;
    write_lines(&dir.join("pipelines.ndjson"), portal.types().iter().flat_map(pipeline_lines))?;
    write_lines(&dir.join("pipeline_stages.ndjson"), portal.types().iter().flat_map(stage_lines))
}

fn file_name(object_type: &ObjectType) -> &str {
    if object_type.is_custom() { object_type.fully_qualified_name() } else { object_type.name() }
}

fn write_records(portal: &Portal, object_type: &ObjectType, section: Section, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut scratch = String::new();
    for record in object_type.records(portal, section, None) {
        write_record(&mut file, &record, &mut scratch)?;
    }
    file.into_inner()?.sync_all()
}

fn write_record(file: &mut impl Write, record: &Record<'_>, scratch: &mut String) -> io::Result<()> {
    write!(
        file,
        r#"{{"id":"{}","archived":{},"createdAt":"{}","updatedAt":"{}""#,
        record.id(),
        record.is_archived(),
        clock::instant(record.created()),
        clock::instant(record.modified()),
    )?;
    if let Some(archived) = record.archived() {
        write!(file, r#","archivedAt":"{}""#, clock::instant(archived))?;
    }
    file.write_all(br#","properties":{"#)?;
    let mut separator = "";
    for property in record.object_type().properties().iter().filter(|property| !property.archived) {
        write!(file, r#"{separator}"{}":"#, property.name)?;
        separator = ",";
        scratch.clear();
        if record.append_value(property, scratch) {
            serde_json::to_writer(&mut *file, &*scratch)?;
        } else {
            file.write_all(b"null")?;
        }
    }
    file.write_all(b"}}\n")
}

fn write_lines(path: &Path, lines: impl IntoIterator<Item = Value>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for line in lines {
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()
}

fn type_line(object_type: &ObjectType) -> Value {
    let (singular, plural) = object_type.labels();
    json!({
        "objectTypeId": object_type.type_id(),
        "name": object_type.name(),
        "fullyQualifiedName": object_type.fully_qualified_name(),
        "labels": { "singular": singular, "plural": plural },
        "custom": object_type.is_custom(),
        "file": file_name(object_type),
        "live": object_type.live(),
        "archived": object_type.layout().count(Section::Archived),
    })
}

fn definition_lines(object_type: &ObjectType) -> impl Iterator<Item = Value> {
    object_type
        .properties()
        .iter()
        .enumerate()
        .map(|(order, property)| of_type(object_type, property.definition(order)))
}

fn pipeline_lines(object_type: &ObjectType) -> impl Iterator<Item = Value> {
    object_type.pipelines().iter().map(|pipeline| of_type(object_type, pipeline.listing()))
}

fn stage_lines(object_type: &ObjectType) -> impl Iterator<Item = Value> {
    object_type.pipelines().iter().flat_map(|pipeline| {
        pipeline.stage_listings().map(|mut stage| {
            stage["pipelineId"] = Value::from(pipeline.id.as_str());
            of_type(object_type, stage)
        })
    })
}

fn association_definition_lines(direction: Direction) -> impl Iterator<Item = Value> {
    direction.definitions().into_iter().map(move |definition| {
        let mut line = kind(direction, definition);
        line["name"] = Value::from(definition.name());
        if let Some(limit) = definition.limit() {
            line["maxToObjectIds"] = Value::from(limit);
        }
        line
    })
}

fn association_lines(portal: &Portal, direction: Direction) -> impl Iterator<Item = Value> {
    portal.links(direction).iter().flat_map(move |link| {
        link.definitions(direction).into_iter().map(move |definition| {
            let mut line = kind(direction, definition);
            line["fromObjectId"] = Value::from(link.from.to_string());
            line["toObjectId"] = Value::from(link.to.to_string());
            line
        })
    })
}

fn kind(direction: Direction, definition: Definition) -> Value {
    json!({
        "fromObjectTypeId": direction.from(),
        "toObjectTypeId": direction.to(),
        "category": definition.category(),
        "typeId": definition.type_id(),
        "label": definition.label(),
        "isMain": direction.is_main(definition),
    })
}

fn list_line(portal: &Portal, list: &List) -> Value {
    let mut line = list.found(portal);
    line["size"] = Value::from(list.size(portal));
    line
}

fn membership_lines<'a>(portal: &'a Portal, list: &'a List) -> impl Iterator<Item = Value> + use<'a> {
    list.members(portal, None).map(move |member| {
        json!({
            "listId": list.id(),
            "objectTypeId": list.type_id(),
            "recordId": member.record_id.to_string(),
            "membershipTimestamp": clock::instant(member.joined),
        })
    })
}

fn of_type(object_type: &ObjectType, mut line: Value) -> Value {
    line["objectTypeId"] = Value::from(object_type.type_id());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(dir: &Path, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(dir.join(name)).expect("the file is there");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    #[test]
    fn one_line_a_record_in_id_order_with_every_property() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let options = Options { contacts: 300, ..Options::default() };
        write(dir.path(), &options).expect("the truth is written");

        let contacts = lines(dir.path(), "contacts.ndjson");
        assert_eq!(contacts.len(), 300);
        let ids: Vec<u64> =
            contacts.iter().map(|line| line["id"].as_str().expect("text").parse().expect("a number")).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));

        let portal = Portal::new(&options);
        let live_properties = portal
            .find_type("contacts")
            .expect("contacts")
            .properties()
            .iter()
            .filter(|property| !property.archived)
            .count();
        for line in &contacts {
            let properties = line["properties"].as_object().expect("properties");
            assert_eq!(properties.len(), live_properties);
            assert!(properties.values().all(|value| value.is_null() || value.is_string()));
            assert_eq!(properties["hs_object_id"], line["id"]);
        }

        let archived = lines(dir.path(), "contacts.archived.ndjson");
        assert!(!archived.is_empty());
        assert!(archived.iter().all(|line| line["archivedAt"].is_string() && line["archived"] == true));
    }

    #[test]
    fn every_type_of_the_index_has_its_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        write(dir.path(), &Options { contacts: 60, ..Options::default() }).expect("the truth is written");
        let types = lines(dir.path(), "object_types.ndjson");
        assert_eq!(types.len(), 38);
        for line in types {
            let name = line["file"].as_str().expect("a file");
            assert_eq!(line["live"], lines(dir.path(), &format!("{name}.ndjson")).len());
            assert_eq!(line["archived"], lines(dir.path(), &format!("{name}.archived.ndjson")).len());
        }
        for name in [
            "owners",
            "account_users",
            "teams",
            "association_definitions",
            "associations",
            "event_types",
            "event_definitions",
            "events",
            "lists",
            "list_memberships",
            "pipelines",
            "pipeline_stages",
            "property_definitions",
            "schemas",
        ] {
            assert!(!lines(dir.path(), &format!("{name}.ndjson")).is_empty(), "{name}");
        }
    }
}
