//! The account: its details, what was used of its limits, and which types it has.

use std::collections::BTreeSet;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::Token;
use super::limits::Limits;
use super::server::{self, Call};
use crate::data::PORTAL_ID;
use crate::data::object_type::ObjectType;
use crate::data::property::Sensitivity;

/// The account's time zone, in which its days begin, in hours from UTC.
const UTC_OFFSET_HOURS: i8 = -4;

/// How many records of one standard type HubSpot lets an account have.
const RECORD_LIMIT: u64 = 15_000_000;
/// How many records all custom types may have together.
const CUSTOM_RECORD_LIMIT: u64 = 1_500_000;

pub(super) fn details() -> Answer {
    Answer::ok(&json!({
        "portalId": PORTAL_ID,
        "accountType": "STANDARD",
        "timeZone": "US/Eastern",
        "companyCurrency": "USD",
        "additionalCurrencies": ["EUR", "GBP", "JPY"],
        "utcOffset": format!("{UTC_OFFSET_HOURS:+03}:00"),
        "utcOffsetMilliseconds": i64::from(UTC_OFFSET_HOURS) * 60 * 60 * 1000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }))
}

/// Scopes of which none belongs to a type of records.
const FURTHER_SCOPES: [&str; 9] = [
    "behavioral_events.event_definitions.read_write",
    "crm.export",
    "crm.lists.read",
    "crm.lists.write",
    "crm.objects.contacts.write",
    "crm.objects.owners.read",
    "oauth",
    "settings.users.read",
    "settings.users.teams.read",
];

/// A question about a token, which shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenQuestion {
    token_key: String,
}

/// What the token may do that the question shows: one that may do everything is told all scopes that there are.
pub(super) fn token_info(call: &Call<'_>, tokens: &[Token]) -> Result<Answer, Refusal> {
    let question: TokenQuestion = server::body(call.body)?;
    let token = tokens.iter().find(|token| token.text == question.token_key).ok_or(Refusal::UnknownToken)?;
    let types = call.portal.types().iter().map(ObjectType::scopes);
    let of_types = types.flat_map(|scopes| {
        let sensitive = [Sensitivity::Sensitive, Sensitivity::HighlySensitive].map(|level| scopes.sensitive(level));
        [scopes.read(), scopes.definitions(), sensitive.concat()].concat()
    });
    let all: BTreeSet<String> = of_types.chain(FURTHER_SCOPES.map(str::to_owned)).collect();
    Ok(Answer::ok(&json!({
        "userId": 1,
        "hubId": PORTAL_ID,
        "appId": 1,
        "scopes": token.scopes.among(all),
    })))
}

/// The one answer that knows the time of day: the limit ends with the account's day.
pub(super) fn daily_usage(limits: &Limits) -> Result<Answer, Refusal> {
    let (used, limit) = limits.daily_usage();
    let now = Timestamp::now();
    let midnight = next_midnight(now).ok_or(Refusal::ServerError)?;
    Ok(Answer::ok(&json!({ "results": [{
        "name": "private-apps-api-calls-daily",
        "usageLimit": limit,
        "currentUsage": used,
        "collectedAt": format!("{now:.3}"),
        "fetchStatus": "SUCCESS",
        "resetsAt": format!("{midnight:.3}"),
    }] })))
}

fn next_midnight(now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::fixed(Offset::constant(UTC_OFFSET_HOURS));
    let today = now.to_zoned_datetime(zone).start_of_day().ok()?;
    today.checked_add(1.day()).ok().map(|tomorrow| tomorrow.timestamp())
}

/// How many live records each type has. Any object scope will do.
pub(super) fn record_limits(call: &Call<'_>) -> Result<Answer, Refusal> {
    let scopes = call.portal.types().iter().flat_map(|object_type| object_type.scopes().read()).collect();
    call.token.require_one_of(scopes)?;
    let (custom, standard): (Vec<&ObjectType>, Vec<&ObjectType>) =
        call.portal.types().iter().partition(|object_type| object_type.is_custom());
    let standard: Vec<Value> = standard
        .into_iter()
        .map(|object_type| {
            let mut line = usage(object_type);
            line["limit"] = Value::from(RECORD_LIMIT);
            line["percentage"] = Value::from(percentage(object_type.live(), RECORD_LIMIT));
            line
        })
        .collect();
    let overall: u64 = custom.iter().map(|object_type| object_type.live()).sum();
    Ok(Answer::ok(&json!({
        "hubspotDefinedObjectTypes": standard,
        "customObjectTypes": {
            "overallLimit": CUSTOM_RECORD_LIMIT,
            "overallUsage": overall,
            "overallPercentage": percentage(overall, CUSTOM_RECORD_LIMIT),
            "byObjectType": custom.into_iter().map(usage).collect::<Vec<_>>(),
        },
    })))
}

fn usage(object_type: &ObjectType) -> Value {
    let (singular, plural) = object_type.labels();
    json!({
        "objectTypeId": object_type.type_id(),
        "singularLabel": singular,
        "pluralLabel": plural,
        "usage": object_type.live(),
    })
}

fn percentage(usage: u64, limit: u64) -> f64 {
    usage as f64 * 100.0 / limit as f64
}

/// Which standard types the account has switched on.
pub(super) fn object_library(call: &Call<'_>) -> Answer {
    let enablement: serde_json::Map<String, Value> = call
        .portal
        .types()
        .iter()
        .filter(|object_type| !object_type.is_custom())
        .map(|object_type| (object_type.type_id().to_owned(), Value::from(object_type.is_enabled())))
        .collect();
    Answer::ok(&json!({ "enablementByObjectTypeId": enablement }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_ends_at_midnight_in_the_accounts_time_zone() {
        let midnight = |now: &str| next_midnight(now.parse().expect("an instant")).expect("a day later");
        let expected: Timestamp = "2026-06-30T04:00:00Z".parse().expect("an instant");
        assert_eq!(midnight("2026-06-29T04:00:00Z"), expected);
        assert_eq!(midnight("2026-06-30T03:59:59Z"), expected);
    }
}
