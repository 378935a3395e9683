//! One answer about the links of many records: judged whole, followed up, and made into rows.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use arrow_array::RecordBatch;
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_model::schema::Field;

use super::Mains;
use crate::{
    http::Undecodable,
    source::{
        ReadRequest,
        hubspot::{
            batches::{Batches, Layout},
            decode::raw,
            ids::Ids,
            input_errors::InputError,
            json,
            kinds::associations::column,
            paging::Paging,
            record,
        },
    },
};

/// What HubSpot calls the error of a record that has no links.
const NONE_FOUND: &str = "NO_ASSOCIATIONS_FOUND";

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
    /// The links of each of those that no earlier page had.
    pub(super) paged: Vec<Came>,
}

#[derive(Debug, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    results: Vec<OfRecord<'a>>,
    #[serde(default, deserialize_with = "json::each_or_default")]
    errors: Vec<InputError>,
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

/// Whether an error says that there is nothing to say of its records, and is no failure.
fn is_an_answer(error: &InputError) -> bool {
    error.is_of(NONE_FOUND) || error.says_gone()
}

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

impl Decoder {
    /// Of links between these types.
    pub(super) fn new(request: &ReadRequest, from: &str, to: &str) -> Self {
        let role = |field: &Field| match field.name.as_str() {
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
        seen: &HashMap<String, Came>,
        mains: &Mains,
    ) -> Result<Answer, Undecodable> {
        let body = json::judged(body, json::about(asked.len()))?;
        let wire: Wire<'_> = serde_json::from_slice(&body)?;
        let mut left: HashSet<&str> = asked.iter().map(|asked| asked.id.as_str()).collect();
        let wanted = left.clone();
        let mut rows = Batches::new(&self.layout);
        let mut answer = Answer::default();
        for (index, of_record) in wire.results.iter().enumerate() {
            let from = of_record.id()?;
            if !wanted.contains(from.as_ref()) {
                continue;
            }
            let mut here = Here::default();
            if !left.remove(from.as_ref()) {
                // A record may be spoken of twice, and more be said of it the second time.
                for before in wire.results.iter().take(index).filter(|before| before.id().is_ok_and(|id| id == from)) {
                    for link in before.links() {
                        here.insert(&link?);
                    }
                }
            }
            let (known, mut came) = (seen.get(from.as_ref()), Came::default());
            for link in of_record.links() {
                let link = link?;
                if known.is_some_and(|known| known.has(&link)) || !here.insert(&link) {
                    continue;
                }
                if of_record.after().is_some() {
                    came.insert(&link);
                }
                self.push(&mut rows, &from, &link, mains)?;
            }
            if let Some(after) = of_record.after() {
                answer.follow.push(Asked { id: from.into_owned(), after: Some(after.to_owned()) });
                answer.paged.push(came);
            }
        }
        for error in wire.errors.iter().filter(|error| is_an_answer(error)) {
            for record in error.records() {
                left.remove(record);
            }
        }
        if !left.is_empty() {
            let why = wire
                .errors
                .iter()
                .find(|error| !is_an_answer(error))
                .map_or("it does not say why".to_owned(), InputError::name);
            let what = format!("the links of {} of {} records ({why})", left.len(), asked.len());
            return Err(Undecodable::Partial { what });
        }
        answer.rows = rows.rows();
        answer.batches = rows.finish()?;
        Ok(answer)
    }

    fn push(
        &self,
        rows: &mut Batches<'_, Role>,
        from: &str,
        link: &Link<'_>,
        mains: &Mains,
    ) -> Result<(), Undecodable> {
        let is_main = if mains.has(&link.category, &link.type_id) { "true" } else { "false" };
        rows.push(|role, column| match role {
            Role::FromType => column.append_or_null(Some(&self.from)),
            Role::From => column.append_or_null(Some(from)),
            Role::ToType => column.append_or_null(Some(&self.to)),
            Role::To => column.append_or_null(Some(&link.to)),
            Role::Category => column.append_or_null(Some(&link.category)),
            Role::Type => column.append_or_null(Some(&link.type_id)),
            Role::Label => column.append_or_null(link.label.as_deref()),
            Role::IsMain => column.append_or_null(Some(is_main)),
            Role::IngestedAt => column.append_micros(self.ingested_at),
            Role::Unknown => column.append_null(),
        })
    }
}

impl<'a> OfRecord<'a> {
    fn id(&self) -> Result<Cow<'a, str>, Undecodable> {
        raw::wanted_id(self.from.id, "from.id")
    }

    /// Where the record's next page begins, if it has one.
    fn after(&self) -> Option<&str> {
        self.paging.as_ref().and_then(Paging::next_page)
    }

    /// Its links, one for each meaning.
    fn links(&self) -> impl Iterator<Item = Result<Link<'a>, Undecodable>> {
        let of = |to: &'a RawValue, meaning: &Meaning<'a>| {
            Ok(Link {
                to: raw::wanted_id(to, "toObjectId")?,
                category: raw::wanted_id(meaning.category, "category")?,
                type_id: raw::wanted_id(meaning.type_id, "typeId")?,
                label: meaning.label.and_then(raw::text).filter(|label| !label.is_empty()),
            })
        };
        let linked = self.to.iter();
        linked.flat_map(move |linked| linked.association_types.iter().map(move |it| of(linked.to_object_id, it)))
    }
}

/// A link of one meaning, from a record that is known.
struct Link<'a> {
    to: Cow<'a, str>,
    category: Cow<'a, str>,
    type_id: Cow<'a, str>,
    label: Option<Cow<'a, str>>,
}

/// The links of one record in one answer.
#[derive(Default)]
struct Here<'a>(HashSet<[Cow<'a, str>; 3]>);

impl<'a> Here<'a> {
    /// Takes one; `false` if it was there.
    fn insert(&mut self, link: &Link<'a>) -> bool {
        self.0.insert([link.to.clone(), link.category.clone(), link.type_id.clone()])
    }
}

/// The links of one record that have come, page after page: for each meaning, the records that it is linked to.
#[derive(Debug, Default)]
pub(super) struct Came(HashMap<String, Ids>);

impl Came {
    fn has(&self, link: &Link<'_>) -> bool {
        self.0.get(&link.meaning()).is_some_and(|ids| ids.contains(&link.to))
    }

    fn insert(&mut self, link: &Link<'_>) {
        self.0.entry(link.meaning()).or_default().insert(&link.to);
    }

    /// Takes all of others.
    pub(super) fn add(&mut self, more: Self) {
        for (meaning, ids) in more.0 {
            self.0.entry(meaning).or_default().add(ids);
        }
    }

    /// Something that names one of them, if there are any.
    pub(super) fn any(&self) -> Option<String> {
        let (meaning, ids) = self.0.iter().next()?;
        Some(format!("{meaning} {}", ids.iter().next()?))
    }
}

impl Link<'_> {
    /// What tells its meaning from others. No category has a blank in it, nor a number.
    fn meaning(&self) -> String {
        format!("{} {}", self.category, self.type_id)
    }
}
