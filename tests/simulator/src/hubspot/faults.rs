//! What shall go wrong, and when: by count, so that a test fails the same way every time.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::answer::Answer;

/// Something that goes wrong with some of the requests that match.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which paths match.
    pub path: PathPattern,
    /// Which method matches; `None` for all.
    pub method: Option<Method>,
    /// Which of the matching requests are hit, counted from 0: `0..1` hits the first one only,
    /// `0..u64::MAX` all of them.
    pub occurrences: Range<u64>,
    /// What happens to them.
    pub action: FaultAction,
}

/// A condition on a request's path, the query left out.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// The path begins with this.
    Prefix(String),
    /// This occurs in the path.
    Contains(String),
}

/// What happens to a request that a fault hits. A request that several faults match is hit by the
/// first one that is due; the others count it all the same.
#[derive(Clone, Debug)]
pub enum FaultAction {
    /// It is answered with this status before HubSpot sees it: it is not authenticated and counts
    /// against no limit.
    Status {
        /// The status, such as 502 or 477.
        status: u16,
        /// What kind of body comes with it.
        body: FaultBody,
        /// The seconds of its `Retry-After`; `None` for no such header.
        retry_after: Option<u64>,
    },
    /// It is answered as usual, but the connection breaks after so many bytes of the body. The
    /// headers announce the whole body. A body that is not longer than this arrives whole.
    CutBody {
        /// Bytes that still arrive.
        after: usize,
    },
    /// It is never answered.
    Hang,
    /// It is answered as usual, but so much later.
    Delay(Duration),
    /// It is answered as usual, but as if this property had been archived: no list names it, and no record.
    Archived {
        /// The property.
        property: String,
    },
    /// It is answered as usual, but with this text in place of another, wherever that stands in the body.
    Replaced {
        /// The text that stands there.
        text: String,
        /// What stands there instead.
        by: String,
    },
    /// It is answered as usual, but a list has just been deleted. The list stays deleted, for all requests that follow.
    ListDeleted {
        /// The list.
        list_id: String,
    },
    /// It is answered as usual, but a type of events has just vanished, with its definition and all that happened. It stays
    /// away, for all requests that follow.
    EventTypeGone {
        /// Its full name, as HubSpot lists it.
        event_type: String,
    },
    /// It is answered as usual, but some inputs of its batch come back as errors. The status is 207, whatever the
    /// version of the API. An answer that is a refusal stays one.
    InputErrors {
        /// The category of the errors, such as `INTERNAL_ERROR`.
        category: String,
        /// Every so many inputs, in the order of the request, one is hit: all of them at 1, none at 0.
        every: usize,
    },
}

/// The kind of body that comes with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultBody {
    /// HubSpot's own error body, with the category that goes with the status.
    Json,
    /// A page, as a proxy in front of HubSpot sends it.
    Html,
    /// Nothing.
    Empty,
    /// A sentence, without any markup.
    Text,
    /// JSON, as a gateway in front of HubSpot sends it.
    Gateway,
}

/// What faults took away for good.
#[derive(Clone, Debug, Default)]
pub(super) struct Gone {
    /// The ids of the lists.
    pub(super) lists: BTreeSet<String>,
    /// The full names of the types of events.
    pub(super) event_types: BTreeSet<String>,
}

/// The faults of a server, with their counts.
#[derive(Debug)]
pub(super) struct Faults(Vec<(Fault, AtomicU64)>);

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(faults.into_iter().map(|fault| (fault, AtomicU64::new(0))).collect())
    }

    /// Counts a request, and says what happens to it if a fault hits it.
    pub(super) fn strike(&self, method: &Method, path: &str) -> Option<&FaultAction> {
        let mut struck = None;
        for (fault, count) in &self.0 {
            if fault.matches(method, path) {
                let occurrence = count.fetch_add(1, Ordering::Relaxed);
                if struck.is_none() && fault.occurrences.contains(&occurrence) {
                    struck = Some(&fault.action);
                }
            }
        }
        struck
    }
}

impl Fault {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let path_matches = match &self.path {
            PathPattern::Prefix(prefix) => path.starts_with(prefix.as_str()),
            PathPattern::Contains(part) => path.contains(part.as_str()),
        };
        path_matches && self.method.as_ref().is_none_or(|wanted| wanted == method)
    }
}

