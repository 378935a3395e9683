//! Which endpoint a method and a path mean.
//!
//! HubSpot puts the version in a different place in each family: `/crm/v3/objects/contacts` and
//! `/crm/objects/2026-03/contacts` are the same thing.

use http::Method;

use super::answer::Refusal;

/// The version of the API that a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The numbered family.
    V3,
    March2026,
    September2026,
}

impl Version {
    fn parse(segment: &str) -> Option<Self> {
        match segment {
            "v3" => Some(Self::V3),
            "2026-03" => Some(Self::March2026),
            "2026-09" => Some(Self::September2026),
            _ => None,
        }
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
    AccountDetails,
    DailyUsage,
    RecordLimits,
    ObjectLibrary,
}

/// The version and endpoint that a request means.
pub(super) fn route(method: &Method, path: &str) -> Result<(Version, Endpoint), Refusal> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (version, area, rest) = match segments.as_slice() {
        ["crm", "account-info", ..] | ["crm", _, "account-info", ..] => return Err(Refusal::NoSuchPage),
        ["crm", "v3", area, rest @ ..] => (Some(Version::V3), *area, rest),
        [area @ "account-info", version, rest @ ..] | ["crm-object-schemas", version, area @ "schemas", rest @ ..] => {
            (Version::parse(version), *area, rest)
        }
        // The schemas have moved; their dated path is under `crm-object-schemas` alone.
        ["crm", area, version, rest @ ..] if *version != "v3" && *area != "schemas" => {
            (Version::parse(version), *area, rest)
        }
        _ => return Err(Refusal::NoSuchPage),
    };
    let version = version.ok_or(Refusal::NoSuchPage)?;

    let (expected, endpoint) = endpoint(area, rest).ok_or(Refusal::NoSuchPage)?;
    if method == expected { Ok((version, endpoint)) } else { Err(Refusal::MethodNotAllowed) }
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
