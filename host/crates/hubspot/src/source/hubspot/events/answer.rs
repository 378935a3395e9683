//! A page of what has happened to one record.
//!
//! An occurrence is a row. It is the record's that was asked for, as a rule; one of a record that is not asked for itself (it
//! was merged into this one, say) keeps the id that HubSpot gives, and one of a record that is comes with that one: of two
//! that were merged while they were read, one may stand for both.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_model::schema::{Field, attribute};

use crate::{
    http::Undecodable,
    source::{
        ReadRequest,
        hubspot::{
            batches::{Layout, Numbered, Strands},
            cells::Cell,
            decode::raw,
            ids::Ids,
            json::{self, FewOf},
            kinds::events::column,
            paging::Paging,
            record, value,
        },
    },
};

/// A page, but for its rows.
#[derive(Debug)]
pub(super) struct Page {
    /// Rows that it has brought.
    pub(super) rows: usize,
    /// What is to be delivered now.
    pub(super) due: Numbered,
    /// The first occurrence that it lists.
    pub(super) first: Option<String>,
    /// The occurrences that no page before had.
    pub(super) new: Vec<String>,
    /// Where the next page begins.
    pub(super) after: Option<String>,
    pub(super) odd: Odd,
}

/// What is odd about occurrences.
#[derive(Debug, Default)]
pub(super) struct Odd {
    /// Values of properties that nothing names.
    pub(super) undefined: u64,
    /// The names of these.
    pub(super) names: BTreeSet<String>,
    /// Values of `occurredAt` that are no times.
    pub(super) times: u64,
}

impl Odd {
    /// Adds what was odd about others.
    pub(super) fn add(&mut self, other: Self) {
        self.undefined += other.undefined;
        self.names.extend(other.names);
        self.times += other.times;
    }
}

/// Properties of one occurrence, at most: HubSpot allows a few hundred.
const MOST_PROPERTIES: usize = 10_000;

#[derive(Debug, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    results: Vec<Wired<'a>>,
    paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wired<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    object_id: Option<&'a RawValue>,
    #[serde(borrow)]
    occurred_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    properties: Option<FewOf<MOST_PROPERTIES, Cow<'a, str>, Option<&'a RawValue>>>,
}

/// What a column of occurrences is.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Id,
    EventType,
    Type,
    Record,
    OccurredAt,
    IngestedAt,
    Value(String, Cell),
    Unknown,
}

impl Role {
    fn of(field: &Field) -> Self {
        if let Some(property) = field.attributes.get(attribute::PROPERTY) {
            return Self::Value(property.clone(), Cell::of(field));
        }
        match field.name.as_str() {
            column::ID => Self::Id,
            column::EVENT_TYPE => Self::EventType,
            record::OBJECT_TYPE_ID => Self::Type,
            record::OBJECT_ID => Self::Record,
            column::OCCURRED_AT => Self::OccurredAt,
            record::INGESTED_AT => Self::IngestedAt,
            _ => Self::Unknown,
        }
    }
}

/// Makes rows of answers.
#[derive(Debug)]
pub(super) struct Decoder {
    layout: [Layout<Role>; 1],
    full_name: String,
    event_type_id: String,
    type_id: String,
    ingested_at: i64,
}

/// What a page is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The record.
    pub(super) id: &'a str,
    /// All records that are asked for.
    pub(super) ids: &'a Ids,
    /// The properties that something names.
    pub(super) defined: &'a HashSet<String>,
    /// The occurrences that earlier pages had.
    pub(super) seen: &'a HashSet<String>,
}

impl Decoder {
    pub(super) fn new(request: &ReadRequest, full_name: &str, event_type_id: &str, type_id: &str) -> Self {
        Self {
            layout: [Layout::of(&request.columns, Role::of)],
            full_name: full_name.to_owned(),
            event_type_id: event_type_id.to_owned(),
            type_id: type_id.to_owned(),
            ingested_at: request.ingested_at.as_microsecond(),
        }
    }

    /// The layout of the one strand that there is.
    pub(super) fn layout(&self) -> &[Layout<Role>] {
        &self.layout
    }

    /// Reads a page, and puts its rows with the others. A page that cannot be read leaves nothing behind.
    pub(super) fn page(
        &self,
        body: &[u8],
        asked: Asked<'_>,
        strands: &mut Strands<'_, Role>,
    ) -> Result<Page, Undecodable> {
        let body = json::judged(body, super::MOST_OCCURRENCES as usize)?;
        let wire: Wire<'_> = serde_json::from_slice(&body)?;
        let ids = wire.results.iter().map(|wired| raw::wanted_id(wired.id, "id")).collect::<Result<Vec<_>, _>>()?;
        let mut page = Page {
            rows: 0,
            due: Vec::new(),
            first: ids.first().map(|id| id.clone().into_owned()),
            new: Vec::new(),
            after: Paging::after(wire.paging),
            odd: Odd::default(),
        };
        let mut here = HashSet::new();
        for (id, wired) in ids.iter().zip(&wire.results) {
            let record = wired.object_id.and_then(raw::id).unwrap_or(Cow::Borrowed(asked.id));
            let of_type =
                wired.event_type.and_then(raw::text).is_none_or(|name| name.eq_ignore_ascii_case(&self.full_name));
            let comes_elsewhere = record != asked.id && asked.ids.contains(&record);
            if of_type && !comes_elsewhere && !asked.seen.contains(id.as_ref()) && here.insert(id.as_ref()) {
                page.new.push(id.clone().into_owned());
                page.rows += 1;
                self.push(id, &record, wired, strands, asked.defined, &mut page.odd)?;
            }
        }
        page.due = strands.due().map_err(|_| Undecodable::Unexpected { what: "its rows make no batch".to_owned() })?;
        Ok(page)
    }

    fn push(
        &self,
        id: &str,
        record: &str,
        wired: &Wired<'_>,
        strands: &mut Strands<'_, Role>,
        defined: &HashSet<String>,
        odd: &mut Odd,
    ) -> Result<(), Undecodable> {
        let occurred_at = wired.occurred_at.and_then(raw::text).and_then(|text| value::timestamp(&text));
        odd.times += u64::from(occurred_at.is_none());
        let values: HashMap<&str, Cow<'_, str>> = wired
            .properties
            .iter()
            .flat_map(|FewOf(properties)| properties)
            .filter_map(|(name, value)| Some((name.as_ref(), raw::text((*value)?)?)))
            .collect();
        for (name, _) in values.iter().filter(|(name, value)| !value.is_empty() && !defined.contains(**name)) {
            odd.undefined += 1;
            odd.names.insert((*name).to_owned());
        }
        strands.push(0, |role, column| match role {
            Role::Id => column.append_or_null(Some(id)),
            Role::EventType => column.append_or_null(Some(&self.event_type_id)),
            Role::Type => column.append_or_null(Some(&self.type_id)),
            Role::Record => column.append_or_null(Some(record)),
            Role::OccurredAt => match occurred_at {
                Some(micros) => column.append_micros(micros),
                None => column.append_null(),
            },
            Role::IngestedAt => column.append_micros(self.ingested_at),
            Role::Value(property, cell) => cell.append(column, values.get(property.as_str()).map(Cow::as_ref)),
            Role::Unknown => column.append_null(),
        })
    }
}
