//! From a property's definition to its columns: the one of its values, and where these have a type, the one of texts that do
//! not fit it.

use sluice_model::schema::{ColumnType, Field, attribute, unparsed_name};

use super::{api, names, record, sensitivity, types};

/// The text between the values of a property that holds several.
const SEPARATOR: &str = ";";

/// The property that lists the ids of records merged into this one.
const MERGED_PROPERTY: &str = "hs_merged_object_ids";

/// HubSpot's own properties that hold ids of people and teams, of which their definitions do not say so.
const OF_PEOPLE: [(&str, &str); 8] = [
    ("hubspot_owner_id", types::OWNER),
    ("hs_all_owner_ids", types::OWNER),
    ("hs_created_by_user_id", types::ACCOUNT_USER),
    ("hs_updated_by_user_id", types::ACCOUNT_USER),
    ("hs_user_ids_of_all_owners", types::ACCOUNT_USER),
    ("hubspot_team_id", types::TEAM),
    ("hs_all_team_ids", types::TEAM),
    ("hs_all_accessible_team_ids", types::TEAM),
];

/// The columns of these properties, of records of this type: of each, the one of its values, and where these have a type, the
/// one of texts that do not fit it.
pub(super) fn columns(properties: &[api::Property], own_type: &str) -> Vec<Field> {
    let names = names::columns(&properties.iter().map(|property| property.name.as_str()).collect::<Vec<_>>());
    let mut fields = Vec::new();
    for (property, column) in properties.iter().zip(names) {
        let field = field(property, &column, own_type);
        let companion = (field.column_type != ColumnType::Text).then(|| companion_of(&field));
        fields.push(field);
        fields.extend(companion);
    }
    fields
}

/// The column of a property, of records of this type.
fn field(property: &api::Property, column: &str, own_type: &str) -> Field {
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
    if property.name == record::ID_PROPERTY || property.name == MERGED_PROPERTY {
        return Some(own_type.to_owned());
    }
    let of_people = OF_PEOPLE.iter().find(|(name, _)| *name == property.name && property.hubspot_defined == Some(true));
    if let Some((_, people)) = of_people {
        return Some((*people).to_owned());
    }
    let referenced = property.referenced_object_type.as_deref()?;
    if referenced.eq_ignore_ascii_case(types::OWNER) {
        return Some(types::OWNER.to_owned());
    }
    types::id_of_singular(referenced).map(str::to_owned).or_else(|| {
        let is_type_id = referenced.starts_with(|first: char| first.is_ascii_digit());
        is_type_id.then(|| referenced.to_owned())
    })
}