/// The answer of [`FaultAction::Status`].
pub(super) fn answer(status: u16, body: FaultBody, retry_after: Option<u64>, correlation_id: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = match body {
        FaultBody::Html => Answer::html(status, status.canonical_reason().unwrap_or("Error")),
        FaultBody::Json => {
            let mut body = json!({
                "status": "error",
                "message": status.canonical_reason().unwrap_or("error").to_lowercase(),
                "correlationId": correlation_id,
            });
            if let Some(category) = category(status) {
                body["category"] = category.into();
            }
            Answer::of(status, &body)
        }
        FaultBody::Empty => Answer::text(status, ""),
        FaultBody::Text => Answer::text(status, status.canonical_reason().unwrap_or("Error")),
        FaultBody::Gateway => Answer::of(status, &json!({ "message": "no Route matched with those values" })),
    };
    if let Some(seconds) = retry_after {
        answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// An answer as it is when a property has been archived.
pub(super) fn without(answer: Answer, property: &str) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    if let Some(results) = body["results"].as_array_mut() {
        results.retain(|thing| thing["name"] != property);
        for record in results {
            for values in ["properties", "propertiesWithHistory"] {
                match record.get_mut(values) {
                    Some(Value::Object(values)) => drop(values.remove(property)),
                    // Definitions that hold definitions: those of types, and of events.
                    Some(Value::Array(definitions)) => definitions.retain(|definition| definition["name"] != property),
                    _ => {}
                }
            }
        }
    }
    Answer { body: body.to_string().into(), ..answer }
}

/// An answer with another text in it.
pub(super) fn replaced(answer: Answer, text: &str, by: &str) -> Answer {
    let body = String::from_utf8_lossy(&answer.body).replace(text, by);
    Answer { body: body.into(), ..answer }
}

/// The answer to a batch with errors in place of what some inputs got.
pub(super) fn with_input_errors(answer: Answer, request: &[u8], category: &str, every: usize) -> Answer {
    let (Ok(request), Ok(mut body)) =
        (serde_json::from_slice::<Value>(request), serde_json::from_slice::<Value>(&answer.body))
    else {
        return answer;
    };
    let inputs = request["inputs"].as_array().map_or(&[][..], Vec::as_slice);
    let hit: Vec<&Value> = inputs
        .iter()
        .zip(1..)
        .filter(|(_, place)| every > 0 && place % every == 0)
        .map(|(input, _)| &input["id"])
        .collect();
    if hit.is_empty() || !answer.status.is_success() {
        return answer;
    }
    let Some(results) = body["results"].as_array_mut() else { return answer };
    results.retain(|result| !hit.contains(&&result["id"]) && !hit.contains(&&result["from"]["id"]));
    let mut errors = body["errors"].as_array().cloned().unwrap_or_default();
    errors.retain(|error| !hit.contains(&&error["context"]["fromObjectId"][0]));
    errors.extend(hit.iter().map(|id| {
        json!({
            "status": "error",
            "category": category,
            "message": format!("The input {} could not be read.", id.as_str().unwrap_or_default()),
            "context": { "ids": [id] },
        })
    }));
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    Answer { status: StatusCode::MULTI_STATUS, body: body.to_string().into(), ..answer }
}

/// HubSpot's category of an error of this status.
fn category(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::BAD_REQUEST => Some("VALIDATION_ERROR"),
        StatusCode::UNAUTHORIZED => Some("INVALID_AUTHENTICATION"),
        StatusCode::FORBIDDEN => Some("MISSING_SCOPES"),
        StatusCode::NOT_FOUND => Some("OBJECT_NOT_FOUND"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(path: PathPattern, method: Option<Method>, occurrences: Range<u64>) -> Fault {
        Fault { path, method, occurrences, action: FaultAction::Hang }
    }

    #[test]
    fn the_nth_matching_request_is_hit() {
        let faults = Faults::new(vec![fault(PathPattern::Contains("objects".into()), Some(Method::GET), 1..3)]);
        let hits: Vec<bool> = [
            (Method::GET, "/crm/v3/objects/contacts"),
            (Method::GET, "/crm/v3/owners"),
            (Method::POST, "/crm/v3/objects/contacts/search"),
            (Method::GET, "/crm/v3/objects/deals"),
            (Method::GET, "/crm/v3/objects/deals"),
            (Method::GET, "/crm/v3/objects/deals"),
        ]
        .iter()
        .map(|(method, path)| faults.strike(method, path).is_some())
        .collect();
        assert_eq!(hits, [false, false, false, true, true, false]);
    }

    #[test]
    fn a_fault_counts_requests_that_another_one_hit() {
        let first = fault(PathPattern::Prefix("/crm".into()), None, 0..1);
        let second =
            Fault { action: FaultAction::CutBody { after: 1 }, ..fault(PathPattern::Prefix("/".into()), None, 1..2) };
        let faults = Faults::new(vec![first, second]);
        assert!(matches!(faults.strike(&Method::GET, "/crm"), Some(FaultAction::Hang)));
        assert!(matches!(faults.strike(&Method::GET, "/crm"), Some(FaultAction::CutBody { after: 1 })));
        assert!(faults.strike(&Method::GET, "/crm").is_none());
    }
}
