//! Events: which types there are, how the account's own are defined, and what happened.
//!
//! Occurrences are listed for one record, or, where a request names a type of events and no record, for the account: so clients
//! in the field have seen it, though the documentation does not say it. The newest come first unless asked otherwise.
//!
//! The `after` looks as clients have seen it: Base64 of the last occurrence's time, object, type and hash. One that names nothing
//! which happened is refused.
//!
//! A sensitive property of an occurrence is given to whoever may read events: no scope of it is documented.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::cursor;
use super::definitions::in_version;
use super::objects::known_type;
use super::query::Query;
use super::server::Call;
use crate::data::clock;
use crate::data::event_types::EventType;
use crate::data::events::{self, Occurrence};
use crate::data::ids::Section;
use crate::data::object_type::ObjectType;

/// The page size where the request names none: that of objects, for no other is documented.
const DEFAULT_PAGE: usize = 10;
/// The largest page that clients were seen to ask for.
const LARGEST_PAGE: usize = 100;

/// The scope that guards what happened.
const READ: &str = "oauth";
/// The scope that guards definitions.
const DEFINITIONS: &str = "behavioral_events.event_definitions.read_write";

/// One last occurrence of a page in so many is told again, where that is asked for.
const REPEATED_ONE_IN: u64 = 3;

const NOT_SIMULATED: &[(&str, &str)] = &[
    ("id", "events by id"),
    ("before", "paging backwards"),
    ("searchString", "the search for event definitions"),
    ("sortOrder", "other orders of event definitions"),
];

/// The names of all types, on one page.
pub(super) fn types(call: &Call<'_>) -> Result<Answer, Refusal> {
    require(call, READ)?;
    let names: Vec<&str> = here(call).map(|event_type| event_type.name.as_ref()).collect();
    Ok(Answer::ok(&json!({ "eventTypes": names })))
}

/// The definitions of the account's own types, by id.
pub(super) fn definitions(call: &Call<'_>) -> Result<Answer, Refusal> {
    require(call, DEFINITIONS)?;
    call.query.refuse(NOT_SIMULATED)?;
    let limit = call.query.limit(DEFAULT_PAGE, LARGEST_PAGE)?;
    let with_properties = call.query.flag("includeProperties", false)?;
    let after = call.query.get("after").map(|after| cursor::decode(DEFINITIONS, after)).transpose()?;

    let mut defined: Vec<&EventType> = here(call).filter(|event_type| event_type.defined_id().is_some()).collect();
    defined.sort_by_key(|event_type| event_type.number());
    let total = defined.len();
    defined.retain(|event_type| after.is_none_or(|after| event_type.number() > after));
    let page = &defined[..defined.len().min(limit)];
    let results: Vec<Value> = page.iter().filter_map(|event_type| shaped(call, event_type, with_properties)).collect();
    let mut answer = json!({ "results": results, "total": total });
    if let (Some(last), true) = (page.last(), page.len() < defined.len()) {
        answer["paging"] = call.paging(&cursor::encode(DEFINITIONS, last.number()));
    }
    Ok(Answer::ok(&answer))
}

fn shaped(call: &Call<'_>, event_type: &EventType, with_properties: bool) -> Option<Value> {
    let mut definition = event_type.definition()?;
    if let Some(Value::Array(properties)) = definition.get_mut("properties") {
        if !with_properties {
            properties.clear();
        }
        for property in properties {
            *property = in_version(property.take(), call.version);
        }
    }
    Some(definition)
}

/// What happened to one record, or in the account.
pub(super) fn occurrences(call: &Call<'_>) -> Result<Answer, Refusal> {
    require(call, READ)?;
    call.query.refuse(NOT_SIMULATED)?;
    let wanted = Wanted::parse(call)?;
    let limit = call.query.limit(DEFAULT_PAGE, LARGEST_PAGE)?;
    let after = call.query.get("after").map(|after| wanted.decode(call, after)).transpose()?;

    let page = wanted.first(call, after, limit + 1);
    let results: Vec<Value> = page.iter().take(limit).map(|occurrence| wanted.listing(occurrence)).collect();
    let mut answer = json!({ "results": results });
    if page.len() > limit {
        let last = &page[limit - 1];
        let again = call.repeated_occurrences && limit > 1 && last.hash.is_multiple_of(REPEATED_ONE_IN);
        answer["paging"] = call.paging(&encode(if again { &page[limit - 2] } else { last }));
    }
    Ok(Answer::ok(&answer))
}

/// Refuses where the account has no events or the token lacks the scope.
fn require(call: &Call<'_>, scope: &str) -> Result<(), Refusal> {
    if !call.has_events {
        return Err(Refusal::MissingScopes(vec![scope.to_owned()]));
    }
    call.token.require_one_of(vec![scope.to_owned()])
}

/// The types that did not vanish.
fn here<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a EventType> {
    let gone = &call.gone.event_types;
    call.portal.event_types().iter().filter(move |event_type| !gone.contains(event_type.name.as_ref()))
}

/// What a request asks for.
struct Wanted<'a> {
    object_type: Option<&'a ObjectType>,
    object_id: Option<u64>,
    event_types: Vec<&'a EventType>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    ascending: bool,
    /// The names of the properties, where not all are wanted.
    properties: Vec<String>,
}

