//! A batch of a group: the columns it reads go in, the columns it computes and the rows that pass come out.
//!
//! [`Compute`] is the form for authors who think in columns; a closure is one. The [row form](crate::rows) is written on
//! top of it.

use std::borrow::Cow;
use std::rc::Rc;

use crate::value::Value;
use crate::{Bitmap, Column, DataType, Failure, Field, View, contract};

/// Computes a group: one call a batch.
///
/// The outcome must depend on the batch alone, never on earlier ones, and a row's part of it on that row alone: batches
/// may run on several instances, be retried, and be split.
pub trait Compute: 'static {
    /// The group's columns for this batch, in the order in which the group declares them, and the rows that pass.
    ///
    /// # Errors
    /// A failure ends the run. A single bad row is no failure: reject it.
    fn compute(&self, batch: &Batch) -> Result<Outcome, Failure>;
}

impl<F> Compute for F
where
    F: Fn(&Batch) -> Result<Outcome, Failure> + 'static,
{
    fn compute(&self, batch: &Batch) -> Result<Outcome, Failure> {
        self(batch)
    }
}

/// The columns that a group reads, for some rows.
#[derive(Debug)]
pub struct Batch {
    rows: usize,
    fields: Rc<[Field]>,
    columns: Vec<contract::Column>,
}

/// What a group makes of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One column for each field the group computes, in order, each with a value for every row of the batch, rows that
    /// do not pass included.
    pub computed: Vec<Column>,
    /// Which rows pass.
    pub selection: Selection,
}

/// Which rows of a batch pass. By default, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    keep: Option<Bitmap>,
    rejections: Vec<Rejection>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rejection {
    row: usize,
    code: Cow<'static, str>,
    message: String,
}

impl Batch {
    /// A batch as the contract gives it: `columns` in the order of `fields`.
    pub(crate) fn new(rows: usize, fields: Rc<[Field]>, columns: Vec<contract::Column>) -> Result<Self, Failure> {
        if columns.len() != fields.len() {
            return Err(Failure::internal(format_args!(
                "the host sent {} columns to a group that reads {}",
                columns.len(),
                fields.len()
            )));
        }
        Ok(Self { rows, fields, columns })
    }

    /// How many rows there are; at least 1.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The values of a column, by the name it has in the input.
    ///
    /// # Errors
    /// Where the group does not read this column, or where it holds something else.
    pub fn view<T: Value + ?Sized>(&self, column: &str) -> Result<View<'_, T>, Failure> {
        let (field, buffers) = self.find(column)?;
        if field.data_type != T::DATA_TYPE {
            return Err(Failure::internal(format_args!(
                "column `{column}` holds {}, not {}",
                field.data_type,
                T::DATA_TYPE
            )));
        }
        View::new(&buffers.buffers, self.rows)
            .map_err(|problem| Failure::internal(format_args!("column `{column}` {problem}")))
    }

    /// A column as it was received.
    ///
    /// # Errors
    /// Where the group does not read this column.
    pub fn copy(&self, column: &str) -> Result<Column, Failure> {
        let (field, buffers) = self.find(column)?;
        Ok(Column::received(field.data_type.clone(), self.rows, buffers))
    }

    /// What the values of a column are.
    pub(crate) fn data_type(&self, column: &str) -> Result<&DataType, Failure> {
        self.find(column).map(|(field, _)| &field.data_type)
    }

    fn find(&self, column: &str) -> Result<(&Field, &contract::Column), Failure> {
        self.fields.iter().zip(&self.columns).find(|(field, _)| field.name == column).ok_or_else(|| {
            let read: Vec<_> = self.fields.iter().map(|field| format!("`{}`", field.name)).collect();
            Failure::internal(format_args!("the group does not read column `{column}`; it reads [{}]", read.join(", ")))
        })
    }
}

impl Outcome {
    /// These columns, and all rows.
    pub fn of(computed: impl IntoIterator<Item = Column>) -> Self {
        Self { computed: computed.into_iter().collect(), selection: Selection::default() }
    }
}

impl From<Selection> for Outcome {
    fn from(selection: Selection) -> Self {
        Self { computed: Vec::new(), selection }
    }
}

impl Selection {
    /// The rows whose bit is set, one bit for each row of the batch.
    pub fn keep(rows: Bitmap) -> Self {
        Self { keep: Some(rows), rejections: Vec::new() }
    }

    pub(crate) fn set_keep(&mut self, rows: Bitmap) {
        self.keep = Some(rows);
    }

    /// Refuses a row, for a reason that the group declares. At most once for each row.
    ///
    /// The message is for the pipeline's owner. It may be withheld, and must not hold a value.
    pub fn reject(&mut self, row: usize, code: impl Into<Cow<'static, str>>, message: impl Into<String>) {
        self.rejections.push(Rejection { row, code: code.into(), message: message.into() });
    }

    /// Whether every row passes.
    pub fn is_all(&self) -> bool {
        self.keep.is_none() && self.rejections.is_empty()
    }

    /// The selection as it crosses the boundary: the bitmap, and the rejections in ascending order of rows.
    ///
    /// # Errors
    /// What breaks the declaration of the group, in words for the plugin's author.
    pub(crate) fn into_contract(
        mut self,
        rows: usize,
        filters: bool,
        codes: &[String],
    ) -> Result<(Vec<u8>, Vec<contract::Rejection>), String> {
        if let Some(keep) = &self.keep {
            if !filters {
                return Err("drops rows without declaring it with `filtering`".to_owned());
            }
            if keep.len() != rows {
                return Err(format!("says of {} rows whether they pass; the batch has {rows}", keep.len()));
            }
        }
        self.rejections.sort_by_key(|rejection| rejection.row);
        if let Some(pair) = self.rejections.windows(2).find(|pair| pair[0].row == pair[1].row) {
            return Err(format!("rejects row {} twice", pair[0].row));
        }
        let rejections = self.rejections.into_iter().map(|rejection| {
            if rejection.row >= rows {
                return Err(format!("rejects row {}; the batch has {rows}", rejection.row));
            }
            let Some(code) = codes.iter().position(|code| *code == rejection.code) else {
                return Err(format!(
                    "rejects a row with the code `{}` without declaring it with `rejecting`",
                    rejection.code
                ));
            };
            Ok(contract::Rejection { row: rejection.row as u32, code: code as u32, message: rejection.message })
        });
        let rejections = rejections.collect::<Result<_, _>>()?;
        Ok((self.keep.map(Bitmap::into_bytes).unwrap_or_default(), rejections))
    }
}
