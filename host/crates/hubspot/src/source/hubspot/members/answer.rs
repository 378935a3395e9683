//! Answers about members: a page of a list, and the lists of some records.

use std::{borrow::Cow, collections::HashSet};

use arrow_array::RecordBatch;
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_model::schema::Field;

use super::MOST_MEMBERS;
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
            kinds::memberships::column,
            paging::Paging,
            record, value,
        },
    },
};

/// A page of the members of a list.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: usize,
    /// The first member that no page before had.
    pub(super) first_new: Option<String>,
    /// The members that no page before had.
    pub(super) new: Ids,
    /// Where the next page begins.
    pub(super) after: Option<String>,
}

/// The lists of some records.
#[derive(Debug)]
pub(super) struct OfRecords {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: usize,
}

#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<Member<'a>>,
    paging: Option<Paging>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member<'a> {
    #[serde(borrow)]
    record_id: &'a RawValue,
    #[serde(borrow)]
    membership_timestamp: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    results: Vec<OfRecord<'a>>,
    #[serde(default, deserialize_with = "json::each_or_default")]
    errors: Vec<InputError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRecord<'a> {
    #[serde(borrow)]
    record_id: &'a RawValue,
    #[serde(borrow, default)]
    record_list_memberships: Vec<Membership<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Membership<'a> {
    #[serde(borrow)]
    list_id: &'a RawValue,
    #[serde(borrow)]
    last_added_timestamp: Option<&'a RawValue>,
}

/// What a column of memberships is.
#[derive(Debug, Clone, Copy)]
enum Role {
    List,
    Type,
    Record,
    Since,
    IngestedAt,
    Unknown,
}

/// Makes rows of answers.
#[derive(Debug)]
pub(super) struct Decoder {
    layout: Layout<Role>,
    type_id: String,
    ingested_at: i64,
}

impl Decoder {
    pub(super) fn new(request: &ReadRequest, type_id: &str) -> Self {
        let role = |field: &Field| match field.name.as_str() {
            column::LIST => Role::List,
            record::OBJECT_TYPE_ID => Role::Type,
            record::OBJECT_ID => Role::Record,
            column::SINCE => Role::Since,
            record::INGESTED_AT => Role::IngestedAt,
            _ => Role::Unknown,
        };
        Self {
            layout: Layout::of(&request.columns, role),
            type_id: type_id.to_owned(),
            ingested_at: request.ingested_at.as_microsecond(),
        }
    }

    /// Reads a page of a list. `seen`: the members that have come.
    pub(super) fn members(&self, body: &[u8], list: &str, seen: &Ids) -> Result<Members, Undecodable> {
        let body = json::judged(body, MOST_MEMBERS)?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        let mut rows = Batches::new(&self.layout);
        let (mut new, mut first_new) = (Ids::default(), None);
        for member in &page.results {
            let record = raw::wanted_id(member.record_id, "recordId")?;
            if seen.contains(&record) || new.contains(&record) {
                continue;
            }
            new.insert(&record);
            self.push(&mut rows, list, &record, member.membership_timestamp)?;
            first_new.get_or_insert_with(|| record.into_owned());
        }
        let count = rows.rows();
        let batches = rows.finish()?;
        Ok(Members { batches, rows: count, first_new, new, after: Paging::after(page.paging) })
    }

    /// Reads the lists of these records: each must have come, unless it is said to be gone.
    pub(super) fn of_records(&self, body: &[u8], asked: &[String]) -> Result<OfRecords, Undecodable> {
        let body = json::judged(body, json::about(asked.len()))?;
        let batch: Batch<'_> = serde_json::from_slice(&body)?;
        let mut left: HashSet<&str> = asked.iter().map(String::as_str).collect();
        let wanted = left.clone();
        // A record may be spoken of twice, and more be said of it the second time.
        let mut came: HashSet<(Cow<'_, str>, Cow<'_, str>)> = HashSet::new();
        let mut rows = Batches::new(&self.layout);
        for of_record in &batch.results {
            let record = raw::wanted_id(of_record.record_id, "recordId")?;
            if !wanted.contains(record.as_ref()) {
                continue;
            }
            left.remove(record.as_ref());
            for membership in &of_record.record_list_memberships {
                let list = raw::wanted_id(membership.list_id, "listId")?;
                if came.insert((record.clone(), list.clone())) {
                    self.push(&mut rows, &list, &record, membership.last_added_timestamp)?;
                }
            }
        }
        // A record that was deleted since is in no list.
        let gone = batch.errors.iter().filter(|error| error.says_gone());
        if left.len() > gone.count() {
            let what = format!("the lists of {} of {} records", left.len(), asked.len());
            return Err(Undecodable::Partial { what });
        }
        let count = rows.rows();
        Ok(OfRecords { batches: rows.finish()?, rows: count })
    }

    fn push(
        &self,
        rows: &mut Batches<'_, Role>,
        list: &str,
        record: &str,
        since: Option<&RawValue>,
    ) -> Result<(), Undecodable> {
        let since = since.and_then(raw::text).and_then(|text| value::timestamp(&text));
        rows.push(|role, column| match role {
            Role::List => column.append_or_null(Some(list)),
            Role::Type => column.append_or_null(Some(&self.type_id)),
            Role::Record => column.append_or_null(Some(record)),
            Role::Since => match since {
                Some(micros) => column.append_micros(micros),
                None => column.append_null(),
            },
            Role::IngestedAt => column.append_micros(self.ingested_at),
            Role::Unknown => column.append_null(),
        })
    }
}
