//! The tables that a stream feeds, each with its shape and its columns.
//!
//! What a stream is after the last transform is its last stage, and every table is made of columns of that: so nothing that
//! a transform has removed comes back in any of them, and each column of a table knows the columns of the stage that it
//! holds values of. A table of a shape of its own name belongs to one stream alone. One of a shape that several streams
//! share has the same columns from each, and nothing in them that is true of one stream only.

use std::collections::BTreeMap;

use sluice_model::{
    schema::{ColumnType, Field, Marks, attribute},
    stream::{End, StreamInfo, StreamKind},
};

use super::{Column, Stage, StreamPlan, rules::PROPERTY};
use crate::spec::Layout;

/// The column of a long table that says which column of the stream a value is from.
pub const NAME: &str = "name";

/// The column of a long table that holds the values.
pub const VALUE: &str = "value";

/// The columns of every record that a table of all records has beside the key.
const OF_EVERY_RECORD: [&str; 2] = ["updatedAt", "ingestedAt"];

/// The table of all records, whatever their type.
const OBJECTS: &str = "objects";

/// The table of the values of all properties of all records.
const OBJECT_PROPERTIES: &str = "object_properties";

/// The table of one JSON text a record, with all its values.
const OBJECT_WITH_PROPERTIES: &str = "object_with_object_properties";

/// The column of a packed table that holds the JSON objects.
pub const PROPERTIES: &str = "properties";

/// The table of all links, whatever the types of their ends.
const ASSOCIATIONS: &str = "associations";

/// The table of all events, whatever their type.
const EVENTS: &str = "events";

/// The columns of every event that a table of all events has beside the key.
const OF_EVERY_EVENT: [&str; 5] = ["eventTypeId", "objectTypeId", "objectId", "occurredAt", "ingestedAt"];

/// The columns of every version of a value that a table of history has beside the key, of which the time is a part.
pub(super) const OF_A_VERSION: [&str; 4] = ["sourceType", "sourceId", "updatedByUserId", "ingestedAt"];

/// The columns of a stream of links that hold the ends. In a table of its own, whose ends are of two types, they are called
/// after these types, and the types need no columns.
const ENDS: [&str; 2] = ["fromObjectId", "toObjectId"];
const TYPES_OF_ENDS: [&str; 2] = ["fromObjectTypeId", "toObjectTypeId"];

/// The tables that a stream feeds, given the name that its own table would have.
pub(super) fn of(stream: &StreamInfo, own: String, stage: &Stage, layout: Layout) -> Vec<TablePlan> {
    let (individual, combined) = match &stream.kind {
        StreamKind::Objects { .. } => (
            TablePlan::as_is(own, stage),
            vec![
                TablePlan::share(OBJECTS, stage, &OF_EVERY_RECORD),
                TablePlan::long(OBJECT_PROPERTIES, stage),
                TablePlan::packed(OBJECT_WITH_PROPERTIES, stage, &OF_EVERY_RECORD),
            ],
        ),
        StreamKind::Associations { from, to } => {
            (TablePlan::of_ends(own, stage, from, to), vec![TablePlan::whole_share(ASSOCIATIONS, stage)])
        }
        StreamKind::Events { .. } => {
            (TablePlan::as_is(own, stage), vec![TablePlan::packed(EVENTS, stage, &OF_EVERY_EVENT)])
        }
        // One table, whatever the layout: the types of records are told apart in it.
        StreamKind::History { .. } => return vec![TablePlan::history(&own, stage)],
        // One table, whatever the layout: the types of members are told apart in it.
        StreamKind::Memberships { .. } => return vec![TablePlan::whole_share(&own, stage)],
        _ => return vec![TablePlan::as_is(own, stage)],
    };
    match layout {
        Layout::Individual => vec![individual],
        Layout::Combined => combined,
        Layout::Both => std::iter::once(individual).chain(combined).collect(),
    }
}

