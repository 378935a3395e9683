//! The contract's outline as the program's.

use sluice_model::{
    outline::{Outline, OutlineError, Output},
    printable::printable,
    schema::{Attributes, ColumnType, Field, Mark, Marks, Schema},
};

use crate::contract;

/// Columns that an outline may have, several times what the largest HubSpot account has properties.
const MOST_COLUMNS: usize = 16_384;
/// Groups that an outline may have: one a column, and one to select rows.
const MOST_GROUPS: usize = MOST_COLUMNS + 1;
/// Codes that rows may be rejected with. They are told apart in reports that people read.
const MOST_CODES: usize = 256;
/// Marks of one column, and attributes of one column or plugin: far more than are defined.
const MOST_MARKS: usize = 64;
const MOST_ATTRIBUTES: usize = 64;
/// Bytes of an attribute's name.
const LONGEST_ATTRIBUTE_NAME: usize = 255;
/// Bytes of the texts of an outline: those of two thousand columns that keep their labels are a third of it. They are held
/// for each stream, and go into each commit.
const LARGEST_OUTLINE: usize = 1 << 20;
/// Bytes of a column's attribute, name and value: far more than a label or a description has.
const LONGEST_OF_A_COLUMN: usize = 4 << 10;
/// Bytes of an attribute of the plugin itself, which nobody keeps: a JSON Schema of its settings is the longest in use.
const LONGEST_OF_A_PLUGIN: usize = 256 << 10;
/// Characters of a plugin's text that are shown within a sentence.
const LONGEST_QUOTE: usize = 80;

/// A rule of the contract that an outline breaks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutlineBreach {
    #[error("its names, marks and attributes have {size} bytes, and no more than {LARGEST_OUTLINE} are taken")]
    TooLarge { size: usize },
    #[error("it has more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
    #[error("column `{column}` has the format `{format}`, which is none of {}", formats())]
    Format { column: String, format: String },
    #[error("column `{column}`: {reason}")]
    Mark { column: String, reason: String },
    #[error("column `{column}`: {reason}")]
    Attributes { column: String, reason: AttributesBreach },
    #[error(transparent)]
    Rule(#[from] OutlineError),
}

/// A rule of the contract that a list of attributes breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AttributesBreach {
    #[error("more than {MOST_ATTRIBUTES} attributes")]
    TooMany,
    #[error("an attribute whose name is empty or longer than {LONGEST_ATTRIBUTE_NAME} bytes")]
    Name,
    #[error("an attribute longer than {most} bytes")]
    TooLong { most: usize },
    #[error("two attributes of one name")]
    Twice,
}

/// Reads an outline and checks it against the schema it was made for.
pub(crate) fn read_outline(wire: contract::Outline, input: &Schema) -> Result<Outline, OutlineBreach> {
    at_most(MOST_COLUMNS, "columns", wire.outputs.len())?;
    at_most(MOST_GROUPS, "groups", wire.groups.len())?;
    at_most(MOST_CODES, "rejection codes", wire.rejection_codes.len())?;
    let size = size_of_texts(&wire);
    if size > LARGEST_OUTLINE {
        return Err(OutlineBreach::TooLarge { size });
    }
    let indices = |group: Vec<u32>| group.into_iter().map(|index| index as usize).collect();
    let outline = Outline {
        table: wire.name,
        groups: wire.groups.into_iter().map(indices).collect(),
        outputs: wire.outputs.into_iter().map(read_output).collect::<Result<_, _>>()?,
        selects: wire.selects.map(|group| group as usize),
        rejection_codes: wire.rejection_codes,
    };
    outline.check(input)?;
    Ok(outline)
}

/// Bytes of all that an outline says.
fn size_of_texts(wire: &contract::Outline) -> usize {
    let of_attributes = |attributes: &contract::Attributes| -> usize {
        attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
    };
    let outputs = wire.outputs.iter().map(|output| match output {
        contract::Output::Keep(kept) => kept.name.len(),
        contract::Output::Compute(computed) => {
            let field = &computed.field;
            let marks: usize = field.marks.iter().map(String::len).sum();
            field.name.len() + field.format.len() + marks + of_attributes(&field.attributes)
        }
    });
    let codes: usize = wire.rejection_codes.iter().map(String::len).sum();
    wire.name.len() + outputs.sum::<usize>() + codes + of_attributes(&wire.attributes)
}

/// Reads what a plugin says of itself.
pub(crate) fn read_description(wire: contract::Attributes) -> Result<Attributes, AttributesBreach> {
    read_attributes(wire, LONGEST_OF_A_PLUGIN)
}

/// Reads a list of attributes, of which each has so many bytes at the most.
fn read_attributes(wire: contract::Attributes, most: usize) -> Result<Attributes, AttributesBreach> {
    if wire.len() > MOST_ATTRIBUTES {
        return Err(AttributesBreach::TooMany);
    }
    let mut attributes = Attributes::new();
    for (name, value) in wire {
        if !(1..=LONGEST_ATTRIBUTE_NAME).contains(&name.len()) {
            return Err(AttributesBreach::Name);
        }
        if name.len() + value.len() > most {
            return Err(AttributesBreach::TooLong { most });
        }
        if attributes.insert(name, value).is_some() {
            return Err(AttributesBreach::Twice);
        }
    }
    Ok(attributes)
}

fn read_output(wire: contract::Output) -> Result<Output, OutlineBreach> {
    Ok(match wire {
        contract::Output::Keep(kept) => Output::Keep { input: kept.input as usize, name: kept.name },
        contract::Output::Compute(computed) => {
            Output::Compute { group: computed.group as usize, field: read_field(computed.field)? }
        }
    })
}

fn read_field(wire: contract::FieldResult) -> Result<Field, OutlineBreach> {
    let column = || printable(&wire.name, LONGEST_QUOTE);
    let column_type = ColumnType::from_format(&wire.format)
        .ok_or_else(|| OutlineBreach::Format { column: column(), format: printable(&wire.format, LONGEST_QUOTE) })?;
    at_most(MOST_MARKS, "marks of one column", wire.marks.len())?;
    let mark = |text: &String| {
        printable(text, LONGEST_QUOTE)
            .parse::<Mark>()
            .map_err(|error| OutlineBreach::Mark { column: column(), reason: error.to_string() })
    };
    let marks = wire.marks.iter().map(mark).collect::<Result<Marks, _>>()?;
    let attributes = read_attributes(wire.attributes, LONGEST_OF_A_COLUMN)
        .map_err(|reason| OutlineBreach::Attributes { column: column(), reason })?;
    Ok(Field { name: wire.name, column_type, nullable: wire.nullable, marks, attributes })
}

fn at_most(most: usize, what: &'static str, count: usize) -> Result<(), OutlineBreach> {
    if count <= most { Ok(()) } else { Err(OutlineBreach::TooMany { what, most }) }
}

fn formats() -> String {
    let formats: Vec<_> = ColumnType::ALL.iter().map(|kind| format!("`{}`", kind.format())).collect();
    formats.join(", ")
}
