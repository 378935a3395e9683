//! Objects: list, one record, batch read.

use std::collections::BTreeSet;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::Token;
use super::query::Query;
use super::records::Selection;
use super::route::Version;
use super::server::{Call, body};
use crate::data::ids::Section;
use crate::data::object_type::ObjectType;
use crate::data::random::mix;
use crate::data::record::Record;
use crate::data::{Portal, clock};

/// The page size where the request names none.
const DEFAULT_PAGE: usize = 10;
/// The largest page of a list.
const LARGEST_PAGE: usize = 100;
/// The most records that one batch read may ask for.
const LARGEST_BATCH: usize = 100;
/// The largest page and batch where property history is asked for.
const LARGEST_WITH_HISTORY: usize = 50;
/// The bytes that a page starts with: enough for most, so that it seldom has to grow.
const PAGE_BYTES: usize = 64 * 1024;

const NOT_SIMULATED: &[(&str, &str)] = &[("associations", "associations"), ("idProperty", "`idProperty`")];

/// The type that a path segment means, if the token may read its records.
pub(super) fn readable_type<'a>(portal: &'a Portal, segment: &str, token: &Token) -> Result<&'a ObjectType, Refusal> {
    let object_type = known_type(portal, segment)?;
    token.require_one_of(object_type.scopes().read())?;
    Ok(object_type)
}

/// The type that a path segment means. Type ids that the account lacks are not found; names that it
/// cannot place, the bare names of custom types among them, are invalid.
pub(super) fn known_type<'a>(portal: &'a Portal, segment: &str) -> Result<&'a ObjectType, Refusal> {
    portal.find_type(segment).ok_or_else(|| {
        if segment.starts_with("0-") || segment.starts_with("2-") {
            Refusal::NotFound(format!("The object type {segment} does not exist in this account."))
        } else {
            Refusal::Invalid(format!("Unable to infer object type from: {segment}"))
        }
    })
}

pub(super) fn list(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let object_type = readable_type(call.portal, segment, call.token)?;
    call.query.refuse(NOT_SIMULATED)?;
    let with_history = call.query.get("propertiesWithHistory").is_some();
    let limit = call.query.limit(DEFAULT_PAGE, if with_history { LARGEST_WITH_HISTORY } else { LARGEST_PAGE })?;
    let section = section(&call.query)?;
    let selection = selection(call, object_type)?;
    let list = format!("{}/{section:?}", object_type.type_id());
    let after = call.query.get("after").map(|after| call.cursors.decode(&list, after)).transpose()?.flatten();

    let mut records = object_type.records(call.portal, section, after).peekable();
    let page: Vec<Record<'_>> = records.by_ref().take(limit).collect();
    let mut out = Vec::with_capacity(PAGE_BYTES);
    out.extend_from_slice(br#"{"results":"#);
    selection.write_list(page.iter().copied(), &mut out);
    if let (Some(last), Some(_)) = (page.last(), records.peek()) {
        out.extend_from_slice(br#","paging":"#);
        out.extend_from_slice(call.paging(&call.cursors.encode(&list, last.id())).to_string().as_bytes());
    }
    out.push(b'}');
    Ok(Answer::json(StatusCode::OK, out))
}

pub(super) fn get(call: &Call<'_>, segment: &str, id: &str) -> Result<Answer, Refusal> {
    let object_type = readable_type(call.portal, segment, call.token)?;
    call.query.refuse(NOT_SIMULATED)?;
    let section = section(&call.query)?;
    let selection = selection(call, object_type)?;
    let record = find(call.portal, object_type, section, id)
        .ok_or_else(|| Refusal::NotFound("Object not found. objectId are usually numeric.".to_owned()))?;
    let mut out = Vec::new();
    selection.write(&record, &mut out, &mut String::new());
    Ok(Answer::json(StatusCode::OK, out))
}

/// The properties that a query names, those with history too.
fn selection<'a>(call: &Call<'a>, object_type: &'a ObjectType) -> Result<Selection<'a>, Refusal> {
    Selection::new(object_type, call.query.names("properties"), call.token, call.version)?
        .with_history(call.query.names("propertiesWithHistory"), call.token)
}

/// The body of a batch read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchRead {
    inputs: Vec<BatchInput>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    properties_with_history: Vec<String>,
    id_property: Option<String>,
}

#[derive(Debug, Deserialize)]
struct BatchInput {
    id: String,
}

pub(super) fn batch_read(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let object_type = readable_type(call.portal, segment, call.token)?;
    let request: BatchRead = body(call.body)?;
    if request.id_property.is_some() {
        return Err(Refusal::NotSimulated("`idProperty`"));
    }
    let with_history = &request.properties_with_history;
    if !with_history.is_empty() && request.inputs.len() > LARGEST_WITH_HISTORY {
        return Err(Refusal::Invalid(format!(
            "The maximum number of inputs supported in a batch request for property histories is {LARGEST_WITH_HISTORY}. Your request contains {} inputs.",
            request.inputs.len()
        )));
    }
    if request.inputs.len() > LARGEST_BATCH {
        return Err(Refusal::Invalid(format!(
            "The maximum number of inputs supported in a batch request is {LARGEST_BATCH}. Your request contains {} inputs.",
            request.inputs.len()
        )));
    }
    let section = section(&call.query)?;
    let names = request.properties.iter().map(String::as_str);
    let selection = Selection::new(object_type, names, call.token, call.version)?
        .with_history(with_history.iter().map(String::as_str), call.token)?;

    let ids: BTreeSet<&str> = request.inputs.iter().map(|input| input.id.as_str()).collect();
    let mut found = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match find(call.portal, object_type, section, id) {
            Some(record) => found.push(record),
            None => missing.push(id),
        }
    }
    let message = format!(
        "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
        object_type.fully_qualified_name()
    );
    if found.is_empty() && !missing.is_empty() {
        return Err(Refusal::NotFound(message));
    }
    // HubSpot promises no order, so that of the request would be a trap.
    found.sort_by_key(|record| mix(record.id()));
    Ok(batch_answer(&selection, found, &missing, &message, call.version))
}

fn batch_answer(
    selection: &Selection<'_>,
    found: Vec<Record<'_>>,
    missing: &[&str],
    message: &str,
    version: Version,
) -> Answer {
    let mut out = Vec::with_capacity(PAGE_BYTES);
    out.extend_from_slice(br#"{"status":"COMPLETE","results":"#);
    selection.write_list(found, &mut out);
    let mut status = StatusCode::OK;
    if !missing.is_empty() {
        let errors: Value = json!([{ "status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": { "ids": missing } }]);
        out.extend_from_slice(format!(r#","numErrors":1,"errors":{errors}"#).as_bytes());
        status = version.status_with_errors();
    }
    let now = clock::instant(clock::NOW);
    out.extend_from_slice(format!(r#","startedAt":"{now}","completedAt":"{now}"}}"#).as_bytes());
    Answer::json(status, out)
}

/// The record with this id, as text, if it is in `section`.
pub(super) fn find<'a>(
    portal: &'a Portal,
    object_type: &'a ObjectType,
    section: Section,
    id: &str,
) -> Option<Record<'a>> {
    object_type.record(portal, section, id.parse().ok()?)
}

/// Live records, or archived ones: never both.
fn section(query: &Query) -> Result<Section, Refusal> {
    Ok(if query.flag("archived", false)? { Section::Archived } else { Section::Live })
}
