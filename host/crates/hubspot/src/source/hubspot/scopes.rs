//! Scopes: what a token may do, and which of it no stream needs.
//!
//! HubSpot tells the scopes of a private app's token, or of a service key, to whoever shows it. A scope that may serve one of
//! the streams is taken for needed, even where another would do, so what is told to be too much is so. sluice never writes,
//! so a scope that only lets things be changed is always too much.

use std::time::Duration;

use serde_json::json;
use sluice_model::stream::{StreamInfo, StreamKind};

use super::{HubSpot, api, json::LONGEST_LIST, types};
use crate::{
    http::Request,
    source::{Reach, Unneeded},
};

/// Where the scopes of a token are told. It has no other path in any version.
const TOKEN_INFO: &str = "/oauth/v2/private-apps/get/access-token-info";

/// How long the answer may take, once the question is sent.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// The scope of every token that was granted by OAuth; events need it.
const EVERY_TOKEN: &str = "oauth";

/// The types whose scopes have other names than their own, by their ids: activities belong to contacts, what is added to a
/// sale to line items.
const OTHER_NAMES: [(&str, &str); 15] = [
    ("0-18", "contacts"),
    ("0-27", "contacts"),
    ("0-46", "contacts"),
    ("0-47", "contacts"),
    ("0-48", "contacts"),
    ("0-49", "contacts"),
    ("0-116", "contacts"),
    ("0-74", "goals"),
    ("0-84", "line_items"),
    ("0-85", "line_items"),
    ("0-86", "line_items"),
    ("0-101", "commercepayments"),
    ("0-101", "commerce_payments"),
    ("0-5", TICKETS),
    ("0-421", "appointments"),
];

/// The scopes of tickets are older than the names of the others.
const TICKETS: &str = "tickets";
/// The scope of products and line items that is older than theirs.
const COMMERCE: (&str, [&str; 2]) = ("e-commerce", ["0-7", "0-8"]);
/// What the bodies of e-mails take beside.
const EMAIL_BODIES: (&str, &str) = ("sales-email-read", "0-49");
/// What all custom types are called in scopes.
const CUSTOM: &str = "custom";

impl HubSpot {
    pub(super) async fn unneeded_scopes(&self, streams: &[&StreamInfo]) -> Option<Vec<Unneeded>> {
        // The only request whose body has the token; it goes where the header with the token goes, too.
        let question = json!({ "tokenKey": self.token.expose() });
        let request = Request::post(&self.general, TOKEN_INFO, &question).expendable().answer_within(LONGEST_ANSWER);
        match self.json::<api::TokenInfo>(&request, LONGEST_LIST).await {
            Ok(info) => Some(beyond(info.scopes, streams, self.sensitive)),
            // Nothing of an answer that may repeat the question.
            Err(error) => {
                tracing::debug!(
                    status = error.status().map(|status| status.as_u16()),
                    "the token's scopes are not told"
                );
                None
            }
        }
    }
}

/// The scopes that serve none of the streams, the gravest first.
fn beyond(scopes: Vec<String>, streams: &[&StreamInfo], sensitive: bool) -> Vec<Unneeded> {
    let is_needed = |scope: &str| {
        scope == EVERY_TOKEN || streams.iter().any(|stream| serves(Scope::of(scope), &stream.kind, sensitive))
    };
    let spare = scopes.into_iter().filter(|scope| !is_needed(scope));
    let mut spare: Vec<Unneeded> = spare.map(|scope| Unneeded { reach: reach(&scope), scope }).collect();
    spare.sort();
    spare.dedup();
    spare
}

fn reach(scope: &str) -> Reach {
    let parts: Vec<&str> = scope.split('.').collect();
    if parts.iter().any(|part| matches!(*part, "write" | "read_write" | "delete")) {
        Reach::Writes
    } else if is_sensitive(&parts) {
        Reach::Sensitive
    } else {
        Reach::Other
    }
}

fn is_sensitive(parts: &[&str]) -> bool {
    parts.iter().any(|part| matches!(*part, "sensitive" | "highly_sensitive"))
}

