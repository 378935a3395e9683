//! The body of a search, and the limits that hold before anything is looked at.

use serde::Deserialize;
use serde_json::Value;

use super::super::answer::Refusal;

const DEFAULT_PAGE: usize = 10;
/// The largest page of a search: twice that of a list.
const LARGEST_PAGE: usize = 200;
/// No search shows more hits than this, however many there are.
const LAST_HIT: usize = 10_000;
const MOST_GROUPS: usize = 5;
const MOST_FILTERS_IN_A_GROUP: usize = 6;
const MOST_FILTERS: usize = 18;

/// A search as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SearchRequest {
    filter_groups: Option<Vec<FilterGroup>>,
    /// A single group, in an older form.
    filters: Option<Vec<Filter>>,
    sorts: Option<Vec<Sort>>,
    pub(super) properties: Option<Vec<String>>,
    limit: Option<usize>,
    /// An offset, as text or as a number.
    after: Option<Value>,
    query: Option<String>,
}

/// Filters that must all hold.
#[derive(Debug, Deserialize)]
struct FilterGroup {
    filters: Vec<Filter>,
}

/// One condition on one property.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    pub(super) property_name: String,
    pub(super) operator: Operator,
    pub(super) value: Option<String>,
    pub(super) high_value: Option<String>,
    pub(super) values: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Operator {
    Lt,
    Lte,
    Gt,
    Gte,
    Eq,
    Neq,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
    ContainsToken,
    NotContainsToken,
}

/// A sort: an object, or the bare name of a property.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Sort {
    #[serde(rename_all = "camelCase")]
    Directed {
        property_name: String,
        direction: Option<Direction>,
    },
    Named(String),
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// Which hits are asked for: `limit` of them behind the first `offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl SearchRequest {
    pub(super) fn page(&self) -> Result<Page, Refusal> {
        if self.query.as_ref().is_some_and(|query| !query.is_empty()) {
            return Err(Refusal::NotSimulated("full-text `query`"));
        }
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Refusal::Invalid(format!("limit must be between 1 and {LARGEST_PAGE}, was {limit}.")));
        }
        let offset = match &self.after {
            None | Some(Value::Null) => Some(0),
            Some(Value::String(text)) if text.is_empty() => Some(0),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64().map(|offset| offset as usize),
        };
        let offset: usize = offset.ok_or_else(|| Refusal::Invalid("after must be a whole number.".to_owned()))?;
        if offset.saturating_add(limit) > LAST_HIT {
            return Err(Refusal::Invalid(format!(
                "There was a problem with the request: paging beyond {LAST_HIT} results is not supported."
            )));
        }
        Ok(Page { offset, limit })
    }

    /// The groups of filters, of which one must hold; none where everything is a hit.
    pub(super) fn groups(&self) -> Result<Vec<&[Filter]>, Refusal> {
        let groups: Vec<&[Filter]> = self
            .filter_groups
            .iter()
            .flatten()
            .map(|group| group.filters.as_slice())
            .chain(self.filters.as_deref())
            .filter(|filters| !filters.is_empty())
            .collect();
        let filters: usize = groups.iter().map(|filters| filters.len()).sum();
        if groups.len() > MOST_GROUPS
            || filters > MOST_FILTERS
            || groups.iter().any(|filters| filters.len() > MOST_FILTERS_IN_A_GROUP)
        {
            return Err(Refusal::Invalid(format!(
                "Too many filters: at most {MOST_GROUPS} groups, {MOST_FILTERS_IN_A_GROUP} filters in a group and {MOST_FILTERS} in all."
            )));
        }
        Ok(groups)
    }

    /// The property to sort by, and whether descending.
    pub(super) fn sort(&self) -> Result<Option<(&str, bool)>, Refusal> {
        match self.sorts.as_deref().unwrap_or_default() {
            [] => Ok(None),
            [Sort::Named(name)] => Ok(Some((name, false))),
            [Sort::Directed { property_name, direction }] => {
                Ok(Some((property_name, *direction == Some(Direction::Descending))))
            }
            _ => Err(Refusal::Invalid("Only one sort is supported.".to_owned())),
        }
    }
}
