//! One answer about the versions of many records: judged whole, then made into rows of as many strands as properties were asked
//! for.
//!
//! A version is a row, with its value as the record's own stream would have it. A version without a time has no place among
//! the others and none in the table's key: it is counted, and left out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_model::schema::{Field, attribute};

use crate::{
    http::Undecodable,
    source::{
        Beyond, ReadRequest,
        hubspot::{
            batches::{Layout, Numbered, Strands},
            cells::Cell,
            decode::raw,
            input_errors::InputError,
            json::{self, FewIn, FewOf},
            kinds::history::column,
            record, value,
        },
    },
};

/// Properties of one record, and versions of one property, at most: HubSpot gives a tenth of that.
const MOST_PROPERTIES: usize = 10_000;
const MOST_VERSIONS: usize = 10_000;

#[derive(Debug, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    results: Vec<OfRecord<'a>>,
    #[serde(default, deserialize_with = "json::each_or_default")]
    errors: Vec<InputError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRecord<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    /// By property. What HubSpot has no history of it may leave out, in whole or in part.
    #[serde(borrow, default)]
    properties_with_history: Option<FewOf<MOST_PROPERTIES, Cow<'a, str>, Option<&'a RawValue>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wired<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    source_type: Option<&'a RawValue>,
    #[serde(borrow)]
    source_id: Option<&'a RawValue>,
    #[serde(borrow)]
    updated_by_user_id: Option<&'a RawValue>,
}

/// What a column of versions is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Type,
    Record,
    UpdatedAt,
    SourceType,
    SourceId,
    UpdatedBy,
    IngestedAt,
    Value(Cell),
    Unknown,
}

impl Role {
    fn of(field: &Field) -> Self {
        match field.name.as_str() {
            _ if field.attributes.contains_key(attribute::PROPERTY) => Self::Value(Cell::of(field)),
            record::OBJECT_TYPE_ID => Self::Type,
            record::OBJECT_ID => Self::Record,
            record::UPDATED_AT => Self::UpdatedAt,
            column::SOURCE_TYPE => Self::SourceType,
            column::SOURCE_ID => Self::SourceId,
            column::UPDATED_BY => Self::UpdatedBy,
            record::INGESTED_AT => Self::IngestedAt,
            _ => Self::Unknown,
        }
    }
}

/// What has been said about some records.
#[derive(Debug, Default)]
pub(super) struct Said {
    rows: usize,
    records: u64,
    beyond: Beyond,
    /// By the number of a strand, for how many records its property was named.
    named: BTreeMap<usize, u64>,
}

impl Said {
    /// Adds what has been said about others.
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.records += other.records;
        self.beyond.capped += other.beyond.capped;
        self.beyond.untimed += other.beyond.untimed;
        for (strand, records) in other.named {
            *self.named.entry(strand).or_default() += records;
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn untimed(&self) -> u64 {
        self.beyond.untimed
    }

    pub(super) fn beyond(&self) -> Beyond {
        self.beyond
    }
}

/// Makes rows of answers.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The properties that are wanted: the place of each is the number of its strand.
    properties: Vec<String>,
    strands: HashMap<String, usize>,
    layouts: Vec<Layout<Role>>,
    type_id: String,
    ingested_at: i64,
    most_versions: usize,
}

impl Decoder {
    /// Of records of this type, of which HubSpot gives so many versions at most.
    pub(super) fn new(request: &ReadRequest, type_id: &str, most_versions: usize) -> Self {
        let mut properties: Vec<String> = Vec::new();
        let mut strands = HashMap::new();
        for name in request.columns.iter().filter_map(|column| column.attributes.get(attribute::PROPERTY)) {
            strands.entry(name.clone()).or_insert_with(|| {
                properties.push(name.clone());
                properties.len() - 1
            });
        }
        let layout = |property: &String| {
            let is_part = |field: &&Field| field.attributes.get(attribute::PROPERTY).is_none_or(|of| of == property);
            Layout::of(&request.columns.iter().filter(is_part).cloned().collect::<Vec<_>>(), Role::of)
        };
        Self {
            layouts: properties.iter().map(layout).collect(),
            properties,
            strands,
            type_id: type_id.to_owned(),
            ingested_at: request.ingested_at.as_microsecond(),
            most_versions,
        }
    }

    /// The properties to ask for, in the order of their strands.
    pub(super) fn properties(&self) -> &[String] {
        &self.properties
    }

    /// The layout of each strand.
    pub(super) fn layouts(&self) -> &[Layout<Role>] {
        &self.layouts
    }

    /// The properties that came with no record.
    pub(super) fn never_named(&self, said: &Said) -> Vec<String> {
        self.properties_that(said, |named| named == 0)
    }

    /// The properties that came with some records and not with others.
    pub(super) fn named_by_some(&self, said: &Said) -> Vec<String> {
        self.properties_that(said, |named| (1..said.records).contains(&named))
    }

