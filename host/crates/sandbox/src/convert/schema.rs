//! Schemas as the contract's records.

use sluice_model::schema::{Attributes, Field, Mark, Schema};

use crate::contract::{self, FieldParam};

/// The lists of a schema's parts, which the contract's borrowing records point into.
#[derive(Debug)]
pub(crate) struct SchemaLists<'a> {
    fields: Vec<FieldLists<'a>>,
    attributes: Vec<(&'a str, &'a str)>,
}

#[derive(Debug)]
struct FieldLists<'a> {
    field: &'a Field,
    marks: Vec<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> SchemaLists<'a> {
    pub(crate) fn of(schema: &'a Schema) -> Self {
        let fields = schema.fields.iter().map(|field| FieldLists {
            field,
            marks: field.marks.iter().map(Mark::as_str).collect(),
            attributes: pairs(&field.attributes),
        });
        Self { fields: fields.collect(), attributes: pairs(&schema.attributes) }
    }

    pub(crate) fn fields(&self) -> Vec<FieldParam<'_>> {
        let records = self.fields.iter().map(|lists| FieldParam {
            name: &lists.field.name,
            format: lists.field.column_type.format(),
            nullable: lists.field.nullable,
            marks: &lists.marks,
            attributes: &lists.attributes,
        });
        records.collect()
    }

    pub(crate) fn record<'b>(&'b self, name: &'b str, fields: &'b [FieldParam<'b>]) -> contract::Schema<'b> {
        contract::Schema { name, fields, attributes: &self.attributes }
    }

    /// The bytes of all its texts, for the budget of the call.
    pub(crate) fn bytes(&self) -> usize {
        let fields = self.fields.iter().map(|lists| {
            let marks: usize = lists.marks.iter().map(|mark| mark.len()).sum();
            lists.field.name.len() + marks + bytes_of(&lists.attributes)
        });
        fields.sum::<usize>() + bytes_of(&self.attributes)
    }
}

fn pairs(attributes: &Attributes) -> Vec<(&str, &str)> {
    attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn bytes_of(attributes: &[(&str, &str)]) -> usize {
    attributes.iter().map(|(name, value)| name.len() + value.len()).sum()
}
