//! From HubSpot's property definitions to the schema of a stream.

use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute, unparsed_name},
    stream::{StreamInfo, StreamKind},
};

use super::{api, names, record, sensitivity};

/// The text between the values of a property that holds several.
const SEPARATOR: &str = ";";

/// What a column refers to when it holds the id of an owner.
const OWNER: &str = "owner";

/// The property that repeats a record's id.
const ID_PROPERTY: &str = "hs_object_id";

/// The property that lists the ids of records merged into this one.
const MERGED_PROPERTY: &str = "hs_merged_object_ids";

/// The schema of a stream of records: what every record has, then a column a property.
pub(super) fn of_records(stream: &StreamInfo, type_id: &str, properties: &[api::Property]) -> Schema {
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
    let names = names::columns(&properties.iter().map(|property| property.name.as_str()).collect::<Vec<_>>());
    for (property, column) in properties.iter().zip(names) {
        let field = property_field(property, &column, type_id);
        let companion = (field.column_type != ColumnType::Text).then(|| companion_of(&field));
        fields.push(field);
        fields.extend(companion);
    }
    Schema { name: stream.name.clone(), fields, attributes: super::attributes_of(stream) }
}

fn property_field(property: &api::Property, column: &str, own_type: &str) -> Field {
    let references = references(property, own_type);
    let column_type =
        if references.is_some() || holds_ids(property) { ColumnType::Text } else { column_type(&property.value_type) };
    let mut field = Field::new(column, column_type)
        .with(attribute::PROPERTY, &property.name)
        .with(attribute::HUBSPOT_TYPE, &property.value_type)
        .with(attribute::HUBSPOT_FIELD_TYPE, &property.field_type);
    let alone = names::column(&property.name);
    if alone != column {
        field = field.with(attribute::SHARED_NAME, alone);
    }
    if let Some(label) = &property.label {
        field = field.with(attribute::LABEL, label);
    }
    if let Some(references) = references {
        field = field.with(attribute::REFERENCES, references);
    }
    if property.field_type == "checkbox" || property.name == MERGED_PROPERTY {
        field = field.with(attribute::SEPARATOR, SEPARATOR);
    }
    field.marks = sensitivity::marks(property);
    field
}

/// The column that keeps what does not fit a property's type.
fn companion_of(field: &Field) -> Field {
    Field {
        name: unparsed_name(&field.name),
        column_type: ColumnType::Text,
        nullable: true,
        marks: field.marks.clone(),
        attributes: field.attributes.clone(),
    }
    .with(attribute::UNPARSED_OF, &field.name)
}

/// The type that a property's values ought to fit, given either of its columns.
pub(super) fn column_type_of(field: &Field) -> ColumnType {
    match field.attributes.get(attribute::HUBSPOT_TYPE) {
        Some(hubspot) if field.attributes.contains_key(attribute::UNPARSED_OF) => column_type(hubspot),
        _ => field.column_type,
    }
}

fn column_type(hubspot: &str) -> ColumnType {
    match hubspot {
        "number" => ColumnType::Float,
        "bool" => ColumnType::Boolean,
        "date" => ColumnType::Date,
        "datetime" => ColumnType::Timestamp,
        // `string`, `enumeration`, `phone_number`, `object_coordinates`, `json`, and whatever comes next.
        _ => ColumnType::Text,
    }
}

/// Whether a number property holds ids: those are names, not quantities, and stay text.
fn holds_ids(property: &api::Property) -> bool {
    const ID_SUFFIXES: [&str; 5] = ["_id", "_ids", "_vid", "_vids", "_userid"];
    property.value_type == "number" && ID_SUFFIXES.iter().any(|suffix| property.name.ends_with(suffix))
}

/// What the ids in a property point to.
fn references(property: &api::Property, own_type: &str) -> Option<String> {
    if property.name == ID_PROPERTY || property.name == MERGED_PROPERTY {
        return Some(own_type.to_owned());
    }
    let referenced = property.referenced_object_type.as_deref()?;
    if referenced.eq_ignore_ascii_case(OWNER) {
        return Some(OWNER.to_owned());
    }
    super::types::id_of_singular(referenced).map(str::to_owned).or_else(|| {
        let is_type_id = referenced.starts_with(|first: char| first.is_ascii_digit());
        is_type_id.then(|| referenced.to_owned())
    })
}

/// The schema of a stream of definitions: its columns are sluice's own, not a portal's.
pub(super) fn of_definitions(stream: &StreamInfo) -> Schema {
    let key = |name: &str| Field::new(name, ColumnType::Text).required().with(attribute::KEY, "true");
    let text = |name: &str| Field::new(name, ColumnType::Text);
    let flag = |name: &str| Field::new(name, ColumnType::Boolean);
    let count = |name: &str| Field::new(name, ColumnType::Integer);
    let time = |name: &str| Field::new(name, ColumnType::Timestamp);
    let type_key = |name: &str| key(name).with(attribute::OBJECT_TYPE, "true");
    let mut fields = match stream.kind {
        StreamKind::Owners => vec![
            key("ownerId").with(attribute::REFERENCES, OWNER),
            text("userId"),
            text("email"),
            text("firstName"),
            text("lastName"),
            text("type"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ],
        StreamKind::Pipelines => vec![
            type_key(record::OBJECT_TYPE_ID),
            key("pipelineId"),
            text("label"),
            count("displayOrder"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ],
        StreamKind::PipelineStages => vec![
            type_key(record::OBJECT_TYPE_ID),
            key("pipelineId"),
            key("stageId"),
            text("label"),
            count("displayOrder"),
            flag("archived"),
            text("metadata"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ],
        StreamKind::PropertyDefinitions => vec![
            type_key(record::OBJECT_TYPE_ID),
            key("name"),
            text("label"),
            text("description"),
            text("type"),
            text("fieldType"),
            text("groupName"),
            text("options"),
            text("referencedObjectType"),
            text("dataSensitivity"),
            text("sensitiveDataCategories"),
            flag("calculated"),
            flag("hasUniqueValue"),
            flag("hubspotDefined"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ],
        StreamKind::TypeDefinitions => vec![
            type_key(record::OBJECT_TYPE_ID),
            text("fullyQualifiedName"),
            text("name"),
            text("singularLabel"),
            text("pluralLabel"),
            text("description"),
            text("primaryDisplayProperty"),
            flag("custom"),
            flag("archived"),
            time("createdAt"),
            time(record::UPDATED_AT),
        ],
        StreamKind::Objects => unreachable!("records have the schema of their properties"),
    };
    fields.push(time(record::INGESTED_AT).required());
    Schema { name: stream.name.clone(), fields, attributes: super::attributes_of(stream) }
}
