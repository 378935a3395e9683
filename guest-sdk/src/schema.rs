//! What a plugin is told about its input, and says about its output: fields, their types, and the attributes around
//! them.
//!
//! A plugin receives a [`Schema`] and writes [`Field`]s for the columns it computes. These are plain values: a test
//! builds them by hand. Nothing here looks at data.

use std::fmt;

use crate::names::nearest;
use crate::{Failure, Value, attribute, contract};

/// The columns of a stream as the plugin's input, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The stream's name (`contacts`), or the name an earlier transform gave its table.
    pub name: String,
    /// The columns.
    pub fields: Vec<Field>,
    /// What else is known of the stream; names in [`attribute`].
    pub attributes: Attributes,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `[A-Za-z0-9_]+`, at most 255 characters, not starting with `_`, unique in its schema ignoring case.
    pub name: String,
    /// What the values are.
    pub data_type: DataType,
    /// Whether a value may be absent.
    pub nullable: bool,
    /// Sensitivity markings.
    ///
    /// Of an input field: what the host knows. Of a computed field: what the plugin adds to the marks of the columns its
    /// group reads, which the host adds by itself. So do not copy them from the input: a pipeline could not clear them.
    pub marks: Vec<String>,
    /// What else is known of the column; names in [`attribute`].
    pub attributes: Attributes,
}

/// What the values of a column are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// `bool`.
    Boolean,
    /// `i64`.
    Int64,
    /// `f64`.
    Float64,
    /// UTF-8 text, `str`.
    Text,
    /// [`Date`](crate::Date).
    Date,
    /// [`Timestamp`](crate::Timestamp).
    Timestamp,
    /// A format string that this version of the SDK does not know. Such a column can be kept or dropped, not read.
    Other(String),
}

/// An open list of names and values, each name at most once, in the order they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(String, String)>);

impl Schema {
    /// A schema without columns, to be filled with [`Schema::with`].
    ///
    /// ```
    /// # use sluice_guest::{DataType, Field, Schema, attribute};
    /// let contacts = Schema::new("contacts")
    ///     .with_attribute(attribute::OBJECT_TYPE_ID, "0-1")
    ///     .with(Field::new("objectId", DataType::Text).not_null().with_attribute(attribute::KEY, "true"))
    ///     .with(Field::new("property_email", DataType::Text).with_mark("sensitive"));
    /// assert!(contacts.field("objectId").is_some_and(Field::is_key));
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), fields: Vec::new(), attributes: Attributes::default() }
    }

    /// The schema with one more column at its end.
    #[must_use]
    pub fn with(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The schema with an attribute set.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// The column of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|index| &self.fields[index])
    }

    /// The column of this name, which must be there.
    ///
    /// # Errors
    /// A schema failure that names the columns most like it.
    pub fn require(&self, name: &str) -> Result<&Field, Failure> {
        self.require_position(name).map(|index| &self.fields[index])
    }

    pub(crate) fn require_position(&self, name: &str) -> Result<usize, Failure> {
        self.position(name).ok_or_else(|| {
            let names = self.fields.iter().map(|field| field.name.as_str());
            Failure::schema(format_args!("`{}` has no column `{name}`; {}", self.name, nearest(name, names)))
        })
    }

    /// The column of this name, which must be there and hold values of this type.
    ///
    /// # Errors
    /// A schema failure that says what there is.
    pub fn require_of<T: Value + ?Sized>(&self, name: &str) -> Result<&Field, Failure> {
        let field = self.require(name)?;
        if field.data_type == T::DATA_TYPE {
            return Ok(field);
        }
        Err(Failure::schema(format_args!(
            "column `{name}` of `{}` holds {}, not {}",
            self.name,
            field.data_type,
            T::DATA_TYPE
        )))
    }

    /// Where the column of this name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

