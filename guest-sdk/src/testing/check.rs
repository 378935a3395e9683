//! What a host checks of a plugin's answers, written from the contract's text.
//!
//! Most of it the SDK cannot get wrong; it is checked all the same, for a harness that shared the SDK's assumptions would
//! prove nothing. Each message says what a host would refuse.

use crate::bitmap::{bit, bytes_for};
use crate::column::View;
use crate::names::{check_code, check_name};
use crate::{DataType, Date, Schema, Timestamp, contract};

/// Checks an outline against the schema it was asked for.
pub(super) fn outline(outline: &contract::Outline, input: &Schema) -> Result<(), String> {
    check_name(&outline.name).map_err(|problem| format!("the table is named `{}`: {problem}", outline.name))?;
    for (group, reads) in outline.groups.iter().enumerate() {
        for (at, index) in reads.iter().enumerate() {
            if *index as usize >= input.fields.len() {
                return Err(format!("group {group} reads column {index}; the input has {}", input.fields.len()));
            }
            if reads[..at].contains(index) {
                return Err(format!("group {group} reads column {index} twice"));
            }
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for output in &outline.outputs {
        let name = match output {
            contract::Output::Keep(kept) if kept.input as usize >= input.fields.len() => {
                return Err(format!("column {} is kept; the input has {}", kept.input, input.fields.len()));
            }
            contract::Output::Keep(kept) => &kept.name,
            contract::Output::Compute(computed) if computed.group as usize >= outline.groups.len() => {
                return Err(format!("group {} computes a column; there are {}", computed.group, outline.groups.len()));
            }
            contract::Output::Compute(computed) => {
                if let DataType::Other(format) = DataType::from_format(&computed.field.format) {
                    return Err(format!("column `{}` has the unknown format `{format}`", computed.field.name));
                }
                &computed.field.name
            }
        };
        check_name(name).map_err(|problem| format!("a column is named `{name}`: {problem}"))?;
        if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(format!("two columns are named `{name}`"));
        }
        names.push(name);
    }
    if outline.selects.is_some_and(|group| group as usize >= outline.groups.len()) {
        return Err("the group that chooses rows does not exist".to_owned());
    }
    outline.rejection_codes.iter().try_for_each(|code| {
        check_code(code).map_err(|problem| format!("there is a rejection code `{code}`: {problem}"))
    })
}

/// Checks what a group made of a batch.
pub(super) fn outcome(
    outcome: &contract::Outcome,
    outline: &contract::Outline,
    group: usize,
    rows: usize,
) -> Result<(), String> {
    let fields: Vec<_> = outline
        .outputs
        .iter()
        .filter_map(|output| match output {
            contract::Output::Compute(computed) if computed.group as usize == group => Some(&computed.field),
            _ => None,
        })
        .collect();
    if outcome.computed.len() != fields.len() {
        return Err(format!("group {group} computes {} columns; it declares {}", outcome.computed.len(), fields.len()));
    }
    for (field, column) in fields.into_iter().zip(&outcome.computed) {
        self::column(field, column, rows).map_err(|problem| format!("column `{}` {problem}", field.name))?;
    }
    let selects = outline.selects == Some(group as u32);
    let chooses = !outcome.keep.is_empty() || !outcome.rejections.is_empty();
    if chooses && !selects {
        return Err(format!("group {group} chooses rows; the outline does not declare it"));
    }
    if !outcome.keep.is_empty() && outcome.keep.len() != bytes_for(rows) {
        return Err(format!("the bitmap of kept rows has {} bytes for {rows} rows", outcome.keep.len()));
    }
    for (at, rejection) in outcome.rejections.iter().enumerate() {
        if rejection.row as usize >= rows {
            return Err(format!("row {} is rejected; the batch has {rows}", rejection.row));
        }
        if at > 0 && outcome.rejections[at - 1].row >= rejection.row {
            return Err("rejections are not in ascending order of rows".to_owned());
        }
        if rejection.code as usize >= outline.rejection_codes.len() {
            return Err(format!("a row is rejected with the undeclared code {}", rejection.code));
        }
    }
    Ok(())
}

fn column(field: &contract::Field, column: &contract::Column, rows: usize) -> Result<(), String> {
    let view_error = match DataType::from_format(&field.format) {
        DataType::Boolean => View::<bool>::new(&column.buffers, rows).err(),
        DataType::Int64 => View::<i64>::new(&column.buffers, rows).err(),
        DataType::Float64 => View::<f64>::new(&column.buffers, rows).err(),
        DataType::Date => View::<Date>::new(&column.buffers, rows).err(),
        DataType::Timestamp => View::<Timestamp>::new(&column.buffers, rows).err(),
        DataType::Text => View::<str>::new(&column.buffers, rows).err().or_else(|| bad_text(column)),
        DataType::Other(_) => Some("has an unknown format"),
    };
    if let Some(problem) = view_error {
        return Err(problem.to_owned());
    }
    let validity = &column.buffers[0];
    if !field.nullable && !validity.is_empty() && (0..rows).any(|row| !bit(validity, row)) {
        return Err("has nulls, and is declared to have none".to_owned());
    }
    Ok(())
}

/// What a view leaves to the moment of reading: every offset, against the text.
fn bad_text(column: &contract::Column) -> Option<&'static str> {
    let [_, offsets, text] = column.buffers.as_slice() else { return Some("has the wrong number of buffers") };
    let text = std::str::from_utf8(text).ok()?;
    let offsets: Vec<_> = offsets.as_chunks().0.iter().map(|offset| u32::from_le_bytes(*offset) as usize).collect();
    if !offsets.is_sorted() {
        return Some("has offsets that descend");
    }
    offsets.iter().any(|offset| !text.is_char_boundary(*offset)).then_some("has an offset inside a character")
}
