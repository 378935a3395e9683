//! How HubSpot answers when it does not answer: its limits, its made-up statuses, its error bodies.

use std::time::Duration;

use http::{HeaderMap, header::LOCATION};

use super::{api, json};
use crate::http::{Answer, BudgetNews, Explanation, StopReason, Vendor, Verdict};

/// The account is being moved to another data centre; `Retry-After` says for how long, up to a day.
const ACCOUNT_MOVING: u16 = 477;

const TOO_MANY_REQUESTS: u16 = 429;

/// Cloudflare's answer to a token that is none.
pub(super) const MALFORMED_TOKEN: u16 = 530;

/// The account is at home in another data centre than the one that was asked.
const OTHER_DATA_CENTRE: u16 = 488;

/// The pause after a search was refused: its limit counts by the second.
const SEARCH_PAUSE: Duration = Duration::from_secs(1);

/// HubSpot's rules.
#[derive(Debug)]
pub(super) struct HubSpotRules;

impl Vendor for HubSpotRules {
    fn name(&self) -> &'static str {
        "HubSpot"
    }

    fn judge(&self, answer: Answer<'_>) -> Verdict {
        match answer.status.as_u16() {
            ACCOUNT_MOVING => Verdict::Stop { reason: StopReason::AccountMoving, back_at: None },
            TOO_MANY_REQUESTS => match error_body(answer).policy_name.as_deref() {
                Some("DAILY") => Verdict::Stop { reason: StopReason::DailyLimit, back_at: None },
                Some("SECONDLY") => Verdict::Throttled { wait: Some(SEARCH_PAUSE) },
                _ => Verdict::Throttled { wait: None },
            },
            // A status alone never says that something is not there or not allowed: proxies, gateways and HubSpot's own bad
            // minutes use the same ones. Only HubSpot's own error says it; anything else may pass.
            400 | 401 | 403 | 404 | 410 if !is_own_error(answer) => Verdict::Retry { at_least: Duration::ZERO },
            _ => Verdict::of_status(answer.status),
        }
    }

    fn budget_news(&self, headers: &HeaderMap) -> Option<BudgetNews> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let news = BudgetNews {
            max: number("x-hubspot-ratelimit-max"),
            interval: number("x-hubspot-ratelimit-interval-milliseconds")
                .map(|milliseconds| Duration::from_millis(milliseconds.into())),
            remaining: number("x-hubspot-ratelimit-remaining"),
        };
        news.max.is_some().then_some(news)
    }

    fn explain(&self, answer: Answer<'_>) -> Explanation {
        if answer.status.as_u16() == MALFORMED_TOKEN {
            return Explanation { message: Some("the access token is malformed".to_owned()), ..Explanation::default() };
        }
        if let Some(place) = elsewhere(answer) {
            return Explanation { message: Some(place), ..Explanation::default() };
        }
        let body = error_body(answer);
        let contexts = body.errors.into_iter().map(|error| error.context).chain([body.context]);
        let mut required_scopes: Vec<String> = contexts.flat_map(|context| context.required_granular_scopes).collect();
        required_scopes.sort();
        required_scopes.dedup();
        let correlation_id = || {
            let header = answer.headers.get("x-hubspot-correlation-id")?;
            header.to_str().ok().map(str::to_owned)
        };
        Explanation {
            message: body.message,
            category: body.category,
            correlation_id: body.correlation_id.or_else(correlation_id),
            required_scopes,
        }
    }
}

/// Whether an answer's body is an error of HubSpot's own, which says what kind of error it is.
fn is_own_error(answer: Answer<'_>) -> bool {
    error_body(answer).category.is_some_and(|category| !category.trim().is_empty())
}

/// Where to turn, in words, if the account is at home in another data centre.
fn elsewhere(answer: Answer<'_>) -> Option<String> {
    let status = answer.status.as_u16();
    if !(answer.status.is_redirection() || status == OTHER_DATA_CENTRE) {
        return None;
    }
    let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
    let host = location.and_then(|location| url::Url::parse(location).ok()).and_then(|url| {
        let origin = url.origin();
        origin.is_tuple().then(|| origin.ascii_serialization())
    });
    Some(match host {
        Some(host) => format!("the account is at home elsewhere: ask '{host}'"),
        None => "the account is at home in another data centre".to_owned(),
    })
}

fn error_body(answer: Answer<'_>) -> api::ErrorBody {
    json::read(answer.body_start, json::LONGEST_LIST).unwrap_or_default()
}
