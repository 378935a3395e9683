//! What there is to read: properties, schemas, pipelines.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::Token;
use super::objects::{known_type, readable_type};
use super::query::Query;
use super::route::Version;
use super::server::Call;
use crate::data::object_type::ObjectType;
use crate::data::property::{Property, Sensitivity};
use crate::data::schemas;

/// The fields of a property that 2026-09 no longer has.
const DISPLAY_HINTS: [&str; 4] = ["currencyPropertyName", "dateDisplayHint", "numberDisplayHint", "textDisplayHint"];

const NOT_SIMULATED: &[(&str, &str)] =
    &[("properties", "the choice of property fields"), ("locale", "other languages")];

/// The fields of a schema that tell who changed it and when.
const AUDIT_FIELDS: [&str; 4] = ["createdAt", "updatedAt", "createdByUserId", "updatedByUserId"];

/// All properties of one sensitivity, live or archived, on one page. Needs no sensitive scope: those
/// guard values, not definitions.
pub(super) fn list_properties(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let (object_type, wanted) = wanted_properties(call, segment)?;
    let results: Vec<Value> = wanted.into_iter().map(|index| definition(object_type, index, call.version)).collect();
    Ok(Answer::ok(&json!({ "results": results })))
}

pub(super) fn get_property(call: &Call<'_>, segment: &str, name: &str) -> Result<Answer, Refusal> {
    let (object_type, wanted) = wanted_properties(call, segment)?;
    let found = object_type.property(name).filter(|(index, _)| wanted.contains(index));
    let (index, _) = found.ok_or_else(|| Refusal::NotFound(format!("Property {name} does not exist")))?;
    Ok(Answer::ok(&definition(object_type, index, call.version)))
}

/// The type, and the indices of those of its properties that the query means.
fn wanted_properties<'a>(call: &Call<'a>, segment: &str) -> Result<(&'a ObjectType, Vec<usize>), Refusal> {
    let object_type = known_type(call.portal, segment)?;
    call.token.require_one_of(object_type.scopes().definitions())?;
    call.query.refuse(NOT_SIMULATED)?;
    let archived = call.query.flag("archived", false)?;
    let level = sensitivity(&call.query)?;
    let wanted = |property: &Property| property.archived == archived && property.sensitivity == level;
    let properties = object_type.properties().iter().enumerate();
    Ok((object_type, properties.filter(|(_, property)| wanted(property)).map(|(index, _)| index).collect()))
}

fn sensitivity(query: &Query) -> Result<Sensitivity, Refusal> {
    let Some(text) = query.get("dataSensitivity") else { return Ok(Sensitivity::NonSensitive) };
    Sensitivity::parse(text).ok_or_else(|| Refusal::Invalid(format!("dataSensitivity cannot be {text}.")))
}

fn definition(object_type: &ObjectType, index: usize, version: Version) -> Value {
    in_version(object_type.properties()[index].definition(index), version)
}

pub(super) fn in_version(mut definition: Value, version: Version) -> Value {
    if let (Some(fields), false) = (definition.as_object_mut(), version.is_before_september_2026()) {
        fields.retain(|name, _| !DISPLAY_HINTS.contains(&name.as_str()));
    }
    definition
}

/// The schemas of custom types, on one page.
pub(super) fn list_schemas(call: &Call<'_>) -> Result<Answer, Refusal> {
    let results = wanted_schemas(call)?;
    Ok(Answer::ok(&json!({ "results": results })))
}

pub(super) fn get_schema(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let schemas = wanted_schemas(call)?;
    let schema =
        schemas.into_iter().find(|schema| schema["objectTypeId"] == segment || schema["fullyQualifiedName"] == segment);
    schema
        .map(|schema| Answer::ok(&schema))
        .ok_or_else(|| Refusal::NotFound(format!("Unable to find a schema for {segment}.")))
}

fn wanted_schemas(call: &Call<'_>) -> Result<Vec<Value>, Refusal> {
    require_custom_schemas(call.token)?;
    let archived = call.query.flag("archived", false)?;
    let with_properties = call.query.flag("includePropertyDefinitions", true)?;
    let with_associations = call.query.flag("includeAssociationDefinitions", true)?;
    let with_audit = call.query.flag("includeAuditMetadata", true)?;
    let schemas = schemas::all(call.portal).into_iter().filter(|schema| schema["archived"] == archived);
    let shaped = schemas.map(|mut schema| {
        if let Some(Value::Array(properties)) = schema.get_mut("properties") {
            if !with_properties {
                properties.clear();
            }
            for property in properties {
                *property = in_version(property.take(), call.version);
            }
        }
        if !with_associations {
            schema["associations"] = json!([]);
        }
        if let (Some(fields), false) = (schema.as_object_mut(), with_audit) {
            fields.retain(|name, _| !AUDIT_FIELDS.contains(&name.as_str()));
        }
        schema
    });
    Ok(shaped.collect())
}

fn require_custom_schemas(token: &Token) -> Result<(), Refusal> {
    token.require_one_of(vec!["crm.schemas.custom.read".to_owned(), "crm.objects.custom.read".to_owned()])
}

/// All pipelines of a type with their stages, on one page. Standard types that can have none are
/// refused; a custom type without any has an empty list.
pub(super) fn list_pipelines(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let object_type = readable_type(call.portal, segment, call.token)?;
    if object_type.pipelines().is_empty() && !object_type.is_custom() {
        return Err(Refusal::Invalid(format!("Object type {segment} does not support pipelines.")));
    }
    let results = object_type.pipelines().iter().map(|pipeline| {
        let mut listing = pipeline.listing();
        listing["stages"] = pipeline.stage_listings().collect();
        listing
    });
    Ok(Answer::ok(&json!({ "results": results.collect::<Vec<_>>() })))
}
