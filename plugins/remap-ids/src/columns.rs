//! Which columns of a stream hold ids that the mapping speaks of.
//!
//! Told by attributes alone, never by names: `object-type` marks a column of object type ids, `references` says whose ids
//! a column holds.

use std::rc::Rc;

use sluice_guest::{Field, Schema, attribute};

use crate::mapping::{Ids, Mapping};

/// A column to be changed.
pub(crate) struct Target<'schema> {
    pub(crate) field: &'schema Field,
    /// What its ids point to from now on, where that changes.
    pub(crate) references: Option<&'schema str>,
    pub(crate) change: Change<'schema>,
}

/// What changes in a column.
pub(crate) enum Change<'schema> {
    /// Its values.
    Ids(&'schema Rc<Ids>),
    /// Nothing but what its ids are said to point to: they are copied.
    References,
}

/// The columns to be changed, in the schema's order.
pub(crate) fn targets<'schema>(input: &'schema Schema, mapping: &'schema Mapping) -> Vec<Target<'schema>> {
    input.fields.iter().filter_map(|field| target(field, input, mapping)).collect()
}

fn target<'schema>(field: &'schema Field, input: &Schema, mapping: &'schema Mapping) -> Option<Target<'schema>> {
    if field.attributes.get(attribute::OBJECT_TYPE) == Some("true") {
        let ids = mapping.types()?;
        return types_may_change(field, input, ids).then_some(Target {
            field,
            references: None,
            change: Change::Ids(ids),
        });
    }
    let references = field.references()?;
    let new_type = mapping.new_type(references);
    let change = match mapping.records(references) {
        Some(ids) => Change::Ids(ids),
        None => new_type.map(|_| Change::References)?,
    };
    Some(Target { field, references: new_type, change })
}

/// Whether a column of object type ids can hold one that the mapping speaks of. In the key of a table of one type it can
/// hold that type only.
fn types_may_change(field: &Field, input: &Schema, ids: &Ids) -> bool {
    match input.attributes.get(attribute::OBJECT_TYPE_ID) {
        Some(own) if field.is_key() => ids.replacement(own).is_some() || ids.lacks(own),
        _ => true,
    }
}