/// Gives the columns of each table that several streams share the marks that they have from any of these: it is one table,
/// whoever writes its rows.
pub(super) fn unite_marks(streams: &mut [StreamPlan]) {
    let mut united: BTreeMap<String, Vec<Marks>> = BTreeMap::new();
    for table in shared_tables(streams) {
        let marks = united.entry(table.name.clone()).or_insert_with(|| vec![Marks::new(); table.columns.len()]);
        for (marks, column) in marks.iter_mut().zip(&table.columns) {
            marks.add(&column.field.marks);
        }
    }
    for table in shared_tables(streams) {
        for (marks, column) in united[&table.name].iter().zip(&mut table.columns) {
            column.field.marks.clone_from(marks);
        }
    }
}

fn shared_tables(streams: &mut [StreamPlan]) -> impl Iterator<Item = &mut TablePlan> {
    streams.iter_mut().flat_map(|stream| &mut stream.tables).filter(|table| table.shape.is_shared())
}

/// A table that a stream feeds.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The table's name.
    pub name: String,
    /// How its rows are made of the stream's.
    pub shape: Shape,
    /// Its columns, in order.
    pub columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct TableColumn {
    /// Name, type, and the marks of all that its values are from, other streams' included where these feed the table.
    pub field: Field,
    /// The columns of the last stage that its values are from; none for a column that says what others hold.
    pub from: Vec<usize>,
}

/// How the rows of a table are made of those of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    AsIs,
    /// Some of their columns, in a table that other streams feed as well.
    Share,
    /// In long form, in a table that other streams feed as well: a row for each value, with the key, the name of the column
    /// it is from, and the value as text.
    Long,
    /// In a table that other streams feed as well: a row a record, with the key, one JSON object of all values, and the columns
    /// that every record has.
    Packed,
    /// In a table that other streams feed as well: a row for each version of a value, with the key of the record, the name of
    /// the column that the value is from, the value as text (nothing, where it was cleared), and what is known of the version.
    History,
}

impl Shape {
    /// Whether several streams may feed the table.
    pub fn is_shared(self) -> bool {
        match self {
            Self::AsIs => false,
            Self::Share | Self::Long | Self::Packed | Self::History => true,
        }
    }
}

impl TablePlan {
    /// The table that holds the stream as it is.
    fn as_is(name: String, stage: &Stage) -> Self {
        let column = |(index, field): (usize, &Field)| TableColumn { field: field.clone(), from: vec![index] };
        let fields = stage.columns.iter().map(|column| &column.field);
        Self { name, shape: Shape::AsIs, columns: fields.enumerate().map(column).collect() }
    }

    /// The table of links between records of these two types.
    fn of_ends(name: String, stage: &Stage, from: &End, to: &End) -> Self {
        let mut table = Self::as_is(name, stage);
        table.columns.retain(|column| !TYPES_OF_ENDS.contains(&column.field.name.as_str()));
        let is_one_type = from.type_id == to.type_id;
        for ((column, end), which) in ENDS.into_iter().zip([from, to]).zip(["from", "to"]) {
            let held = table.columns.iter_mut().find(|held| held.field.name == column);
            if let Some(held) = held {
                let name = format!("{}_objectId", end.singular);
                held.field.name = if is_one_type { format!("{which}_{name}") } else { name };
            }
        }
        table
    }

    /// A table of all columns, which streams of the same columns feed as well.
    fn whole_share(name: &str, stage: &Stage) -> Self {
        let all: Vec<&str> = stage.columns.iter().map(|column| column.field.name.as_str()).collect();
        Self::share(name, stage, &all)
    }

    /// A table of the key, and of those of these columns that the stream has.
    fn share(name: &str, stage: &Stage, beside_key: &[&str]) -> Self {
        let takes = |field: &Field| field.is_key() || beside_key.contains(&field.name.as_str());
        let columns = stage.columns.iter().enumerate().filter(|(_, column)| takes(&column.field));
        let column =
            |(index, column): (usize, &Column)| TableColumn { field: shared(&column.field), from: vec![index] };
        Self { name: name.to_owned(), shape: Shape::Share, columns: columns.map(column).collect() }
    }

