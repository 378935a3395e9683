//! Pages of records, straight into columns.
//!
//! A page is decoded in one pass over its bytes: each value of a record goes from the JSON text into the buffer of its column,
//! without a record or a value in between. What no column wants is skipped.
//! Property names come in the same order in every record of a page, so the column of a name is found by remembering which
//! came next last time; the table of all names is asked only when that fails.

use std::{collections::HashMap, fmt};

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{columns::ColumnBuilder, value};
use crate::schema::{ColumnType, Field, arrow_schema, attribute};

/// Rows after which a batch is complete: enough that a call into a plugin costs next to nothing a row, and few enough that a
/// batch of the widest streams stays small.
const BATCH_ROWS: usize = 8192;

/// Bytes after which a batch is complete, whatever its rows.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Names of the columns that hold what a record has beside its properties.
pub(super) mod record {
    pub(in super::super) const OBJECT_TYPE_ID: &str = "objectTypeId";
    pub(in super::super) const OBJECT_ID: &str = "objectId";
    pub(in super::super) const UPDATED_AT: &str = "updatedAt";
    pub(in super::super) const INGESTED_AT: &str = "ingestedAt";
}

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
    object_type_id: String,
    ingested_at: i64,
}

/// Where the value of a property goes.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The column of values.
    typed: Option<usize>,
    /// The column of texts that do not fit the type.
    unparsed: Option<usize>,
    /// The type they would have to fit, where only the texts that do not are wanted.
    column_type: ColumnType,
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
    /// The records it held.
    pub(super) records: usize,
    /// Where the next page begins; absent on the last.
    pub(super) after: Option<String>,
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
            let slot = properties.entry(property.clone()).or_insert(Slot {
                typed: None,
                unparsed: None,
                column_type: super::schema::column_type_of(field),
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
            properties,
            order: Vec::new(),
            object_type_id: object_type_id.to_owned(),
            ingested_at: ingested_at.as_microsecond(),
        }
    }

    /// Rows that are not in a batch yet.
    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, ColumnBuilder::len)
    }

    /// Decodes a page. On an error nothing of it remains.
    pub(super) fn page(&mut self, bytes: &[u8]) -> Result<Page, serde_json::Error> {
        let before = self.rows();
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let decoded = PageSeed { decoder: self }
            .deserialize(&mut deserializer)
            .and_then(|page| deserializer.end().map(|()| page));
        if decoded.is_err() {
            for column in &mut self.columns {
                column.truncate(before);
            }
        }
        decoded
    }

    /// Whether there is enough for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.rows() >= BATCH_ROWS || self.columns.iter().map(ColumnBuilder::byte_len).sum::<usize>() >= BATCH_BYTES
    }

    /// What has been decoded since the last batch, if anything.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows() == 0 {
            return Ok(None);
        }
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_, _>>()?;
        RecordBatch::try_new(self.schema.clone(), columns).map(Some)
    }

    /// Fills the columns that no property filled, so that every column has the row.
    fn finish_row(&mut self, rows: usize, id: &str, updated_at: Option<i64>) {
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
        if self.order.len() == position {
            self.order.push((name.to_owned(), slot));
        }
        slot
    }
}

fn fits(column_type: ColumnType, text: &str) -> bool {
    match column_type {
        ColumnType::Boolean => value::boolean(text).is_some(),
        ColumnType::Integer => value::integer(text).is_some(),
        ColumnType::Float => value::float(text).is_some(),
        ColumnType::Date => value::date(text).is_some(),
        ColumnType::Timestamp => value::timestamp(text).is_some(),
        ColumnType::Text => true,
    }
}

struct PageSeed<'d> {
    decoder: &'d mut RecordDecoder,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = Page;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = Page;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
        let mut records = None;
        let mut after = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.as_str() {
                "results" => records = Some(map.next_value_seed(RecordsSeed { decoder: self.decoder })?),
                "paging" => {
                    after = map.next_value::<Option<Paging>>()?.and_then(|paging| paging.next).map(|next| next.after);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let records = records.ok_or_else(|| A::Error::missing_field("results"))?;
        Ok(Page { records, after })
    }
}

/// `paging` of any answer that comes in pages.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Paging {
    pub(super) next: Option<NextPage>,
}

/// `paging.next`.
#[derive(Debug, serde::Deserialize)]
pub(super) struct NextPage {
    pub(super) after: String,
}

struct RecordsSeed<'d> {
    decoder: &'d mut RecordDecoder,
}

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut records = 0;
        while seq.next_element_seed(RecordSeed { decoder: self.decoder })?.is_some() {
            records += 1;
        }
        Ok(records)
    }
}

struct RecordSeed<'d> {
    decoder: &'d mut RecordDecoder,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let rows = self.decoder.rows();
        let mut id: Option<Text<'de>> = None;
        let mut updated_at = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.as_str() {
                "id" => id = Some(map.next_value()?),
                "updatedAt" => {
                    updated_at =
                        map.next_value::<Option<Text<'de>>>()?.and_then(|text| value::timestamp(text.as_str()));
                }
                "properties" => map.next_value_seed(PropertiesSeed { decoder: self.decoder, rows })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        self.decoder.finish_row(rows, id.as_str(), updated_at);
        Ok(())
    }
}

struct PropertiesSeed<'d> {
    decoder: &'d mut RecordDecoder,
    rows: usize,
}

impl<'de> DeserializeSeed<'de> for PropertiesSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PropertiesSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the properties of a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut position = 0;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let slot = self.decoder.slot(position, key.as_str());
            position += 1;
            match slot {
                Some(slot) => {
                    if let Some(text) = map.next_value::<Option<Text<'de>>>()? {
                        self.decoder.fill(slot, self.rows, text.as_str());
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A JSON string, borrowed from the page where it has no escapes. Numbers and booleans, which HubSpot sends as text except
/// where it forgets to, become the text they would have been.
enum Text<'de> {
    Borrowed(&'de str),
    Owned(String),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text::Owned(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Text<'de>, E> {
                Ok(Text::Owned(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Text<'de>, E> {
                Ok(Text::Owned(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Text<'de>, E> {
                Ok(Text::Owned(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Text<'de>, E> {
                Ok(Text::Owned(value.to_string()))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}
