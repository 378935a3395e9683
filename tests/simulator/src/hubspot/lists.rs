//! Lists: search, one and many by id, their members, and the lists of a record.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::objects::{find, known_type};
use super::server::{Call, body};
use crate::data::clock;
use crate::data::ids::Section;
use crate::data::lists::{List, Membership};

/// The lists that a search shows where the request names no number.
const DEFAULT_COUNT: usize = 20;
const LARGEST_COUNT: usize = 500;
const DEFAULT_PAGE: usize = 100;
/// The largest page of members.
const LARGEST_PAGE: usize = 250;
/// The most records whose lists one request may ask for.
const LARGEST_BATCH: usize = 100;

const NOT_SIMULATED: &[(&str, &str)] = &[("before", "paging backwards"), ("sort", "another order of lists")];

/// The body of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Search {
    count: Option<usize>,
    offset: Option<usize>,
    query: Option<String>,
    list_ids: Option<Vec<String>>,
    processing_types: Option<Vec<String>>,
    object_type_id: Option<String>,
    sort: Option<String>,
}

#[derive(Debug, Deserialize)]
struct BatchRead {
    inputs: Vec<BatchInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchInput {
    object_type_id: String,
    record_id: String,
}

fn allowed(call: &Call<'_>) -> Result<(), Refusal> {
    call.token.require_one_of(vec!["crm.lists.read".to_owned()])?;
    call.query.refuse(NOT_SIMULATED)?;
    if call.query.flag("includeFilters", false)? {
        return Err(Refusal::NotSimulated("the filters of lists"));
    }
    Ok(())
}

/// The lists that were not deleted.
fn lists<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a List> {
    call.portal.lists().iter().filter(|list| !call.gone.lists.contains(&list.id()))
}

fn known_list<'a>(call: &Call<'a>, id: &str) -> Result<&'a List, Refusal> {
    lists(call)
        .find(|list| list.id() == id)
        .ok_or_else(|| Refusal::NotFound(format!("List does not exist with ID {id}.")))
}

pub(super) fn search(call: &Call<'_>) -> Result<Answer, Refusal> {
    allowed(call)?;
    let request: Search = body(call.body)?;
    if request.sort.is_some() {
        return Err(Refusal::NotSimulated("another order of lists"));
    }
    let count = request.count.unwrap_or(DEFAULT_COUNT);
    if !(1..=LARGEST_COUNT).contains(&count) {
        return Err(Refusal::Invalid(format!("count must be between 1 and {LARGEST_COUNT}, was {count}.")));
    }
    let query = request.query.unwrap_or_default().to_lowercase();
    let chosen = |choices: &Option<Vec<String>>, value: &str| {
        choices.as_ref().is_none_or(|choices| choices.is_empty() || choices.iter().any(|choice| choice == value))
    };
    let found: Vec<&List> = lists(call)
        .filter(|list| list.name().to_lowercase().contains(&query))
        .filter(|list| chosen(&request.list_ids, &list.id()))
        .filter(|list| chosen(&request.processing_types, list.processing_type()))
        .filter(|list| request.object_type_id.as_ref().is_none_or(|type_id| type_id == list.type_id()))
        .collect();
    let offset = request.offset.unwrap_or(0).min(found.len());
    let page = &found[offset..found.len().min(offset + count)];
    Ok(Answer::ok(&json!({
        "lists": page.iter().map(|list| list.found(call.portal)).collect::<Vec<_>>(),
        "hasMore": offset + page.len() < found.len(),
        "offset": offset + page.len(),
        "total": found.len(),
    })))
}

pub(super) fn get(call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    allowed(call)?;
    Ok(Answer::ok(&json!({ "list": known_list(call, id)?.fetched(call.portal) })))
}

/// The lists with the ids of the query; ids that no list has are left out.
pub(super) fn get_many(call: &Call<'_>) -> Result<Answer, Refusal> {
    allowed(call)?;
    let wanted: Vec<&str> = call.query.names("listIds").collect();
    let found = lists(call).filter(|list| wanted.contains(&list.id().as_str()));
    Ok(Answer::ok(&json!({ "lists": found.map(|list| list.fetched(call.portal)).collect::<Vec<_>>() })))
}