    /// A table of the values of all properties, in long form.
    fn long(name: &str, stage: &Stage) -> Self {
        let fields = || stage.columns.iter().map(|column| &column.field).enumerate();
        let keys = fields().filter(|(_, field)| field.is_key());
        let mut columns: Vec<TableColumn> =
            keys.map(|(index, field)| TableColumn { field: shared(field), from: vec![index] }).collect();
        let named = Field::new(NAME, ColumnType::Text).required().with(attribute::KEY, "true");
        columns.push(TableColumn { field: named, from: Vec::new() });
        let from = values_of(stage);
        let mut value = Field::new(VALUE, ColumnType::Text).required();
        value.marks = stage.marks_of(&from);
        columns.push(TableColumn { field: value, from });
        Self { name: name.to_owned(), shape: Shape::Long, columns }
    }

    /// A table of the versions of values: as a long one, and nothing in it tells two rows apart for sure.
    fn history(name: &str, stage: &Stage) -> Self {
        let mut table = Self { shape: Shape::History, ..Self::share(name, stage, &OF_A_VERSION) };
        let from = values_of(stage);
        let mut value = Field::new(VALUE, ColumnType::Text);
        value.marks = stage.marks_of(&from);
        let named = TableColumn { field: Field::new(NAME, ColumnType::Text).required(), from: Vec::new() };
        let behind_record = table.columns.iter().take_while(|column| column.field.column_type == ColumnType::Text);
        let behind_record = behind_record.take_while(|column| column.field.is_key()).count();
        table.columns.splice(behind_record..behind_record, [named, TableColumn { field: value, from }]);
        table
    }

    /// A table of one JSON object a record, beside these columns.
    fn packed(name: &str, stage: &Stage, beside_key: &[&str]) -> Self {
        let mut table = Self { shape: Shape::Packed, ..Self::share(name, stage, beside_key) };
        let from = values_of(stage);
        let mut properties = Field::new(PROPERTIES, ColumnType::Text).required();
        properties.marks = stage.marks_of(&from);
        let behind_key = table.columns.iter().take_while(|column| column.field.is_key()).count();
        table.columns.insert(behind_key, TableColumn { field: properties, from });
        table
    }

    /// The columns of the table, in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.columns.iter().map(|column| &column.field)
    }

    /// Positions of the key columns.
    pub fn key(&self) -> impl Iterator<Item = usize> {
        self.fields().enumerate().filter(|(_, field)| field.is_key()).map(|(index, _)| index)
    }

    /// The name of a column that is not the same in another table: by name, type, whether a value may be absent, and place.
    pub(super) fn differs_from<'t>(&'t self, other: &'t Self) -> Option<&'t str> {
        let form = |field: &Field| (field.column_type, field.nullable, field.is_key());
        let is_same = |(one, other): &(&Field, &Field)| one.name == other.name && form(one) == form(other);
        let same = self.fields().zip(other.fields()).take_while(is_same).count();
        self.columns.get(same).or_else(|| other.columns.get(same)).map(|column| column.field.name.as_str())
    }
}

/// The columns of a stage that hold the values of properties, as far as any batch has them.
fn values_of(stage: &Stage) -> Vec<usize> {
    let columns = stage.columns.iter().enumerate().filter(|(_, column)| column.needed);
    columns.filter(|(_, column)| name_of_value(&column.field).is_some()).map(|(index, _)| index).collect()
}

/// A column as it stands in a table that several streams feed.
fn shared(field: &Field) -> Field {
    let mut shared = Field { nullable: field.nullable, ..Field::new(&field.name, field.column_type) };
    shared.marks = field.marks.clone();
    if field.is_key() { shared.with(attribute::KEY, "true") } else { shared }
}

/// The name under which the values of a column stand in a long table, if it is one of a property. What does not fit the type
/// of a property stands under the property's name, as it is only there where no value is.
pub fn name_of_value(field: &Field) -> Option<&str> {
    let column = field.attributes.get(attribute::UNPARSED_OF).unwrap_or(&field.name);
    column.strip_prefix(PROPERTY)
}
