//! Fields as they are stored, in commits and in files that describe a source: JSON that people may read, too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Attributes, ColumnType, Field, Mark, NotAMark};
use crate::printable::printable;

/// Characters that are shown of a name that is not known.
const LONGEST_SHOWN: usize = 255;

/// A field, stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredField {
    /// Its name.
    pub name: String,
    #[serde(rename = "type")]
    column_type: String,
    nullable: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    marks: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
}

/// Why what is stored is no field.
#[derive(Debug, thiserror::Error)]
pub enum NotAField {
    /// A type that this version does not know.
    #[error("column `{column}` has the unknown type `{column_type}`")]
    Type {
        /// The column, made printable.
        column: String,
        /// What stands for its type, made printable.
        column_type: String,
    },
    /// A text that is no mark.
    #[error(transparent)]
    Mark(#[from] NotAMark),
}

impl From<&Field> for StoredField {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name.clone(),
            column_type: field.column_type.name().to_owned(),
            nullable: field.nullable,
            marks: field.marks.iter().map(|mark| mark.as_str().to_owned()).collect(),
            attributes: field.attributes.stored(),
        }
    }
}

impl TryFrom<StoredField> for Field {
    type Error = NotAField;

    fn try_from(stored: StoredField) -> Result<Self, NotAField> {
        let StoredField { name, column_type, nullable, marks, attributes } = stored;
        let known = ColumnType::ALL.into_iter().find(|known| known.name() == column_type);
        let Some(known) = known else {
            let shown = |text: &str| printable(text, LONGEST_SHOWN);
            return Err(NotAField::Type { column: shown(&name), column_type: shown(&column_type) });
        };
        let marks = marks.iter().map(|mark| mark.parse::<Mark>()).collect::<Result<_, _>>()?;
        Ok(Self { name, column_type: known, nullable, marks, attributes })
    }
}
