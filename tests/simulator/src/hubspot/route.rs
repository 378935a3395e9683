//! Which endpoint a method and a path mean.
//!
//! HubSpot puts the version in a different place in each family: `/crm/v3/objects/contacts` and
//! `/crm/objects/2026-03/contacts` are the same thing.

use http::{Method, StatusCode};

use super::answer::Refusal;

/// The areas under `events`, as no segment of a path can be called.
const OCCURRENCES: &str = "events/occurrences";
const DEFINITIONS: &str = "events/definitions";

/// Where the scopes of a token are told, in whatever version the rest is asked.
const TOKEN_INFO: [&str; 5] = ["oauth", "v2", "private-apps", "get", "access-token-info"];

/// The version of the API that a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The numbered family.
    V3,
    /// The numbered family's associations.
    V4,
    March2026,
    September2026,
}

impl Version {
    fn parse(segment: &str) -> Option<Self> {
        match segment {
            "v3" => Some(Self::V3),
            "v4" => Some(Self::V4),
            "2026-03" => Some(Self::March2026),
            "2026-09" => Some(Self::September2026),
            _ => None,
        }
    }

    /// The status of a batch read some of whose inputs are in error.
    pub(super) fn status_with_errors(self) -> StatusCode {
        if self.is_before_september_2026() { StatusCode::MULTI_STATUS } else { StatusCode::OK }
    }

    /// Whether this version still has the `warnings` of records, the display hints of properties and
    /// the 207 of batch reads.
    pub(super) fn is_before_september_2026(self) -> bool {
        self != Self::September2026
    }
}

/// An endpoint with the names that its path holds. Object types are as written in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    ListObjects { object_type: String },
    GetObject { object_type: String, id: String },
    BatchRead { object_type: String },
    Search { object_type: String },
    ListProperties { object_type: String },
    GetProperty { object_type: String, name: String },
    ListPipelines { object_type: String },
    ListSchemas,
    GetSchema { object_type: String },
    ListOwners,
    ListUsers,
    ListTeams,
    ReadAssociations { from: String, to: String },
    AssociationsOfRecord { from: String, id: String, to: String },
    AssociationLabels { from: String, to: String },
    AssociationLimits,
    SearchLists,
    GetList { id: String },
    GetLists,
    Memberships { id: String },
    MembershipsByTime { id: String },
    ReadMemberships,
    MembershipsOfRecord { object_type: String, id: String },
    AccountDetails,
    DailyUsage,
    RecordLimits,
    ObjectLibrary,
    EventTypes,
    EventOccurrences,
    EventDefinitions,
    TokenInfo,
}

impl Endpoint {
    /// Whether an answer may need the whole portal to be looked at.
    pub(super) fn may_take_long(&self) -> bool {
        matches!(
            self,
            Self::Search { .. }
                | Self::ReadAssociations { .. }
                | Self::AssociationsOfRecord { .. }
                | Self::SearchLists
                | Self::MembershipsByTime { .. }
                | Self::EventOccurrences
        )
    }

    /// Whether this version has the endpoint.
    fn is_in(&self, version: Version) -> bool {
        match self {
            Self::ReadAssociations { .. } | Self::AssociationLabels { .. } | Self::AssociationLimits => {
                version != Version::V3
            }
            // 2026-09 has the links of many records alone.
            Self::AssociationsOfRecord { .. } => matches!(version, Version::V4 | Version::March2026),
            // 2026-09 has them as a beta, whose paths are not simulated.
            Self::ListUsers | Self::ListTeams => matches!(version, Version::V3 | Version::March2026),
            _ => version != Version::V4,
        }
    }
}

