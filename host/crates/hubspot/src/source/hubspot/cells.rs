//! In which of its columns the value of a property stands: the one of values, if it fits their type, and otherwise the one that
//! keeps texts as they came.
//!
//! An empty text is no value. What is asked for need not be both columns: each is filled without the other.

use sluice_model::schema::{ColumnType, Field, attribute};

use super::{columns::ColumnBuilder, property::column_type_of, value};

/// One of the columns of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// The one of values.
    Typed,
    /// The one of texts that do not fit this type.
    Unparsed(ColumnType),
}

impl Cell {
    /// Which of its property's columns a field is.
    pub(super) fn of(field: &Field) -> Self {
        if field.attributes.contains_key(attribute::UNPARSED_OF) {
            Self::Unparsed(column_type_of(field))
        } else {
            Self::Typed
        }
    }

    /// Appends what of a property's value stands in it.
    pub(super) fn append(self, column: &mut ColumnBuilder, text: Option<&str>) {
        let text = text.filter(|text| !text.is_empty());
        match self {
            Self::Typed => column.append_or_null(text),
            Self::Unparsed(column_type) => column.append_or_null(text.filter(|text| !fits(column_type, text))),
        }
    }
}

/// Whether a text is a value of this type.
pub(super) fn fits(column_type: ColumnType, text: &str) -> bool {
    match column_type {
        ColumnType::Boolean => value::boolean(text).is_some(),
        ColumnType::Integer => value::integer(text).is_some(),
        ColumnType::Float => value::float(text).is_some(),
        ColumnType::Date => value::date(text).is_some(),
        ColumnType::Timestamp => value::timestamp(text).is_some(),
        ColumnType::Text => true,
    }
}
