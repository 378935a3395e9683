//! The row form, for authors who think in records.
//!
//! [`Rows`] declares which columns are read and written and gives a typed handle for each; a closure is then called for
//! every row with a [`Row`] and answers with a [`Verdict`]. All of it is one group: every column it writes depends on
//! every column it reads, and where it may drop or reject rows it is the outline's one group that chooses rows. Columns
//! that have nothing to do with one another are better changed one by one, with [`Outline::map_text`] and its sisters.
//!
//! ```
//! # use sluice_guest::{DataType, Failure, Field, Outline, Rows, Schema, Verdict};
//! # fn outline(input: &Schema) -> Result<Outline, Failure> {
//! let mut outline = Outline::keep_all(input);
//! let mut rows = Rows::of(input);
//! let email = rows.read::<str>("email")?;
//! let domain = rows.write::<str>(Field::new("domain", DataType::Text))?;
//! rows.may_reject("no-email");
//! outline.rows(rows, move |row| {
//!     let Some(address) = row.get(email) else {
//!         return Verdict::reject("no-email", "a contact needs an e-mail address");
//!     };
//!     row.set(domain, address.rsplit('@').next().unwrap_or_default());
//!     Verdict::Keep
//! })?;
//! # Ok(outline) }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::batch::{Batch, Outcome, Selection};
use crate::outline::{Group, Outline};
use crate::value::Value;
use crate::{Bitmap, Builder, Failure, Field, Schema};

use any::{AnyBuilder, AnyView, RowValue};

mod any;

/// Which columns a row closure reads and writes, and what it may decide.
#[derive(Clone, Debug)]
pub struct Rows {
    input: Schema,
    group: Group,
    /// For each written column, where among `group.reads` its old value stands.
    replaces: Vec<Option<usize>>,
}

/// A column that the closure reads.
pub struct Read<T: ?Sized> {
    index: usize,
    value: PhantomData<T>,
}

/// A column that the closure writes.
pub struct Write<T: ?Sized> {
    index: usize,
    value: PhantomData<T>,
}

/// One row of a batch.
#[derive(Debug)]
pub struct Row<'batch, 'call> {
    index: usize,
    views: &'call [AnyView<'batch>],
    builders: &'call mut [AnyBuilder],
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The row passes, with what was set.
    Keep,
    /// The row does not pass, by intent. Needs [`Rows::may_drop`].
    Drop,
    /// The row must not pass. Needs [`Rows::may_reject`] with this code.
    Reject {
        /// One of the declared codes.
        code: Cow<'static, str>,
        /// For the pipeline's owner. It may be withheld, and must not hold a value.
        message: String,
    },
}

impl Verdict {
    /// [`Verdict::Reject`], in short.
    pub fn reject(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Reject { code: code.into(), message: message.into() }
    }
}

impl Rows {
    /// Nothing declared yet, for this input.
    pub fn of(input: &Schema) -> Self {
        Self { input: input.clone(), group: Group::default(), replaces: Vec::new() }
    }

    /// Declares that the closure reads a column.
    ///
    /// # Errors
    /// Where the input has no such column, or it does not hold values of type `T`.
    pub fn read<T: Value + ?Sized>(&mut self, column: &str) -> Result<Read<T>, Failure> {
        self.input.require_of::<T>(column)?;
        Ok(Read { index: self.read_index(column), value: PhantomData })
    }

    /// Declares that the closure changes a column in place. Rows for which it sets nothing keep the value they have.
    ///
    /// # Errors
    /// Where the input has no such column, or it does not hold values of type `T`.
    pub fn change<T: Value + ?Sized>(&mut self, column: &str) -> Result<Write<T>, Failure> {
        let field = Field { marks: Vec::new(), ..self.input.require_of::<T>(column)?.clone() };
        let replaces = self.read_index(column);
        Ok(self.add(field, Some(replaces)))
    }

    /// Declares a column that the closure writes. Rows for which it sets nothing get a null.
    ///
    /// # Errors
    /// Where the field's type is not that of `T`.
    pub fn write<T: Value + ?Sized>(&mut self, field: Field) -> Result<Write<T>, Failure> {
        if field.data_type != T::DATA_TYPE {
            return Err(Failure::internal(format_args!(
                "column `{}` is declared to hold {}, but written with {}",
                field.name,
                field.data_type,
                T::DATA_TYPE
            )));
        }
        Ok(self.add(field, None))
    }