/// The version and endpoint that a request means.
pub(super) fn route(method: &Method, path: &str) -> Result<(Version, Endpoint), Refusal> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments == TOKEN_INFO {
        // It has no version that others have, too.
        return if method == Method::POST {
            Ok((Version::V3, Endpoint::TokenInfo))
        } else {
            Err(Refusal::MethodNotAllowed)
        };
    }
    let (version, area, rest) = match segments.as_slice() {
        ["crm", "account-info", ..] | ["crm", _, "account-info", ..] => return Err(Refusal::NoSuchPage),
        ["events", rest @ ..] => events(rest).ok_or(Refusal::NoSuchPage)?,
        ["settings", "users", version, rest @ ..] if *version != "v3" || rest.is_empty() => {
            (Version::parse(version), "users", rest)
        }
        ["crm", version @ ("v3" | "v4"), area, rest @ ..]
        | ["settings", version @ "v3", area @ "users", rest @ ..]
        | [area @ "account-info", version, rest @ ..]
        | ["crm-object-schemas", version, area @ "schemas", rest @ ..] => (Version::parse(version), *area, rest),
        // The schemas have moved; their dated path is under `crm-object-schemas` alone.
        ["crm", area, version, rest @ ..] if *version != "v3" && *area != "schemas" => {
            (Version::parse(version), *area, rest)
        }
        _ => return Err(Refusal::NoSuchPage),
    };
    let version = version.ok_or(Refusal::NoSuchPage)?;

    let (expected, endpoint) = endpoint(area, rest).ok_or(Refusal::NoSuchPage)?;
    if !endpoint.is_in(version) {
        return Err(Refusal::NoSuchPage);
    }
    if method == expected { Ok((version, endpoint)) } else { Err(Refusal::MethodNotAllowed) }
}

/// The version, the area and the rest of a path under `events`, whose families differ in more than the version's place.
fn events<'p>(path: &'p [&'p str]) -> Option<(Option<Version>, &'static str, &'p [&'p str])> {
    let (version, area, rest) = match path {
        ["v3", "events", rest @ ..] => ("v3", OCCURRENCES, rest),
        ["event-occurrences", version @ ("2026-03" | "2026-09"), rest @ ..] => (*version, OCCURRENCES, rest),
        [version @ ("v3" | "2026-03"), "event-definitions", rest @ ..]
        | ["custom", version @ "2026-09", "event-definitions", rest @ ..] => (*version, DEFINITIONS, rest),
        _ => return None,
    };
    Some((Version::parse(version), area, rest))
}