    fn properties_that(&self, said: &Said, is: impl Fn(u64) -> bool) -> Vec<String> {
        let named = |strand: usize| said.named.get(&strand).copied().unwrap_or(0);
        let all = self.properties.iter().enumerate();
        all.filter(|(strand, _)| said.records > 0 && is(named(*strand))).map(|(_, name)| name.clone()).collect()
    }

    /// Reads an answer about these records, and puts its rows with the others; what is due to be delivered then. An answer
    /// that lacks a record leaves nothing behind.
    pub(super) fn decode(
        &self,
        body: &[u8],
        asked: &[String],
        strands: &mut Strands<'_, Role>,
    ) -> Result<(Said, Numbered), Undecodable> {
        let body = json::judged(body, json::about(asked.len()))?;
        let wire: Wire<'_> = serde_json::from_slice(&body)?;
        let mut left: HashSet<&str> = asked.iter().map(String::as_str).collect();
        let mut came: Vec<(Cow<'_, str>, &OfRecord<'_>)> = Vec::new();
        for of_record in &wire.results {
            let id = raw::wanted_id(of_record.id, "id")?;
            // One that was not asked for was merged into another, and that one is asked for by its own id.
            if left.remove(id.as_ref()) {
                came.push((id, of_record));
            }
        }
        for id in wire.errors.iter().filter(|error| error.says_gone()).flat_map(InputError::records) {
            left.remove(id);
        }
        if !left.is_empty() {
            let told = wire.errors.iter().find(|error| !error.says_gone());
            let why = told.map_or("it does not say why".to_owned(), InputError::name);
            let what = format!("the versions of {} of {} records ({why})", left.len(), asked.len());
            return Err(Undecodable::Partial { what });
        }
        let mut said = Said::default();
        for (id, of_record) in came {
            self.push(&id, of_record, strands, &mut said)?;
        }
        let due = strands.due().map_err(|_| Undecodable::Unexpected { what: "its rows make no batch".to_owned() })?;
        Ok((said, due))
    }

    fn push(
        &self,
        id: &str,
        of_record: &OfRecord<'_>,
        strands: &mut Strands<'_, Role>,
        said: &mut Said,
    ) -> Result<(), Undecodable> {
        said.records += 1;
        for (property, wired) in of_record.properties_with_history.iter().flat_map(|FewOf(properties)| properties) {
            let Some(&strand) = self.strands.get(property.as_ref()) else { continue };
            *said.named.entry(strand).or_default() += 1;
            // What was not asked for never becomes more than its text.
            let wired: Vec<Wired<'_>> = match wired {
                Some(versions) => serde_json::from_str::<FewIn<MOST_VERSIONS, _>>(versions.get())?.0,
                None => Vec::new(),
            };
            said.beyond.capped += u64::from(wired.len() >= self.most_versions);
            let mut came: HashSet<Version<'_>> = HashSet::new();
            for version in wired.iter().map(Version::of) {
                let Some(updated_at) = version.updated_at else {
                    said.beyond.untimed += 1;
                    continue;
                };
                if came.contains(&version) {
                    continue;
                }
                said.rows += 1;
                strands.push(strand, |role, column| match role {
                    Role::Type => column.append_or_null(Some(&self.type_id)),
                    Role::Record => column.append_or_null(Some(id)),
                    Role::UpdatedAt => column.append_micros(updated_at),
                    Role::SourceType => column.append_or_null(version.source_type.as_deref()),
                    Role::SourceId => column.append_or_null(version.source_id.as_deref()),
                    Role::UpdatedBy => column.append_or_null(version.updated_by.as_deref()),
                    Role::IngestedAt => column.append_micros(self.ingested_at),
                    Role::Value(cell) => cell.append(column, version.value.as_deref()),
                    Role::Unknown => column.append_null(),
                })?;
                came.insert(version);
            }
        }
        Ok(())
    }
}

/// A version, as far as its row tells of it.
#[derive(PartialEq, Eq, Hash)]
struct Version<'a> {
    value: Option<Cow<'a, str>>,
    updated_at: Option<i64>,
    source_type: Option<Cow<'a, str>>,
    source_id: Option<Cow<'a, str>>,
    updated_by: Option<Cow<'a, str>>,
}

impl<'a> Version<'a> {
    fn of(wired: &Wired<'a>) -> Self {
        let text = |value: Option<&'a RawValue>| value.and_then(raw::text).filter(|text| !text.is_empty());
        Self {
            value: text(wired.value),
            updated_at: text(wired.timestamp).and_then(|text| value::timestamp(&text)),
            source_type: text(wired.source_type),
            source_id: text(wired.source_id),
            updated_by: text(wired.updated_by_user_id),
        }
    }
}
