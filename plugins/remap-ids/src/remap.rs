//! Applying the mapping to the values of one column.

use std::collections::HashMap;
use std::rc::Rc;

use sluice_guest::{Batch, Builder, Column, DataType, Failure, Field, View, attribute};

use crate::mapping::{Ids, Kind};
use crate::settings::Unmapped;

/// Rejection code: a record id that the mapping lacks.
pub(crate) const UNMAPPED_ID: &str = "unmapped-id";
/// Rejection code: an object type id that the mapping lacks.
pub(crate) const UNMAPPED_TYPE: &str = "unmapped-type";

/// The largest whole number up to which every one has a 64-bit float of its own.
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_991.0;

/// What becomes of the ids of one column.
#[derive(Debug)]
pub(crate) struct Remap {
    ids: Rc<Ids>,
    unmapped: Unmapped,
    form: Form,
}

/// How a column holds ids.
#[derive(Debug)]
enum Form {
    Text,
    /// Several in one text, with this between them.
    List(String),
    Int64(HashMap<i64, i64>),
    Float64(HashMap<i64, i64>),
}

impl Remap {
    /// Fails where the column cannot hold the new ids.
    pub(crate) fn new(ids: &Rc<Ids>, field: &Field, unmapped: Unmapped, table: &str) -> Result<Self, Failure> {
        let refuse = |problem: std::fmt::Arguments<'_>| {
            Failure::schema(format_args!("column `{}` of `{table}` {problem}", field.name))
        };
        let separator = field.attributes.get(attribute::SEPARATOR).filter(|separator| !separator.is_empty());
        let form = match (&field.data_type, separator) {
            (DataType::Text, None) => Form::Text,
            (DataType::Text, Some(separator)) => {
                if ids.iter().any(|(_, new)| new.contains(separator)) {
                    return Err(refuse(format_args!("separates its ids by `{separator}`, which stands in a new id")));
                }
                Form::List(separator.to_owned())
            }
            (DataType::Int64 | DataType::Float64, _) => {
                let numbers =
                    numbers(ids).ok_or_else(|| refuse(format_args!("holds numbers, and a new id is none")))?;
                if field.data_type == DataType::Int64 { Form::Int64(numbers) } else { Form::Float64(numbers) }
            }
            (other, _) => return Err(refuse(format_args!("holds {other}, which are no ids"))),
        };
        Ok(Self { ids: Rc::clone(ids), unmapped, form })
    }

    /// Whether rows with an id that the mapping lacks are to be rejected.
    pub(crate) fn rejects(&self) -> bool {
        self.unmapped == Unmapped::Reject
    }

    /// The code of such a rejection.
    pub(crate) fn code(&self) -> &'static str {
        match self.ids.kind {
            Kind::Types => UNMAPPED_TYPE,
            Kind::Records => UNMAPPED_ID,
        }
    }

    /// The column with new ids. One that leads to a rejection stays as it is.
    pub(crate) fn compute(&self, batch: &Batch, column: &str) -> Result<Column, Failure> {
        Ok(match &self.form {
            Form::Text => batch.view::<str>(column)?.iter().map(|id| self.replace(id?)).collect(),
            Form::List(separator) => self.compute_lists(&batch.view::<str>(column)?, separator),
            Form::Int64(numbers) => {
                batch.view::<i64>(column)?.map(|id| numbers.get(&id).copied().or_else(|| self.keeps().then_some(id)))
            }
            Form::Float64(numbers) => batch.view::<f64>(column)?.map(|id| {
                let new = whole(id).and_then(|id| numbers.get(&id)).map(|new| *new as f64);
                new.or_else(|| self.keeps().then_some(id))
            }),
        })
    }

    /// The rows that hold an id which the mapping lacks, in order.
    pub(crate) fn unmapped_rows(&self, batch: &Batch, column: &str) -> Result<Vec<usize>, Failure> {
        Ok(match &self.form {
            Form::Text => rows_where(&batch.view::<str>(column)?, |id| self.ids.lacks(id)),
            Form::List(separator) => rows_where(&batch.view::<str>(column)?, |list| {
                list.split(separator.as_str()).any(|id| self.ids.lacks(id))
            }),
            Form::Int64(numbers) => rows_where(&batch.view::<i64>(column)?, |id| !numbers.contains_key(&id)),
            Form::Float64(numbers) => {
                rows_where(&batch.view::<f64>(column)?, |id| whole(id).is_none_or(|id| !numbers.contains_key(&id)))
            }
        })
    }

    fn compute_lists(&self, view: &View<'_, str>, separator: &str) -> Column {
        let mut builder = Builder::<str>::with_capacity(view.len());
        for list in view.iter() {
            let replaced: Option<Vec<&str>> =
                list.map(|list| list.split(separator).filter_map(|id| self.replace(id)).collect());
            match replaced {
                Some(ids) if !ids.is_empty() => builder.push(&ids.join(separator)),
                _ => builder.push_null(),
            }
        }
        builder.finish()
    }

    /// What stands in place of an id.
    fn replace<'id>(&'id self, id: &'id str) -> Option<&'id str> {
        self.ids.replacement(id).or_else(|| (self.keeps() || !self.ids.lacks(id)).then_some(id))
    }

    /// Whether an id that the mapping lacks stays.
    fn keeps(&self) -> bool {
        self.unmapped != Unmapped::Null
    }
}

/// The mapping over numbers; `None` where a new id is none. An old id that is none cannot stand in such a column.
fn numbers(ids: &Ids) -> Option<HashMap<i64, i64>> {
    let numbers = ids.iter().filter_map(|(old, new)| Some((old.parse().ok()?, new.parse().ok())));
    numbers.map(|(old, new)| Some((old, new?))).collect()
}

/// A float as the whole number it stands for.
fn whole(number: f64) -> Option<i64> {
    (number.abs() <= MAX_EXACT_FLOAT && number.fract() == 0.0).then_some(number as i64)
}

fn rows_where<T: sluice_guest::Value + ?Sized>(view: &View<'_, T>, lacks: impl Fn(T::Ref<'_>) -> bool) -> Vec<usize> {
    let rows = view.iter().enumerate().filter_map(|(row, id)| Some((row, id?)));
    rows.filter_map(|(row, id)| lacks(id).then_some(row)).collect()
}
