//! `remap-ids`: replaces object type ids and record ids by a mapping.
//!
//! HubSpot's ids differ from account to account, and some must not leave it. This plugin replaces them wherever they
//! stand: [`columns`] follows the attributes that say what a column's ids point to, so one mapping serves a table's key and
//! every column that refers to it, and tables still join. [`mapping`] reads and checks the mapping, [`remap`] applies it.
//!
//! Each column is a group of its own that reads that column alone, so a key depends on nothing but itself. Where rows with
//! unmapped ids are rejected, one more group reads all the columns it has to judge, computes nothing, and only chooses
//! rows: no column comes to depend on another.
//!
//! What it does not do: make up new ids, or change ids inside free text.

mod columns;
mod mapping;
mod remap;
mod settings;

use std::rc::Rc;

use sluice_guest::prelude::*;

use crate::columns::{Change, Target};
use crate::mapping::Mapping;
use crate::remap::Remap;
use crate::settings::{Settings, Unmapped};

/// The plugin, with a mapping that makes sense.
struct RemapIds {
    mapping: Mapping,
    /// For keys.
    unmapped: Unmapped,
    /// For columns that are not part of a key.
    unmapped_references: Unmapped,
}

/// A column whose ids change.
struct Remapped {
    column: String,
    is_key: bool,
    remap: Rc<Remap>,
}

impl Plugin for RemapIds {
    type Settings = Settings;

    fn open(settings: Settings, attachments: Attachments) -> Result<Self, Failure> {
        Ok(Self {
            unmapped: settings.unmapped,
            unmapped_references: settings.unmapped_references.unwrap_or(settings.unmapped),
            mapping: Mapping::new(settings, &attachments)?,
        })
    }

    fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
        let mut outline = Outline::keep_all(input);
        if let Some(table) = self.mapping.table_for(input) {
            outline.rename_table(table)?;
        }
        let mut remapped = Vec::new();
        for target in columns::targets(input, &self.mapping) {
            if let Some(column) = self.change(&mut outline, target)? {
                remapped.push(column);
            }
        }
        reject_unmapped(&mut outline, remapped)?;
        Ok(outline)
    }
}

impl RemapIds {
    /// Adds the group that computes a column; answers with the column where its values change.
    fn change(&self, outline: &mut Outline, target: Target<'_>) -> Result<Option<Remapped>, Failure> {
        let Target { field: input, references, change } = target;
        let column = input.name.clone();
        let mut field = outline.in_place(&column)?;
        if let Some(references) = references {
            field.attributes.set(attribute::REFERENCES, references);
        }
        let Change::Ids(ids) = change else {
            outline.compute([column.clone()], field, move |batch| batch.copy(&column))?;
            return Ok(None);
        };
        let unmapped = if input.is_key() { self.unmapped } else { self.unmapped_references };
        if unmapped == Unmapped::Null {
            if input.is_key() {
                return Err(Failure::settings(format_args!(
                    "column `{column}` of `{}` is part of the table's key and cannot be null: set `unmapped` to `reject` or \
                     `keep`, and `unmapped_references` to `null` for the columns that are no keys",
                    outline.input().name
                )));
            }
            field.nullable = true;
        }
        let remap = Rc::new(Remap::new(ids, input, unmapped, &outline.input().name)?);
        let compute = {
            let (remap, column) = (Rc::clone(&remap), column.clone());
            move |batch: &Batch| remap.compute(batch, &column)
        };
        outline.compute([column.clone()], field, compute)?;
        Ok(Some(Remapped { column, is_key: input.is_key(), remap }))
    }
}

/// Adds the group that rejects rows with unmapped ids, where there is anything to reject.
fn reject_unmapped(outline: &mut Outline, mut columns: Vec<Remapped>) -> Result<(), Failure> {
    columns.retain(|column| column.remap.rejects());
    if columns.is_empty() {
        return Ok(());
    }
    // What is wrong with the key says more than what is wrong with the rest.
    columns.sort_by_key(|column| !column.is_key);
    let mut group = Group::reading(columns.iter().map(|column| &column.column));
    for code in [remap::UNMAPPED_TYPE, remap::UNMAPPED_ID] {
        if columns.iter().any(|column| column.remap.code() == code) {
            group = group.rejecting(code);
        }
    }
    outline.group(group, move |batch: &Batch| {
        let mut reasons: Vec<Option<&Remapped>> = vec![None; batch.rows()];
        for column in &columns {
            for row in column.remap.unmapped_rows(batch, &column.column)? {
                reasons[row].get_or_insert(column);
            }
        }
        let mut selection = Selection::default();
        for (row, reason) in reasons.into_iter().enumerate() {
            if let Some(Remapped { column, remap, .. }) = reason {
                selection.reject(row, remap.code(), format!("column `{column}` holds an id that the mapping lacks"));
            }
        }
        Ok(selection.into())
    })?;
    Ok(())
}

export!(RemapIds);

#[cfg(test)]
mod tests;