    /// Declares that the closure may answer [`Verdict::Drop`].
    pub fn may_drop(&mut self) {
        self.group.filters = true;
    }

    /// Declares that the closure may answer [`Verdict::Reject`] with this code, `[a-z0-9-]+`.
    pub fn may_reject(&mut self, code: impl Into<String>) {
        self.group.codes.push(code.into());
    }

    fn add<T: Value + ?Sized>(&mut self, field: Field, replaces: Option<usize>) -> Write<T> {
        self.group.computes.push(field);
        self.replaces.push(replaces);
        Write { index: self.replaces.len() - 1, value: PhantomData }
    }

    fn read_index(&mut self, column: &str) -> usize {
        self.group.reads.iter().position(|name| name == column).unwrap_or_else(|| {
            self.group.reads.push(column.to_owned());
            self.group.reads.len() - 1
        })
    }
}

impl<'batch> Row<'batch, '_> {
    /// The value of a column in this row as it came in, `None` for a null. Not affected by what was set.
    ///
    /// # Panics
    /// Where the handle belongs to other [`Rows`].
    #[inline]
    pub fn get<T: RowValue + ?Sized>(&self, column: Read<T>) -> Option<T::Ref<'batch>> {
        T::view_in(&self.views[column.index]).expect("a handle belongs to the rows it was made for").get(self.index)
    }

    /// Sets the value of a column in this row. Set twice, the later one stands.
    ///
    /// # Panics
    /// Where the handle belongs to other [`Rows`].
    #[inline]
    pub fn set<T: RowValue + ?Sized>(&mut self, column: Write<T>, value: T::Ref<'_>) {
        self.builder(column).push(value);
    }

    /// Sets a column to null in this row.
    ///
    /// # Panics
    /// Where the handle belongs to other [`Rows`].
    #[inline]
    pub fn set_null<T: RowValue + ?Sized>(&mut self, column: Write<T>) {
        self.builder(column).push_null();
    }

    /// The builder of a column, holding the rows before this one.
    fn builder<T: RowValue + ?Sized>(&mut self, column: Write<T>) -> &mut Builder<T> {
        let builder = T::builder_in(&mut self.builders[column.index]);
        let builder = builder.expect("a handle belongs to the rows it was made for");
        builder.truncate(self.index);
        builder
    }
}

impl Outline {
    /// Adds the group of a row closure.
    ///
    /// # Errors
    /// As [`Outline::group`].
    pub fn rows(
        &mut self,
        rows: Rows,
        judge: impl Fn(&mut Row<'_, '_>) -> Verdict + 'static,
    ) -> Result<&mut Self, Failure> {
        let Rows { group, replaces, .. } = rows;
        let declaration = group.clone();
        self.group(group, move |batch: &Batch| compute(batch, &declaration, &replaces, &judge))
    }
}

fn compute(
    batch: &Batch,
    group: &Group,
    replaces: &[Option<usize>],
    judge: &impl Fn(&mut Row<'_, '_>) -> Verdict,
) -> Result<Outcome, Failure> {
    let views = (group.reads.iter()).map(|column| AnyView::of(batch, column)).collect::<Result<Vec<_>, _>>()?;
    let mut builders = (group.computes.iter())
        .map(|field| AnyBuilder::of(&field.data_type, batch.rows()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut selection = Selection::default();
    let mut keep = Bitmap::with_capacity(batch.rows());
    for row in 0..batch.rows() {
        let verdict = judge(&mut Row { index: row, views: &views, builders: &mut builders });
        let passes = verdict == Verdict::Keep;
        for ((builder, field), replaces) in builders.iter_mut().zip(&group.computes).zip(replaces) {
            builder.complete(row, replaces.map(|index| &views[index]), field.nullable || passes);
        }
        keep.push(verdict != Verdict::Drop);
        if let Verdict::Reject { code, message } = verdict {
            selection.reject(row, code, message);
        }
    }
    if group.filters || keep.count_ones() < keep.len() {
        selection.set_keep(keep);
    }
    Ok(Outcome { computed: builders.into_iter().map(AnyBuilder::finish).collect(), selection })
}

// By hand, since a derived `Clone` would ask it of `T`.
impl<T: ?Sized> Clone for Read<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Read<T> {}

impl<T: ?Sized> fmt::Debug for Read<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Read({})", self.index)
    }
}

impl<T: ?Sized> Clone for Write<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Write<T> {}

impl<T: ?Sized> fmt::Debug for Write<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Write({})", self.index)
    }
}

#[cfg(test)]
mod tests;
