//! One answer about the links of many records: judged whole, followed up, and made into rows.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use arrow_array::RecordBatch;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Mains;
use crate::{
    http::Undecodable,
    source::{
        ReadRequest,
        hubspot::{
            batches::{Batches, Layout},
            decode::raw,
            ids::Ids,
            json,
            kinds::associations::column,
            paging::Paging,
            record,
        },
    },
};

/// What HubSpot calls the error of a record that has no links.
const NONE_FOUND: &str = "NO_ASSOCIATIONS_FOUND";

/// What it calls the error of a record that is not there.
const NOT_FOUND: &str = "NOT_FOUND";

/// A record that is asked for its links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: String,
    /// Where its next page begins, if some have come.
    pub(super) after: Option<String>,
}

/// What has come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) batches: Vec<RecordBatch>,
    /// Rows of these.
    pub(super) rows: usize,
    /// Records that have more, and where.
    pub(super) follow: Vec<Asked>,
    /// The records that each of those has been said to be linked to, for the first time.
    pub(super) paged: Vec<Ids>,
}

#[derive(Debug, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    results: Vec<OfRecord<'a>>,
    #[serde(default, deserialize_with = "json::each_or_default")]
    errors: Vec<Error>,
}

#[derive(Debug, Deserialize)]
struct OfRecord<'a> {
    #[serde(borrow)]
    from: End<'a>,
    #[serde(borrow, default)]
    to: Vec<Linked<'a>>,
    paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
struct End<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linked<'a> {
    #[serde(borrow)]
    to_object_id: &'a RawValue,
    #[serde(borrow, default)]
    association_types: Vec<Meaning<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meaning<'a> {
    #[serde(borrow)]
    category: &'a RawValue,
    #[serde(borrow)]
    type_id: &'a RawValue,
    #[serde(borrow)]
    label: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Error {
    #[serde(deserialize_with = "json::word")]
    category: Option<String>,
    #[serde(deserialize_with = "json::word")]
    sub_category: Option<String>,
    #[serde(deserialize_with = "json::or_default")]
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    #[serde(deserialize_with = "json::texts")]
    from_object_id: Vec<String>,
    #[serde(deserialize_with = "json::texts")]
    ids: Vec<String>,
}

impl Error {
    /// Whether it says that there is nothing to say of a record, and is no failure.
    fn is_an_answer(&self) -> bool {
        let ends = |name: &Option<String>, with: &str| name.as_deref().is_some_and(|name| name.ends_with(with));
        ends(&self.sub_category, NONE_FOUND) || ends(&self.category, NOT_FOUND)
    }

    /// The records that it is about.
    fn records(&self) -> impl Iterator<Item = &str> {
        self.context.from_object_id.iter().chain(&self.context.ids).map(String::as_str)
    }

    /// What it is called, as far as it is fit to be shown.
    fn name(&self) -> String {
        let name = self.category.as_deref().unwrap_or("an error without a category");
        sluice_model::printable::printable(name, LONGEST_CATEGORY)
    }
}

/// Characters of a category that are shown.
const LONGEST_CATEGORY: usize = 60;

/// What a column of links is.
#[derive(Debug, Clone, Copy)]
enum Role {
    FromType,
    From,
    ToType,
    To,
    Category,
    Type,
    Label,
    IsMain,
    IngestedAt,
    Unknown,
}

/// Makes rows of answers.
#[derive(Debug)]
pub(super) struct Decoder {
    layout: Layout<Role>,
    from: String,
    to: String,
    ingested_at: i64,
}

/// A link, as it stands in a row.
struct Row<'a> {
    from: &'a str,
    to: &'a str,
    category: &'a str,
    type_id: &'a str,
    label: Option<&'a str>,
    is_main: bool,
}

impl Decoder {
    /// Of links between these types.
    pub(super) fn new(request: &ReadRequest, from: &str, to: &str) -> Self {
        let role = |name: &str| match name {
            column::FROM_TYPE => Role::FromType,
            column::FROM => Role::From,
            column::TO_TYPE => Role::ToType,
            column::TO => Role::To,
            column::CATEGORY => Role::Category,
            column::TYPE => Role::Type,
            column::LABEL => Role::Label,
            column::IS_MAIN => Role::IsMain,
            record::INGESTED_AT => Role::IngestedAt,
            _ => Role::Unknown,
        };
        Self {
            layout: Layout::of(&request.columns, role),
            from: from.to_owned(),
            to: to.to_owned(),
            ingested_at: request.ingested_at.as_microsecond(),
        }
    }