fn endpoint(area: &str, rest: &[&str]) -> Option<(Method, Endpoint)> {
    let get = |endpoint| Some((Method::GET, endpoint));
    let post = |endpoint| Some((Method::POST, endpoint));
    match (area, rest) {
        ("objects", [object_type]) => get(Endpoint::ListObjects { object_type: (*object_type).to_owned() }),
        ("objects", [object_type, "search"]) => post(Endpoint::Search { object_type: (*object_type).to_owned() }),
        ("objects", [object_type, "batch", "read"]) => {
            post(Endpoint::BatchRead { object_type: (*object_type).to_owned() })
        }
        ("objects", [object_type, id]) => {
            get(Endpoint::GetObject { object_type: (*object_type).to_owned(), id: (*id).to_owned() })
        }
        ("objects", [from, id, "associations", to]) => {
            get(Endpoint::AssociationsOfRecord { from: (*from).to_owned(), id: (*id).to_owned(), to: (*to).to_owned() })
        }
        ("associations", ["definitions", "configurations", "all"]) => get(Endpoint::AssociationLimits),
        ("associations", [from, to, "labels"]) => {
            get(Endpoint::AssociationLabels { from: (*from).to_owned(), to: (*to).to_owned() })
        }
        ("associations", [from, to, "batch", "read"]) => {
            post(Endpoint::ReadAssociations { from: (*from).to_owned(), to: (*to).to_owned() })
        }
        ("lists", []) => get(Endpoint::GetLists),
        ("lists", ["search"]) => post(Endpoint::SearchLists),
        ("lists", ["records", "memberships", "batch", "read"]) => post(Endpoint::ReadMemberships),
        ("lists", ["records", object_type, id, "memberships"]) => {
            get(Endpoint::MembershipsOfRecord { object_type: (*object_type).to_owned(), id: (*id).to_owned() })
        }
        ("lists", [id, "memberships"]) => get(Endpoint::Memberships { id: (*id).to_owned() }),
        ("lists", [id, "memberships", "join-order"]) => get(Endpoint::MembershipsByTime { id: (*id).to_owned() }),
        // Not `folders` or `idmapping`, which are not simulated.
        ("lists", [id]) if id.bytes().all(|byte| byte.is_ascii_digit()) => {
            get(Endpoint::GetList { id: (*id).to_owned() })
        }
        ("users", []) => get(Endpoint::ListUsers),
        ("users", ["teams"]) => get(Endpoint::ListTeams),
        ("properties", [object_type]) => get(Endpoint::ListProperties { object_type: (*object_type).to_owned() }),
        ("properties", [object_type, name]) => {
            get(Endpoint::GetProperty { object_type: (*object_type).to_owned(), name: (*name).to_owned() })
        }
        ("pipelines", [object_type]) => get(Endpoint::ListPipelines { object_type: (*object_type).to_owned() }),
        ("schemas", []) => get(Endpoint::ListSchemas),
        ("schemas", [object_type]) => get(Endpoint::GetSchema { object_type: (*object_type).to_owned() }),
        ("owners", []) => get(Endpoint::ListOwners),
        ("account-info", ["details"]) => get(Endpoint::AccountDetails),
        ("account-info", ["api-usage", "daily", "private-apps"]) => get(Endpoint::DailyUsage),
        ("limits", ["records"]) => get(Endpoint::RecordLimits),
        ("object-library", ["enablement"]) => get(Endpoint::ObjectLibrary),
        (OCCURRENCES, []) => get(Endpoint::EventOccurrences),
        (OCCURRENCES, ["event-types"]) => get(Endpoint::EventTypes),
        (DEFINITIONS, []) => get(Endpoint::EventDefinitions),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<(Version, Endpoint), Refusal> {
        route(&Method::GET, path)
    }

    #[test]
    fn both_families_mean_the_same() {
        let pairs = [
            ("/crm/v3/objects/contacts", "/crm/objects/2026-09/contacts"),
            ("/crm/v3/objects/0-1/151", "/crm/objects/2026-09/0-1/151"),
            ("/crm/v3/properties/deals", "/crm/properties/2026-09/deals"),
            ("/crm/v3/pipelines/deals", "/crm/pipelines/2026-09/deals"),
            ("/crm/v3/schemas", "/crm-object-schemas/2026-09/schemas"),
            ("/crm-object-schemas/v3/schemas/2-1", "/crm-object-schemas/2026-09/schemas/2-1"),
            ("/crm/v3/owners/", "/crm/owners/2026-09"),
            ("/crm/v3/lists", "/crm/lists/2026-09"),
            ("/crm/v3/lists/5/memberships", "/crm/lists/2026-09/5/memberships"),
            ("/crm/v3/lists/5/memberships/join-order", "/crm/lists/2026-09/5/memberships/join-order"),
            ("/crm/v3/lists/records/0-1/151/memberships", "/crm/lists/2026-09/records/0-1/151/memberships"),
            ("/crm/v3/limits/records", "/crm/limits/2026-09/records"),
            ("/crm/v3/object-library/enablement", "/crm/object-library/2026-09/enablement"),
            ("/account-info/v3/details", "/account-info/2026-09/details"),
            ("/account-info/v3/api-usage/daily/private-apps", "/account-info/2026-09/api-usage/daily/private-apps"),
        ];
        for (numbered, dated) in pairs {
            let (version, endpoint) = get(numbered).expect(numbered);
            assert_eq!(version, Version::V3);
            assert_eq!(get(dated), Ok((Version::September2026, endpoint)), "{dated}");
        }
    }

    #[test]
    fn associations_are_in_the_fourth_numbered_version() {
        for (numbered, dated) in [
            ("/crm/v4/associations/deals/0-1/labels", "/crm/associations/2026-09/deals/0-1/labels"),
            ("/crm/associations/v4/deals/0-1/labels", "/crm/associations/2026-03/deals/0-1/labels"),
            (
                "/crm/associations/v4/definitions/configurations/all",
                "/crm/associations/2026-03/definitions/configurations/all",
            ),
            ("/crm/v4/objects/contacts/1/associations/deals", "/crm/objects/2026-03/contacts/1/associations/deals"),
        ] {
            let (version, endpoint) = get(numbered).expect(numbered);
            assert_eq!((version, get(dated).map(|(_, endpoint)| endpoint)), (Version::V4, Ok(endpoint)), "{dated}");
        }
        let read = |path| route(&Method::POST, path).map(|(_, endpoint)| endpoint);
        assert_eq!(
            read("/crm/v4/associations/0-1/0-2/batch/read"),
            read("/crm/associations/2026-09/0-1/0-2/batch/read")
        );
        for path in [
            // The third version has associations of another form, 2026-09 none of one record.
            "/crm/v3/associations/deals/contacts/labels",
            "/crm/v3/objects/contacts/1/associations/deals",
            "/crm/objects/2026-09/contacts/1/associations/deals",
            "/crm/v4/objects/contacts",
        ] {
            assert_eq!(get(path), Err(Refusal::NoSuchPage), "{path}");
        }
    }

    #[test]
    fn users_and_teams_have_paths_of_their_own() {
        for (path, expected) in [
            ("/settings/users/v3", Some((Version::V3, Endpoint::ListUsers))),
            // As HubSpot's own client has it.
            ("/settings/v3/users/", Some((Version::V3, Endpoint::ListUsers))),
            ("/settings/v3/users/teams", Some((Version::V3, Endpoint::ListTeams))),
            ("/settings/users/2026-03", Some((Version::March2026, Endpoint::ListUsers))),
            ("/settings/users/2026-03/teams", Some((Version::March2026, Endpoint::ListTeams))),
            ("/settings/users/v3/teams", None),
            ("/settings/users/2026-09", None),
            ("/settings/users/2026-09/teams", None),
        ] {
            assert_eq!(get(path).ok(), expected, "{path}");
        }
    }

    #[test]
    fn events_have_paths_of_their_own() {
        for (numbered, march, september) in [
            ("/events/v3/events", "/events/event-occurrences/2026-03", "/events/event-occurrences/2026-09"),
            (
                "/events/v3/events/event-types",
                "/events/event-occurrences/2026-03/event-types",
                "/events/event-occurrences/2026-09/event-types",
            ),
            (
                "/events/v3/event-definitions",
                "/events/2026-03/event-definitions",
                "/events/custom/2026-09/event-definitions",
            ),
        ] {
            let (version, endpoint) = get(numbered).expect(numbered);
            assert_eq!(version, Version::V3);
            assert_eq!(get(march), Ok((Version::March2026, endpoint.clone())), "{march}");
            assert_eq!(get(september), Ok((Version::September2026, endpoint)), "{september}");
        }
        for path in [
            "/events",
            "/events/event-occurrences/v3",
            "/events/2026-09/event-definitions",
            "/events/custom/2026-03/event-definitions",
            "/crm/event-occurrences/2026-09",
            "/crm/v3/event-definitions",
        ] {
            assert_eq!(get(path), Err(Refusal::NoSuchPage), "{path}");
        }
    }

    #[test]
    fn the_scopes_of_a_token_are_asked_with_post() {
        let path = "/oauth/v2/private-apps/get/access-token-info";
        assert_eq!(route(&Method::POST, path), Ok((Version::V3, Endpoint::TokenInfo)));
        assert_eq!(get(path), Err(Refusal::MethodNotAllowed));
        assert_eq!(get("/oauth/v2/private-apps/get"), Err(Refusal::NoSuchPage));
    }

    #[test]
    fn what_is_not_there_is_no_page() {
        for path in [
            "/",
            "/crm/v3/objects",
            "/crm/v2/objects/contacts",
            "/crm/objects/2024-03/contacts",
            "/crm/schemas/2026-03",
        ] {
            assert_eq!(get(path), Err(Refusal::NoSuchPage), "{path}");
        }
        assert_eq!(route(&Method::DELETE, "/crm/v3/objects/contacts/1"), Err(Refusal::MethodNotAllowed));
    }
}
