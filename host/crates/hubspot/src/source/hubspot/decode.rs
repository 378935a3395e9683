//! Pages of records, straight into columns.
//!
//! A page is decoded in one pass over its bytes: each value of a record goes from the JSON text into the buffer of its column,
//! without a record or a value in between. What no column wants is skipped.
//! Property names come in the same order in every record of a page, so the column of a name is found by remembering which
//! came next last time; the table of all names is asked only when that fails.

mod page;
pub(super) mod raw;
mod remarks;
mod seen;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use jiff::Timestamp;
use serde::de::DeserializeSeed;
use sluice_model::schema::{ColumnType, Field, arrow_schema, attribute};

use self::{remarks::Naming, seen::Seen};
use super::{
    cells::fits,
    columns::ColumnBuilder,
    cut::{BATCH_BYTES, BATCH_ROWS, cut},
    ids::Ids,
    json,
    property::column_type_of,
    record,
};
use crate::http::Undecodable;

pub(super) use self::remarks::Remarks;

/// Records a page: the most that listing and batch reads allow.
pub(super) const MOST_RECORDS: u32 = 100;

/// Names of properties whose order is remembered: more than records of any type have.
const MOST_IN_ORDER: usize = 10_000;

/// Turns pages of records of one type into batches.
pub(super) struct RecordDecoder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    /// What each column is filled with.
    roles: Vec<Role>,
    /// The slot of each property that a column wants.
    properties: HashMap<String, Slot>,
    /// Slots in the order in which the last record named its properties; `None` for one that no column wants.
    order: Vec<(String, Option<Slot>)>,
    /// By the number of its slot, what is known of how records name a property.
    named: Vec<Named>,
    /// Records begun so far, those of pages that broke off included.
    begun: u64,
    /// The records that have their row, unless their order is what keeps them from coming twice.
    seen: Option<Seen>,
    /// The ids of all records that have come, if they are wanted.
    kept: Option<Ids>,
    /// The same of those that were changed then (in microseconds) or later, if they are wanted.
    changed: Option<(i64, Ids)>,
    /// Values of `updatedAt` that are no times.
    odd_times: u64,
    object_type_id: String,
    ingested_at: i64,
}

/// Where the value of a property goes.
#[derive(Debug, Clone, Copy)]
struct Slot {
    number: usize,
    /// The column of values.
    typed: Option<usize>,
    /// The column of texts that do not fit the type.
    unparsed: Option<usize>,
    /// The type they would have to fit, where only the texts that do not are wanted.
    column_type: ColumnType,
}

/// How records name a property: HubSpot names each that was asked for in every record, with an empty value if need be.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    /// The last record that named it, counted from 1; 0 for none.
    last: u64,
    /// Whether any record has not named it.
    missed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    ObjectTypeId,
    ObjectId,
    UpdatedAt,
    IngestedAt,
    Property,
}

impl fmt::Debug for RecordDecoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RecordDecoder").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

/// What a page says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// The id of its first record; absent if it has none.
    pub(super) first: Option<String>,
    /// Where the next page begins; absent on the last.
    pub(super) after: Option<String>,
    /// The ids of its records, in their order; absent if one of them is no number.
    pub(super) ids: Option<Vec<u64>>,
    /// How many records it lists.
    pub(super) listed: usize,
    /// Records that ought to be there: those that were asked for by id, and neither came nor are said to be gone; on a page
    /// of no particular ones, those that the page itself says are missing.
    pub(super) missing: usize,
    /// Of the records that were asked for by id, those that are said to be gone.
    pub(super) gone: usize,
}

/// The records that a page was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// No particular ones, and no more than so many.
    Any(usize),
    These(WantedIds<'a>),
}

/// Records that are asked for by id.
#[derive(Debug, Clone, Copy)]
pub(super) struct WantedIds<'a> {
    pub(super) ids: &'a [String],
    /// Whether those may be absent of which HubSpot says that there are no such records.
    pub(super) may_be_gone: bool,
}