    /// Reads an answer about these records. `seen`: which links of them have come on earlier pages.
    pub(super) fn decode(
        &self,
        body: &[u8],
        asked: &[Asked],
        seen: &HashMap<String, Ids>,
        mains: &Mains,
    ) -> Result<Answer, Undecodable> {
        let body = json::whole_unicode(body);
        let wire: Wire<'_> = serde_json::from_slice(&body)?;
        let mut left: HashSet<&str> = asked.iter().map(|asked| asked.id.as_str()).collect();
        let mut rows = Batches::new(&self.layout);
        let mut answer = Answer::default();
        for of_record in wire.results {
            let from = of_record.id()?;
            if !left.remove(from.as_ref()) {
                continue;
            }
            let follows = Paging::after(of_record.paging);
            let known = seen.get(from.as_ref());
            let mut came = Ids::default();
            // The same record twice in one answer: its meanings may differ.
            let mut here: HashSet<(Cow<'_, str>, Cow<'_, str>, Cow<'_, str>)> = HashSet::new();
            for linked in &of_record.to {
                let to = raw::wanted_id(linked.to_object_id, "toObjectId")?;
                if known.is_some_and(|known| known.contains(&to)) {
                    continue;
                }
                if follows.is_some() {
                    came.insert(&to);
                }
                for meaning in &linked.association_types {
                    let category = raw::wanted_id(meaning.category, "category")?;
                    let type_id = raw::wanted_id(meaning.type_id, "typeId")?;
                    let is_new = of_record.to.len() + linked.association_types.len() <= 2
                        || here.insert((to.clone(), category.clone(), type_id.clone()));
                    if !is_new {
                        continue;
                    }
                    let label = meaning.label.and_then(raw::text).filter(|label| !label.is_empty());
                    let row = Row {
                        from: &from,
                        to: &to,
                        is_main: mains.has(&category, &type_id),
                        category: &category,
                        type_id: &type_id,
                        label: label.as_deref(),
                    };
                    self.push(&mut rows, &row)?;
                }
            }
            if let Some(after) = follows {
                answer.follow.push(Asked { id: from.into_owned(), after: Some(after) });
                answer.paged.push(came);
            }
        }
        for error in wire.errors.iter().filter(|error| error.is_an_answer()) {
            for record in error.records() {
                left.remove(record);
            }
        }
        if !left.is_empty() {
            let why = wire
                .errors
                .iter()
                .find(|error| !error.is_an_answer())
                .map_or("it does not say why".to_owned(), Error::name);
            let what = format!("the links of {} of {} records ({why})", left.len(), asked.len());
            return Err(Undecodable::Partial { what });
        }
        answer.rows = rows.rows();
        answer.batches = rows.finish()?;
        Ok(answer)
    }

    fn push(&self, rows: &mut Batches<'_, Role>, row: &Row<'_>) -> Result<(), Undecodable> {
        rows.push(|role, column| match role {
            Role::FromType => column.append_or_null(Some(&self.from)),
            Role::From => column.append_or_null(Some(row.from)),
            Role::ToType => column.append_or_null(Some(&self.to)),
            Role::To => column.append_or_null(Some(row.to)),
            Role::Category => column.append_or_null(Some(row.category)),
            Role::Type => column.append_or_null(Some(row.type_id)),
            Role::Label => column.append_or_null(row.label),
            Role::IsMain => column.append_or_null(Some(if row.is_main { "true" } else { "false" })),
            Role::IngestedAt => column.append_micros(self.ingested_at),
            Role::Unknown => column.append_null(),
        })
    }
}

impl<'a> OfRecord<'a> {
    fn id(&self) -> Result<Cow<'a, str>, Undecodable> {
        raw::wanted_id(self.from.id, "from.id")
    }
}
