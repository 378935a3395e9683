//! Associations: the links of many records, or of one; labels; configured limits.
//!
//! A batch read answers for each input apart: a page of links and where it goes on, or an error. That
//! a record has no links is an error too, with a sub-category of its own, and makes the whole answer a
//! 207 (but in 2026-09, which has none).

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::objects::{find, known_type};
use super::route::Version;
use super::server::{Call, body};
use crate::data::associations::{self, Definition, Direction, Link};
use crate::data::clock;
use crate::data::ids::Section;
use crate::data::object_type::ObjectType;
use crate::data::random::mix;

/// The most records that one batch read may ask for.
const LARGEST_BATCH: usize = 1_000;
/// The page size of one record's links, where the request names none and at most.
const LARGEST_PAGE: usize = 500;

/// The body of a batch read.
#[derive(Debug, Deserialize)]
struct BatchRead {
    inputs: Vec<BatchInput>,
}

#[derive(Debug, Deserialize)]
struct BatchInput {
    id: String,
    after: Option<String>,
}

/// What is asked for: two types, and how they can be linked.
struct Question<'a> {
    from: &'a ObjectType,
    to: &'a ObjectType,
    direction: Direction,
}

impl<'a> Question<'a> {
    /// Refuses unless both types may be read and can be linked.
    fn new(call: &Call<'a>, from: &str, to: &str) -> Result<Self, Refusal> {
        let (from, to) = (known_type(call.portal, from)?, known_type(call.portal, to)?);
        call.token.require_each(&[from.scopes().read(), to.scopes().read()])?;
        let direction = associations::between(from.type_id(), to.type_id()).ok_or_else(|| {
            Refusal::Invalid(format!("No association type exists from {} to {}.", from.name(), to.name()))
        })?;
        Ok(Self { from, to, direction })
    }

    /// A page of the links of a live record, from behind `after`.
    fn page(&self, call: &Call<'a>, from: u64, after: Option<&str>, size: usize) -> Result<Page<'a>, Refusal> {
        let list = format!("{}/{from}/{}", self.from.type_id(), self.to.type_id());
        let after = after.filter(|after| !after.is_empty());
        let after = after.map(|after| cursor::decode(&list, after)).transpose()?.unwrap_or(0);
        let rest = call.portal.links_of(self.direction, from, after);
        let links = &rest[..rest.len().min(size)];
        let next = links.last().filter(|_| rest.len() > size).map(|last| cursor::encode(&list, last.to));
        Ok(Page { links, next })
    }

    fn listing(&self, links: &[Link]) -> Value {
        let listing = |link: &Link| {
            let types: Vec<Value> = link.definitions(self.direction).into_iter().map(kind).collect();
            json!({ "toObjectId": link.to, "associationTypes": types })
        };
        links.iter().map(listing).collect()
    }

    /// The error of an input that has no result.
    fn error(&self, id: &str, message: &str) -> Value {
        json!({
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": message,
            "context": {
                "fromObjectId": [id],
                "fromObjectType": [self.from.singular()],
                "toObjectType": [self.to.singular()],
            },
        })
    }
}

/// Some links of a record, and the `after` of the next ones.
struct Page<'a> {
    links: &'a [Link],
    next: Option<String>,
}

fn kind(definition: Definition) -> Value {
    json!({ "category": definition.category(), "typeId": definition.type_id(), "label": definition.label() })
}

pub(super) fn batch_read(call: &Call<'_>, from: &str, to: &str) -> Result<Answer, Refusal> {
    let question = Question::new(call, from, to)?;
    let BatchRead { mut inputs } = body(call.body)?;
    if inputs.len() > LARGEST_BATCH {
        return Err(Refusal::Invalid(format!(
            "The maximum number of inputs supported in a batch request is {LARGEST_BATCH}. Your request contains {} inputs.",
            inputs.len()
        )));
    }
    // HubSpot promises no order, so that of the request would be a trap.
    inputs.sort_by_key(|input| mix(input.id.parse().unwrap_or_default()));

    let (mut results, mut errors) = (Vec::with_capacity(inputs.len()), Vec::new());
    for BatchInput { id, after } in &inputs {
        let Some(record) = find(call.portal, question.from, Section::Live, id) else {
            errors.push(question.error(id, &format!("Could not find {} {id}.", question.from.singular())));
            continue;
        };
        let page = question.page(call, record.id(), after.as_deref(), call.association_page)?;
        if page.links.is_empty() {
            let message =
                format!("No {} is associated with {} {id}.", question.to.singular(), question.from.singular());
            let mut error = question.error(id, &message);
            error["subCategory"] = Value::from("crm.associations.NO_ASSOCIATIONS_FOUND");
            errors.push(error);
            continue;
        }
        let mut result = json!({ "from": { "id": id }, "to": question.listing(page.links) });
        if let Some(next) = page.next {
            result["paging"] = json!({ "next": { "after": next } });
        }
        results.push(result);
    }

    let now = clock::instant(clock::NOW);
    let mut answer = json!({ "status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now });
    let mut status = StatusCode::OK;
    if !errors.is_empty() {
        answer["numErrors"] = Value::from(errors.len());
        answer["errors"] = Value::from(errors);
        status = call.version.status_with_errors();
    }
    Ok(Answer::of(status, &answer))
}

/// The links of one record. None at all is an empty list here.
pub(super) fn of_record(call: &Call<'_>, from: &str, id: &str, to: &str) -> Result<Answer, Refusal> {
    let question = Question::new(call, from, to)?;
    let limit = call.query.limit(LARGEST_PAGE, LARGEST_PAGE)?.min(call.association_page);
    let record = find(call.portal, question.from, Section::Live, id)
        .ok_or_else(|| Refusal::NotFound(format!("Could not find {} {id}.", question.from.singular())))?;
    let page = question.page(call, record.id(), call.query.get("after"), limit)?;
    let mut answer = json!({ "results": question.listing(page.links) });
    if let Some(next) = page.next {
        answer["paging"] = call.paging(&next);
    }
    Ok(Answer::ok(&answer))
}

/// What a link between two types can be; nothing where they cannot be linked. Any object scope will do.
pub(super) fn labels(call: &Call<'_>, from: &str, to: &str) -> Result<Answer, Refusal> {
    served(call)?;
    let (from, to) = (known_type(call.portal, from)?, known_type(call.portal, to)?);
    let definitions = associations::between(from.type_id(), to.type_id()).map(Direction::definitions);
    let results: Vec<Value> = definitions.into_iter().flatten().map(kind).collect();
    Ok(Answer::ok(&json!({ "results": results })))
}

/// The limits that the account set, of all pairs on one page. Any object scope will do.
pub(super) fn configurations(call: &Call<'_>) -> Result<Answer, Refusal> {
    served(call)?;
    let results: Vec<Value> = associations::directions()
        .flat_map(Direction::definitions)
        .filter_map(|definition| {
            let mut line = kind(definition);
            line["userEnforcedMaxToObjectIds"] = Value::from(definition.limit()?);
            Some(line)
        })
        .collect();
    Ok(Answer::ok(&json!({ "results": results })))
}

/// Refuses where this version lacks labels and limits, as some sources have it of 2026-09, and tokens
/// that may read no object at all.
fn served(call: &Call<'_>) -> Result<(), Refusal> {
    if call.version == Version::September2026 && !call.labels_in_september {
        return Err(Refusal::NotFound("The requested resource does not exist in this version.".to_owned()));
    }
    call.token.require_one_of(call.portal.types().iter().flat_map(|of| of.scopes().read()).collect())
}