/// What a scope lets be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope<'s> {
    /// Records of the types of this name, or their sensitive values.
    Records { name: &'s str, sensitive: bool },
    /// Definitions of the types of this name.
    Schemas { name: &'s str },
    /// Pipelines of one type.
    Pipelines,
    /// Anything else, by its whole name.
    Named(&'s str),
}

impl<'s> Scope<'s> {
    fn of(scope: &'s str) -> Self {
        let parts: Vec<&str> = scope.split('.').collect();
        match parts.as_slice() {
            ["crm", "objects", name, "read"] => Self::Records { name, sensitive: false },
            ["crm", "objects", name, level, "read", ..] if is_sensitive(&[level]) => {
                Self::Records { name, sensitive: true }
            }
            [TICKETS] => Self::Records { name: TICKETS, sensitive: false },
            [TICKETS, level, ..] if is_sensitive(&[level]) => Self::Records { name: TICKETS, sensitive: true },
            ["crm", "schemas", name, "read"] => Self::Schemas { name },
            ["crm", "pipelines", _, "read"] => Self::Pipelines,
            _ => Self::Named(scope),
        }
    }
}

/// Whether a scope may be needed to read a stream of this kind.
fn serves(scope: Scope<'_>, kind: &StreamKind, sensitive: bool) -> bool {
    let records = |type_id: &str| match scope {
        Scope::Records { name, sensitive: is_of_sensitive } => is_of(name, type_id) && (sensitive || !is_of_sensitive),
        Scope::Schemas { name } => is_of(name, type_id),
        Scope::Named(name) => (name == COMMERCE.0 && COMMERCE.1.contains(&type_id)) || (name, type_id) == EMAIL_BODIES,
        Scope::Pipelines => false,
    };
    // What is known of types may be told to whoever may read their records.
    let any_type = matches!(scope, Scope::Records { sensitive: false, .. } | Scope::Schemas { .. });
    let is = |name: &str| scope == Scope::of(name);
    match kind {
        StreamKind::Objects { type_id } | StreamKind::History { type_id } => records(type_id),
        StreamKind::Associations { from, to } => records(&from.type_id) || records(&to.type_id),
        StreamKind::Memberships { type_id } => is("crm.lists.read") || records(type_id),
        StreamKind::Lists => is("crm.lists.read"),
        StreamKind::Events { of, .. } => {
            is("behavioral_events.event_definitions.read_write") || is("crm.lists.read") || records(of)
        }
        StreamKind::Owners | StreamKind::OwnerTeams => is("crm.objects.owners.read"),
        StreamKind::Teams => is("settings.users.teams.read") || is("settings.users.read"),
        StreamKind::AccountUsers => is("settings.users.read") || is("crm.objects.users.read"),
        StreamKind::Pipelines | StreamKind::PipelineStages => any_type || scope == Scope::Pipelines,
        StreamKind::AssociationDefinitions | StreamKind::PropertyDefinitions => any_type,
        StreamKind::TypeDefinitions => {
            any_type && matches!(scope, Scope::Records { name: CUSTOM, .. } | Scope::Schemas { name: CUSTOM })
        }
    }
}

/// Whether the scopes of this name are those of a type.
fn is_of(name: &str, type_id: &str) -> bool {
    let own = types::STANDARD.iter().find(|standard| standard.id == type_id);
    match own {
        Some(own) => own.name == name || OTHER_NAMES.contains(&(own.id, name)),
        None => name == CUSTOM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts() -> StreamInfo {
        StreamInfo::new("contacts", StreamKind::objects("0-1"))
    }

    fn beyond_need(scopes: &[&str], streams: &[StreamInfo], sensitive: bool) -> Vec<(Reach, String)> {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let streams: Vec<&StreamInfo> = streams.iter().collect();
        beyond(scopes, &streams, sensitive).into_iter().map(|it| (it.reach, it.scope)).collect()
    }

    #[test]
    fn writes_come_first_then_what_is_sensitive_then_the_rest() {
        let scopes = [
            "oauth",
            "crm.objects.deals.read",
            "crm.objects.contacts.sensitive.read.v2",
            "crm.objects.contacts.read",
            "crm.schemas.contacts.read",
            "crm.objects.contacts.write",
            "crm.objects.contacts.write",
            "tickets.highly_sensitive",
            "tickets",
            "behavioral_events.event_definitions.read_write",
        ];
        let told = |reach: Reach, scope: &str| (reach, scope.to_owned());
        assert_eq!(
            beyond_need(&scopes, &[contacts()], false),
            [
                told(Reach::Writes, "behavioral_events.event_definitions.read_write"),
                told(Reach::Writes, "crm.objects.contacts.write"),
                told(Reach::Sensitive, "crm.objects.contacts.sensitive.read.v2"),
                told(Reach::Sensitive, "tickets.highly_sensitive"),
                told(Reach::Other, "crm.objects.deals.read"),
                told(Reach::Other, "tickets"),
            ]
        );
    }

    #[test]
    fn sensitive_values_that_the_file_asks_for_take_their_scope() {
        let scopes = ["crm.objects.contacts.sensitive.read", "crm.objects.deals.sensitive.read"];
        assert_eq!(
            beyond_need(&scopes, &[contacts()], true),
            [(Reach::Sensitive, "crm.objects.deals.sensitive.read".to_owned())]
        );
    }

    #[test]
    fn each_kind_of_stream_needs_its_scopes_and_no_others() {
        let owners = StreamInfo::new("owners", StreamKind::Owners);
        let of = |type_id: &str| StreamInfo::new("any", StreamKind::objects(type_id));
        let memberships = StreamInfo::memberships("0-1", "contacts");
        let users = StreamInfo::new("account_users", StreamKind::AccountUsers);
        let types = StreamInfo::new("types", StreamKind::TypeDefinitions);
        let properties = StreamInfo::new("property_definitions", StreamKind::PropertyDefinitions);
        let pipelines = StreamInfo::new("pipelines", StreamKind::Pipelines);
        for (stream, needed) in [
            (owners, "crm.objects.owners.read"),
            (of("0-5"), "tickets"),
            (of("0-8"), "e-commerce"),
            (of("0-48"), "crm.objects.contacts.read"),
            (of("0-49"), "sales-email-read"),
            (of("2-77"), "crm.schemas.custom.read"),
            (memberships, "crm.lists.read"),
            (users, "settings.users.read"),
            (types, "crm.objects.custom.read"),
            (properties, "crm.schemas.deals.read"),
            (pipelines, "crm.pipelines.orders.read"),
        ] {
            let scopes = [needed, "crm.export", "crm.objects.carts.write"];
            let told: Vec<String> = beyond_need(&scopes, std::slice::from_ref(&stream), false)
                .into_iter()
                .map(|(_, scope)| scope)
                .collect();
            assert_eq!(told, ["crm.objects.carts.write", "crm.export"], "{}", stream.name);
        }
    }
}