/// The members of a list, by id.
pub(super) fn memberships(call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    allowed(call)?;
    let list = known_list(call, id)?;
    let cursor = format!("lists/{id}");
    let limit = call.query.limit(DEFAULT_PAGE, LARGEST_PAGE)?;
    let after = call.query.get("after").map(|after| cursor::decode(&cursor, after)).transpose()?;
    let mut members = list.members(call.portal, after).peekable();
    let page: Vec<Membership> = members.by_ref().take(limit).collect();
    let next = members.peek().and(page.last()).map(|last| cursor::encode(&cursor, last.record_id));
    Ok(page_of_members(call, list, &page, next))
}

/// The members of a list, by the time at which they joined.
pub(super) fn memberships_by_time(call: &Call<'_>, id: &str) -> Result<Answer, Refusal> {
    allowed(call)?;
    let list = known_list(call, id)?;
    let cursor = format!("lists/{id}/join-order");
    let limit = call.query.limit(DEFAULT_PAGE, LARGEST_PAGE)?;
    let after = call.query.get("after").map(|after| cursor::decode(&cursor, after)).transpose()?.unwrap_or(0);
    let mut members: Vec<Membership> = list.members(call.portal, None).collect();
    members.sort_unstable_by_key(|member| (member.joined, member.record_id));
    let rest = members.split_off(members.len().min(usize::try_from(after).unwrap_or(usize::MAX)));
    let page = &rest[..rest.len().min(limit)];
    let next = (rest.len() > limit).then(|| cursor::encode(&cursor, after + limit as u64));
    Ok(page_of_members(call, list, page, next))
}

fn page_of_members(call: &Call<'_>, list: &List, page: &[Membership], next: Option<String>) -> Answer {
    let mut answer = json!({
        "results": page.iter().map(|member| json!({
            "recordId": member.record_id.to_string(),
            "membershipTimestamp": clock::instant(member.joined),
        })).collect::<Vec<_>>(),
        "total": list.size(call.portal),
    });
    if let Some(next) = next {
        answer["paging"] = call.paging(&next);
    }
    Answer::ok(&answer)
}

/// The lists of many records. A record that there is not is in no list.
pub(super) fn batch_read(call: &Call<'_>) -> Result<Answer, Refusal> {
    allowed(call)?;
    let BatchRead { inputs } = body(call.body)?;
    if inputs.len() > LARGEST_BATCH {
        return Err(Refusal::Invalid(format!(
            "The maximum number of inputs supported in a batch request is {LARGEST_BATCH}. Your request contains {} inputs.",
            inputs.len()
        )));
    }
    let results: Vec<Value> = inputs
        .iter()
        .map(|input| {
            Ok(json!({
                "objectTypeId": input.object_type_id,
                "recordId": input.record_id,
                "recordListMemberships": lists_of(call, &input.object_type_id, &input.record_id)?,
            }))
        })
        .collect::<Result<_, Refusal>>()?;
    let now = clock::instant(clock::NOW);
    let answer = json!({ "status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now });
    Ok(Answer::ok(&answer))
}

/// The lists of one record.
pub(super) fn of_record(call: &Call<'_>, type_id: &str, id: &str) -> Result<Answer, Refusal> {
    allowed(call)?;
    let results = lists_of(call, type_id, id)?;
    Ok(Answer::ok(&json!({ "total": results.len(), "results": results })))
}

fn lists_of(call: &Call<'_>, type_id: &str, id: &str) -> Result<Vec<Value>, Refusal> {
    let object_type = known_type(call.portal, type_id)?;
    let Some(record) = find(call.portal, object_type, Section::Live, id) else { return Ok(Vec::new()) };
    Ok(lists(call).filter_map(|list| list.membership(&record).map(|member| line(list, member))).collect())
}

fn line(list: &List, member: Membership) -> Value {
    let joined = clock::instant(member.joined);
    json!({
        "listId": list.id(),
        "listVersion": list.version(),
        "firstAddedTimestamp": joined,
        "lastAddedTimestamp": joined,
    })
}