impl<'a> Wanted<'a> {
    fn parse(call: &Call<'a>) -> Result<Self, Refusal> {
        let query = &call.query;
        let object_type = query.get("objectType").map(|segment| known_type(call.portal, segment)).transpose()?;
        let object_id = query
            .get("objectId")
            .map(|id| id.parse().map_err(|_| Refusal::Invalid(format!("objectId must be a whole number, was {id}."))));
        let object_id = object_id.transpose()?;
        let event_type = query.get("eventType");
        if object_id.is_some() && object_type.is_none() {
            return Err(Refusal::Invalid("objectId needs an objectType.".to_owned()));
        }
        if object_id.is_none() && event_type.is_none() {
            return Err(Refusal::Invalid("Either objectId or eventType is required.".to_owned()));
        }
        let event_types: Vec<&EventType> =
            here(call).filter(|one| event_type.is_none_or(|name| one.name == name)).collect();
        if let (Some(name), true) = (event_type, event_types.is_empty()) {
            return Err(Refusal::Invalid(format!("There is no event type {name}.")));
        }
        Ok(Self {
            object_type,
            object_id,
            event_types,
            from: instant(query, "occurredAfter")?,
            until: instant(query, "occurredBefore")?,
            ascending: match query.get("sort") {
                None | Some("-occurredAt") => false,
                Some("occurredAt") => true,
                Some(other) => return Err(Refusal::Invalid(format!("Events cannot be sorted by {other}."))),
            },
            properties: query.names("properties").map(str::to_owned).collect(),
        })
    }

    fn takes(&self, occurrence: &Occurrence<'_>) -> bool {
        let at = Timestamp::from_millisecond(occurrence.at).expect("the portal's instants are within the calendar");
        self.event_types.iter().any(|event_type| event_type.name == occurrence.event_type.name)
            && self.from.is_none_or(|from| from <= at)
            && self.until.is_none_or(|until| at < until)
    }

    /// The first so many that are behind `after`, in order. Never holds more than a few pages, whatever it looks through.
    fn first(&self, call: &Call<'a>, after: Option<Occurrence<'a>>, count: usize) -> Vec<Occurrence<'a>> {
        let in_order = |one: &Occurrence<'_>, other: &Occurrence<'_>| {
            if self.ascending { one.key().cmp(&other.key()) } else { other.key().cmp(&one.key()) }
        };
        let mut found = Vec::new();
        for occurrence in self.all(call).filter(|occurrence| self.takes(occurrence)) {
            if after.is_some_and(|after| in_order(&occurrence, &after).is_le()) {
                continue;
            }
            found.push(occurrence);
            if found.len() > 4 * count {
                found.sort_by(in_order);
                found.truncate(count);
            }
        }
        found.sort_by(in_order);
        found.truncate(count);
        found
    }

    /// Everything that happened to the records in question, of any type and time, in no order.
    fn all(&self, call: &Call<'a>) -> Box<dyn Iterator<Item = Occurrence<'a>> + 'a> {
        let portal = call.portal;
        match (self.object_type, self.object_id) {
            (Some(object_type), Some(id)) => {
                Box::new(object_type.record(portal, Section::Live, id).into_iter().flat_map(events::of))
            }
            (Some(object_type), None) => Box::new(events::of_type(portal, object_type)),
            (None, _) => {
                Box::new(events::object_types(portal).flat_map(move |object_type| events::of_type(portal, object_type)))
            }
        }
    }

    fn listing(&self, occurrence: &Occurrence<'_>) -> Value {
        let wanted = |name: &str| self.properties.is_empty() || self.properties.iter().any(|wanted| wanted == name);
        let properties: Map<String, Value> = occurrence
            .properties()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        json!({
            "id": occurrence.id(),
            "eventType": occurrence.event_type.name,
            "objectId": occurrence.record.id().to_string(),
            "objectType": occurrence.record.object_type().fully_qualified_name(),
            "occurredAt": clock::instant(occurrence.at),
            "properties": properties,
        })
    }

    /// The occurrence that an `after` continues behind.
    fn decode(&self, call: &Call<'a>, after: &str) -> Result<Occurrence<'a>, Refusal> {
        let read = || {
            let text = String::from_utf8(BASE64.decode(after).ok()?).ok()?;
            let mut parts = text.split('|').skip(1);
            let object_type = call.portal.find_type(parts.next()?)?;
            let id: u64 = parts.next()?.parse().ok()?;
            let is_same = |wanted: Option<&ObjectType>| wanted.is_none_or(|of| of.type_id() == object_type.type_id());
            if !is_same(self.object_type) || self.object_id.is_some_and(|wanted| wanted != id) {
                return None;
            }
            let record = object_type.record(call.portal, Section::Live, id)?;
            events::of(record).find(|occurrence| encode(occurrence) == after)
        };
        read().ok_or_else(|| Refusal::Invalid(format!("Invalid paging token: {after}")))
    }
}

/// The `after` that continues behind an occurrence.
fn encode(occurrence: &Occurrence<'_>) -> String {
    let (at, type_id, object_id, hash) = occurrence.key();
    BASE64.encode(format!("{at}|{type_id}|{object_id}|{}|{hash:016x}|", occurrence.event_type.id))
}

fn instant(query: &Query, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let parse = |text: &str| {
        text.parse().map_err(|_| Refusal::Invalid(format!("{name} must be an instant in ISO 8601, was {text}.")))
    };
    query.get(name).map(parse).transpose()
}
