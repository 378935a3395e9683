//! Where things are, in each version of the API.

/// The first dated version, which has what later ones may lack.
pub(super) const MARCH: &str = "2026-03";

/// Where things are in one version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// A dated version, such as `2026-09`.
    Dated(&'static str),
    /// The numbered paths.
    Numbered,
}

impl Paths {
    pub(in crate::source::hubspot) fn records(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/objects/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/objects/{type_id}"),
        }
    }

    pub(in crate::source::hubspot) fn batch_read(self, type_id: &str) -> String {
        format!("{}/batch/read", self.records(type_id))
    }

    pub(in crate::source::hubspot) fn search(self, type_id: &str) -> String {
        format!("{}/search", self.records(type_id))
    }

    pub(in crate::source::hubspot) fn properties(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/properties/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/properties/{type_id}"),
        }
    }

    pub(in crate::source::hubspot) fn schemas(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm-object-schemas/{date}/schemas"),
            Self::Numbered => "/crm/v3/schemas".to_owned(),
        }
    }

    pub(in crate::source::hubspot) fn owners(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/owners/{date}"),
            Self::Numbered => "/crm/v3/owners".to_owned(),
        }
    }

    /// The links of many records of one type to those of another.
    pub(in crate::source::hubspot) fn links(self, from: &str, to: &str) -> String {
        format!("{}/batch/read", self.associations(from, to))
    }

    /// What such links may mean.
    pub(in crate::source::hubspot) fn association_types(self, from: &str, to: &str) -> String {
        format!("{}/labels", self.associations(from, to))
    }

    /// How many of each a record may have, where the account has set a limit.
    pub(in crate::source::hubspot) fn association_limits(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/associations/{date}/definitions/configurations/all"),
            Self::Numbered => "/crm/associations/v4/definitions/configurations/all".to_owned(),
        }
    }

    fn associations(self, from: &str, to: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/associations/{date}/{from}/{to}"),
            Self::Numbered => format!("/crm/v4/associations/{from}/{to}"),
        }
    }

    /// The same version, but for a family that a newer date may not have: the last date that surely has it.
    pub(in crate::source::hubspot) fn of_march(self) -> Option<Self> {
        match self {
            Self::Dated(MARCH) | Self::Numbered => None,
            Self::Dated(_) => Some(Self::Dated(MARCH)),
        }
    }

    pub(in crate::source::hubspot) fn lists(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/lists/{date}/search"),
            Self::Numbered => "/crm/v3/lists/search".to_owned(),
        }
    }

    pub(in crate::source::hubspot) fn members(self, list_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/lists/{date}/{list_id}/memberships"),
            Self::Numbered => format!("/crm/v3/lists/{list_id}/memberships"),
        }
    }

    /// The lists of many records.
    pub(in crate::source::hubspot) fn memberships(self) -> String {
        match self {
            Self::Dated(date) => format!("/crm/lists/{date}/records/memberships/batch/read"),
            Self::Numbered => "/crm/v3/lists/records/memberships/batch/read".to_owned(),
        }
    }

    /// What has happened to a record, or of one type to all.
    pub(in crate::source::hubspot) fn occurrences(self) -> String {
        match self {
            Self::Dated(date) => format!("/events/event-occurrences/{date}"),
            Self::Numbered => "/events/v3/events".to_owned(),
        }
    }

    /// The types of what may have happened.
    pub(in crate::source::hubspot) fn event_types(self) -> String {
        format!("{}/event-types", self.occurrences())
    }

    /// The account's own ones, with their properties. They have moved after March 2026.
    pub(in crate::source::hubspot) fn event_definitions(self) -> String {
        match self {
            Self::Dated(MARCH) => format!("/events/{MARCH}/event-definitions"),
            Self::Dated(date) => format!("/events/custom/{date}/event-definitions"),
            Self::Numbered => "/events/v3/event-definitions".to_owned(),
        }
    }

    /// Users have no dated path after March 2026.
    pub(in crate::source::hubspot) fn account_users(self) -> String {
        match self {
            Self::Dated(_) => format!("/settings/users/{MARCH}"),
            Self::Numbered => "/settings/users/v3".to_owned(),
        }
    }

    pub(in crate::source::hubspot) fn teams(self) -> String {
        match self {
            Self::Dated(_) => format!("/settings/users/{MARCH}/teams"),
            Self::Numbered => "/settings/v3/users/teams".to_owned(),
        }
    }

    pub(in crate::source::hubspot) fn account(self) -> String {
        format!("/account-info/{}/details", self.version())
    }

    pub(in crate::source::hubspot) fn daily_usage(self) -> String {
        format!("/account-info/{}/api-usage/daily/private-apps", self.version())
    }

    /// The version that users and teams are asked of.
    pub(super) fn people(self) -> &'static str {
        match self {
            Self::Dated(_) => MARCH,
            Self::Numbered => self.version(),
        }
    }

    /// The version, as it is called where it stands by itself.
    pub fn version(self) -> &'static str {
        match self {
            Self::Dated(date) => date,
            Self::Numbered => "v3",
        }
    }

    pub(in crate::source::hubspot) fn pipelines(self, type_id: &str) -> String {
        match self {
            Self::Dated(date) => format!("/crm/pipelines/{date}/{type_id}"),
            Self::Numbered => format!("/crm/v3/pipelines/{type_id}"),
        }
    }
}
