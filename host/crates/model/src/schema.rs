//! Schemas: the fields of a stream or a table, with their marks.
//!
//! Plain data that the whole program shares: the source makes schemas, plugins see them, the plan resolves them column by
//! column, the sink writes them.
//! The contract has its own wire form of all this (in `sluice-sandbox`), and so has the pipeline file (in `sluice-plan`).

mod attributes;
mod marks;
pub mod stored;

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, SchemaRef, TimeUnit};

pub use self::{
    attributes::Attributes,
    marks::{Mark, Marks, NotAMark},
};

/// Names of attributes that the host sets and reads itself.
pub mod attribute {
    /// HubSpot's internal name of the property a column holds.
    pub const PROPERTY: &str = "property";
    /// The label text, as people see it in HubSpot.
    pub const LABEL: &str = "label";
    /// HubSpot's type of the property.
    pub const HUBSPOT_TYPE: &str = "hubspot.type";
    /// HubSpot's field type of the property.
    pub const HUBSPOT_FIELD_TYPE: &str = "hubspot.field-type";
    /// `true` for a column that is part of the table's key.
    pub const KEY: &str = "key";
    /// What the id in a column points to.
    pub const REFERENCES: &str = "references";
    /// The text between the values of a column that holds several.
    pub const SEPARATOR: &str = "separator";
    /// `true` for a column whose values are object type ids.
    pub const OBJECT_TYPE: &str = "object-type";
    /// The property column whose unparsable values a column keeps as text. Never shown to plugins.
    pub const UNPARSED_OF: &str = "unparsed-of";
    /// The name that the column would have if no other property of its stream were spelled nearly the same.
    pub const SHARED_NAME: &str = "shared-name";
    /// `true` for a column of a history whose property HubSpot computes: whoever asks for properties by a glob does not mean it.
    pub const CALCULATED: &str = "calculated";
    /// `true` for a column that holds what is said of properties which carry marks: it is read where all of them may pass.
    pub const OF_MARKED: &str = "of-marked";
    /// Of a schema: the kind of stream.
    pub const KIND: &str = "kind";
    /// Of a schema: the object type id of the stream's records.
    pub const OBJECT_TYPE_ID: &str = "object-type-id";
    /// Of a schema: the fully qualified name of a custom object type.
    pub const FULLY_QUALIFIED_NAME: &str = "fully-qualified-name";
}

/// The fields of a stream or a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The stream's name, or the table's after the transforms.
    pub name: String,
    /// The columns, in order. Names are unique ignoring case.
    pub fields: Vec<Field>,
    /// What is known of the stream itself.
    pub attributes: Attributes,
}

impl Schema {
    /// The index of the field of that exact name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether a value may be absent.
    pub nullable: bool,
    /// Its sensitivity markings.
    pub marks: Marks,
    /// What else is known of it.
    pub attributes: Attributes,
}

impl Field {
    /// A nullable field without marks or attributes.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type, nullable: true, marks: Marks::new(), attributes: Attributes::new() }
    }

    /// The same field, never null.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same field with one more attribute.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(attribute.to_owned(), value.into());
        self
    }

    /// Whether the column is part of its table's key.
    pub fn is_key(&self) -> bool {
        self.attributes.get(attribute::KEY).is_some_and(|value| value == "true")
    }

    /// Whether the column holds what is said of properties that carry marks.
    pub fn is_of_marked(&self) -> bool {
        self.attributes.contains_key(attribute::OF_MARKED)
    }
}

/// The name of the column that holds the unparsable values of a property column.
pub fn unparsed_name(property_column: &str) -> String {
    format!("property_unparsed_{}", property_column.strip_prefix("property_").unwrap_or(property_column))
}

/// The Arrow schema of a batch with these columns, and of a file that holds such batches: what HubSpot knows of a column is
/// its metadata. It is made once for a stream, so that no batch has to be wrapped anew on its way to the file.
pub fn arrow_schema(fields: &[Field]) -> SchemaRef {
    const SHOWN: [&str; 5] = [
        attribute::LABEL,
        attribute::PROPERTY,
        attribute::HUBSPOT_TYPE,
        attribute::HUBSPOT_FIELD_TYPE,
        attribute::REFERENCES,
    ];
    let described = |field: &Field| {
        let stored = field.attributes.stored();
        let shown = SHOWN.into_iter().filter_map(|name| Some((name.to_owned(), stored.get(name)?.clone())));
        let mut metadata: HashMap<String, String> = shown.collect();
        if !field.marks.is_empty() {
            let marks: Vec<&str> = field.marks.iter().map(Mark::as_str).collect();
            metadata.insert("marks".to_owned(), marks.join(","));
        }
        arrow_schema::Field::new(&field.name, field.column_type.arrow(), field.nullable).with_metadata(metadata)
    };
    Arc::new(arrow_schema::Schema::new(fields.iter().map(described).collect::<Vec<_>>()))
}

/// The types a column can have. Each is one format string of the contract, one Arrow type and one Parquet type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ColumnType {
    /// True or false. Format `b`.
    Boolean,
    /// 64-bit signed integer. Format `l`.
    Integer,
    /// 64-bit float. Format `g`.
    Float,
    /// UTF-8 text. Format `u`.
    Text,
    /// Days since 1970-01-01. Format `tdD`.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z. Format `tsu:UTC`.
    Timestamp,
}

impl ColumnType {
    /// All types, in the order in which they are listed to people.
    pub const ALL: [Self; 6] = [Self::Boolean, Self::Integer, Self::Float, Self::Text, Self::Date, Self::Timestamp];

    /// The format string of the Arrow C data interface.
    pub fn format(self) -> &'static str {
        match self {
            Self::Boolean => "b",
            Self::Integer => "l",
            Self::Float => "g",
            Self::Text => "u",
            Self::Date => "tdD",
            Self::Timestamp => "tsu:UTC",
        }
    }

    /// The type of that format string, if it is one the contract uses.
    pub fn from_format(format: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| candidate.format() == format)
    }

    /// The type's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// The Arrow type that holds its values.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}