impl Field {
    /// A nullable column without marks and attributes.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, nullable: true, marks: Vec::new(), attributes: Attributes::default() }
    }

    /// The field as one that always has a value.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The field with one more mark.
    #[must_use]
    pub fn with_mark(mut self, mark: impl Into<String>) -> Self {
        self.marks.push(mark.into());
        self
    }

    /// The field with an attribute set.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Whether the column carries this mark.
    pub fn has_mark(&self, mark: &str) -> bool {
        self.marks.iter().any(|own| own == mark)
    }

    /// Whether the column is part of the table's key.
    pub fn is_key(&self) -> bool {
        self.attributes.get(attribute::KEY) == Some("true")
    }

    /// What the id in this column points to: an object type id, or `owner`, `user`, `team`, `list`.
    pub fn references(&self) -> Option<&str> {
        self.attributes.get(attribute::REFERENCES)
    }
}

impl Attributes {
    /// The value under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Sets a value, replacing the one that stood under this name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.to_owned(), value.into())),
        }
    }

    /// Removes what stands under this name, if anything does.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| own != name);
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl DataType {
    /// The format string of the Arrow C data interface, as the contract writes it.
    pub fn format(&self) -> &str {
        match self {
            Self::Boolean => "b",
            Self::Int64 => "l",
            Self::Float64 => "g",
            Self::Text => "u",
            Self::Date => "tdD",
            Self::Timestamp => "tsu:UTC",
            Self::Other(format) => format,
        }
    }

    /// The type of a format string. Never fails: what is not known is [`DataType::Other`].
    pub fn from_format(format: &str) -> Self {
        match format {
            "b" => Self::Boolean,
            "l" => Self::Int64,
            "g" => Self::Float64,
            "u" => Self::Text,
            "tdD" => Self::Date,
            "tsu:UTC" => Self::Timestamp,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// In the plural, to read well after "holds".
impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => formatter.write_str("booleans"),
            Self::Int64 => formatter.write_str("64-bit integers"),
            Self::Float64 => formatter.write_str("64-bit floats"),
            Self::Text => formatter.write_str("text"),
            Self::Date => formatter.write_str("dates"),
            Self::Timestamp => formatter.write_str("timestamps"),
            Self::Other(format) => write!(formatter, "values of the unknown format `{format}`"),
        }
    }
}

impl From<contract::Schema> for Schema {
    fn from(schema: contract::Schema) -> Self {
        Self {
            name: schema.name,
            fields: schema.fields.into_iter().map(Field::from).collect(),
            attributes: Attributes(schema.attributes),
        }
    }
}

impl From<Schema> for contract::Schema {
    fn from(schema: Schema) -> Self {
        Self {
            name: schema.name,
            fields: schema.fields.into_iter().map(contract::Field::from).collect(),
            attributes: schema.attributes.0,
        }
    }
}

impl From<contract::Field> for Field {
    fn from(field: contract::Field) -> Self {
        Self {
            name: field.name,
            data_type: DataType::from_format(&field.format),
            nullable: field.nullable,
            marks: field.marks,
            attributes: Attributes(field.attributes),
        }
    }
}

impl From<Field> for contract::Field {
    fn from(field: Field) -> Self {
        Self {
            name: field.name,
            format: field.data_type.format().to_owned(),
            nullable: field.nullable,
            marks: field.marks,
            attributes: field.attributes.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_survives_the_way_there_and_back() {
        for format in ["b", "l", "g", "u", "tdD", "tsu:UTC", "+l", "tsn:"] {
            assert_eq!(DataType::from_format(format).format(), format);
        }
        assert_eq!(DataType::from_format("+l"), DataType::Other("+l".to_owned()));
    }

    #[test]
    fn an_attribute_stands_once() {
        let mut attributes = Attributes::default();
        attributes.set("label", "E-mail");
        attributes.set("key", "true");
        attributes.set("label", "Mail");
        attributes.remove("separator");
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("label", "Mail"), ("key", "true")]);
        attributes.remove("label");
        assert_eq!(attributes.get("label"), None);
    }

    #[test]
    fn a_schema_survives_the_way_there_and_back() {
        let schema = Schema::new("contacts")
            .with_attribute("kind", "objects")
            .with(Field::new("email", DataType::Text).not_null().with_mark("phi").with_attribute("label", "E-mail"));
        let wire = contract::Schema::from(schema.clone());
        assert_eq!(wire.fields[0].format, "u");
        assert_eq!(Schema::from(wire), schema);
    }
}