impl RecordDecoder {
    /// A decoder that fills these columns.
    pub(super) fn new(object_type_id: &str, fields: &[Field], ingested_at: Timestamp) -> Self {
        let mut properties: HashMap<String, Slot> = HashMap::new();
        let mut roles = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            roles.push(match field.name.as_str() {
                record::OBJECT_TYPE_ID => Role::ObjectTypeId,
                record::OBJECT_ID => Role::ObjectId,
                record::UPDATED_AT => Role::UpdatedAt,
                record::INGESTED_AT => Role::IngestedAt,
                _ => Role::Property,
            });
            let Some(property) = field.attributes.get(attribute::PROPERTY) else { continue };
            let number = properties.len();
            let slot = properties.entry(property.clone()).or_insert(Slot {
                number,
                typed: None,
                unparsed: None,
                column_type: column_type_of(field),
            });
            if field.attributes.contains_key(attribute::UNPARSED_OF) {
                slot.unparsed = Some(index);
            } else {
                slot.typed = Some(index);
            }
        }
        Self {
            schema: arrow_schema(fields),
            columns: fields.iter().map(|field| ColumnBuilder::new(field.column_type)).collect(),
            roles,
            named: vec![Named::default(); properties.len()],
            begun: 0,
            properties,
            order: Vec::new(),
            seen: Some(Seen::default()),
            kept: None,
            changed: None,
            odd_times: 0,
            object_type_id: object_type_id.to_owned(),
            ingested_at: ingested_at.as_microsecond(),
        }
    }

    /// Rows that are not in a batch yet.
    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, ColumnBuilder::len)
    }

    /// Decodes a page. Of one that cannot be read, that lacks a record, or that has more than were asked for, nothing remains.
    pub(super) fn page(&mut self, bytes: &[u8], wanted: Wanted<'_>) -> Result<Page, Undecodable> {
        let (asked, most) = match wanted {
            Wanted::Any(most) => (None, most),
            Wanted::These(asked) => (Some(asked), json::about(asked.ids.len())),
        };
        let bytes = json::judged(bytes, most)?;
        let before = self.rows();
        if let Some(seen) = &mut self.seen {
            seen.begin_page();
        }
        let awaited = asked.map(|asked| asked.ids.iter().map(String::as_str).collect());
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let decoded = page::PageSeed { decoder: self, awaited }
            .deserialize(&mut deserializer)
            .and_then(|page| deserializer.end().map(|()| page));
        let may_be_gone = asked.is_some_and(|asked| asked.may_be_gone);
        if matches!(&decoded, Ok(page) if page.missing == 0 && (page.gone == 0 || may_be_gone)) {
            if let Some(seen) = &mut self.seen {
                seen.keep_page();
            }
        } else {
            self.truncate(before);
        }
        Ok(decoded?)
    }

    fn note_time(&mut self, is_time: bool) {
        self.odd_times += u64::from(!is_time);
    }

    /// Notes which properties a record has not named, when all it has are known.
    fn note_missed(&mut self, named: usize) {
        if named < self.named.len() {
            let begun = self.begun;
            for property in self.named.iter_mut().filter(|property| property.last != begun) {
                property.missed = true;
            }
        }
    }

    /// What was odd about the records so far.
    pub(super) fn remarks(&self) -> Remarks {
        let naming = |slot: &Slot| {
            let Named { last, missed } = self.named[slot.number];
            Naming { by_some: last > 0, not_by_all: missed }
        };
        let properties = self.properties.iter().map(|(name, slot)| (name.clone(), naming(slot))).collect();
        Remarks { properties, odd_times: self.odd_times }
    }

    /// The same, that keeps the ids of all records.
    pub(super) fn keeping_ids(self) -> Self {
        Self { kept: Some(Ids::default()), ..self }
    }

    /// The same, that keeps the ids of those records too that were changed then or later.
    pub(super) fn keeping_changed(self, since: Timestamp) -> Self {
        Self { changed: Some((since.as_microsecond(), Ids::default())), ..self }
    }

    /// The ids of records that were changed since, if they have been kept.
    pub(super) fn take_changed(&mut self) -> Option<Ids> {
        self.changed.take().map(|(_, ids)| ids)
    }

    /// The ids of all records that have come, if they have been kept. There may be some of records that came and were
    /// another reader's.
    pub(super) fn take_ids(&mut self) -> Option<Ids> {
        self.kept.take()
    }

    /// From now on the order of the records is known to keep them from coming twice.
    pub(super) fn trust_order(&mut self) {
        self.seen = None;
    }

    /// Goes back to an earlier number of rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.truncate(rows);
        }
    }

    /// Whether there is enough for a batch, and no room for a page more.
    pub(super) fn is_full(&self) -> bool {
        self.rows() + MOST_RECORDS as usize > BATCH_ROWS
            || self.columns.iter().map(ColumnBuilder::byte_len).sum::<usize>() >= BATCH_BYTES
    }

    /// What has been decoded since the last time, in batches.
    pub(super) fn take(&mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.rows() == 0 {
            return Ok(Vec::new());
        }
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_, _>>()?;
        Ok(cut(&RecordBatch::try_new(self.schema.clone(), columns)?).collect())
    }

    /// Fills the columns that no property filled, so that every column has the row.
    fn finish_row(&mut self, rows: usize, id: &str, updated_at: Option<i64>) {
        if let Some(kept) = &mut self.kept {
            kept.insert(id);
        }
        // One that does not say when it was changed may have been.
        if let Some((since, changed)) = &mut self.changed
            && updated_at.is_none_or(|updated_at| updated_at >= *since)
        {
            changed.insert(id);
        }
        for (column, role) in self.columns.iter_mut().zip(&self.roles) {
            match role {
                Role::ObjectTypeId => {
                    column.append(&self.object_type_id);
                }
                Role::ObjectId => {
                    column.append(id);
                }
                Role::UpdatedAt => match updated_at {
                    Some(micros) => column.append_micros(micros),
                    None => column.append_null(),
                },
                Role::IngestedAt => column.append_micros(self.ingested_at),
                Role::Property if column.len() == rows => column.append_null(),
                Role::Property => {}
            }
        }
    }

    /// Puts the value of a property where it belongs.
    fn fill(&mut self, slot: Slot, rows: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        let fits = match slot.typed {
            // A property named twice in one record: the first value stands.
            Some(typed) if self.columns[typed].len() > rows => true,
            Some(typed) => self.columns[typed].append(text),
            None => fits(slot.column_type, text),
        };
        if let Some(unparsed) = slot.unparsed
            && !fits
            && self.columns[unparsed].len() == rows
        {
            self.columns[unparsed].append(text);
        }
    }

    /// The slot of the property that is the `position`-th of its record.
    fn slot(&mut self, position: usize, name: &str) -> Option<Slot> {
        if let Some((expected, slot)) = self.order.get(position)
            && expected == name
        {
            return *slot;
        }
        let slot = self.properties.get(name).copied();
        self.order.truncate(position);
        if self.order.len() == position && position < MOST_IN_ORDER {
            self.order.push((name.to_owned(), slot));
        }
        slot
    }
}
