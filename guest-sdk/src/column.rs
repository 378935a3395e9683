//! Columns: a [`View`] reads one, a [`Builder`] makes one, a [`Column`] is one that is finished.
//!
//! All three keep the contract's layout from end to end, so a batch costs a handful of allocations, however many rows it
//! has: a view reads the received bytes where they lie, a text column is built in one piece, and where nulls stay where
//! they were, the validity is copied as a block.

use std::fmt;

use crate::bitmap::{Bitmap, bit, bytes_for};
use crate::value::{TextBuffer, Value, sealed::Layout};
use crate::{DataType, contract};

/// The values of one column of a batch, read in place. Cheap to copy.
///
/// `T` is `str`, `bool`, `i64`, `f64`, [`Date`](crate::Date) or [`Timestamp`](crate::Timestamp).
pub struct View<'batch, T: Value + ?Sized> {
    rows: usize,
    /// Empty where no value is absent.
    validity: &'batch [u8],
    values: T::Values<'batch>,
}

/// Makes a column, value by value.
///
/// ```
/// # use sluice_guest::Builder;
/// let mut builder = Builder::<str>::with_capacity(3);
/// builder.push("a");
/// builder.push_null();
/// builder.push_option(Some("c"));
/// assert_eq!(builder.finish().len(), 3);
/// ```
pub struct Builder<T: Value + ?Sized> {
    validity: Bitmap,
    values: T::Buffer,
}

/// A finished column: what a group answers with.
#[derive(Clone, PartialEq, Eq)]
pub struct Column {
    data_type: DataType,
    rows: usize,
    null_count: usize,
    /// As in the contract: validity, offsets where the type has them, data.
    buffers: Vec<Vec<u8>>,
}

impl<'batch, T: Value + ?Sized> View<'batch, T> {
    /// A view of a column's buffers; the error says what is wrong with them.
    pub(crate) fn new(buffers: &'batch [Vec<u8>], rows: usize) -> Result<Self, &'static str> {
        let (validity, values) = buffers.split_first().ok_or("has no buffers")?;
        if !validity.is_empty() && validity.len() != bytes_for(rows) {
            return Err("has a validity of the wrong length");
        }
        Ok(Self { rows, validity, values: T::values(values, rows)? })
    }

    /// How many rows the batch has.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether the batch has no rows. The host never sends such a batch.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The value of a row, `None` for a null.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T::Ref<'batch>> {
        self.is_valid(row).then(|| T::get(self.values, row))
    }

    /// The values of all rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<T::Ref<'batch>>> + use<'batch, T> {
        let view = *self;
        (0..self.rows).map(move |row| view.get(row))
    }

    /// How many rows have no value.
    pub fn null_count(&self) -> usize {
        if self.validity.is_empty() { 0 } else { self.rows - self.present().count_ones() }
    }

    #[inline]
    fn is_valid(&self, row: usize) -> bool {
        self.validity.is_empty() || bit(self.validity, row)
    }

    fn present(&self) -> Bitmap {
        if self.validity.is_empty() {
            Bitmap::filled(self.rows, true)
        } else {
            Bitmap::from_bytes(self.validity, self.rows)
        }
    }

    /// A column of another type with nulls where this one has them; `push` is called for each value present.
    fn map_present<U: Value + ?Sized>(
        &self,
        mut values: U::Buffer,
        mut push: impl FnMut(T::Ref<'batch>, &mut U::Buffer),
    ) -> Column {
        if self.validity.is_empty() {
            for row in 0..self.rows {
                push(T::get(self.values, row), &mut values);
            }
        } else {
            for row in 0..self.rows {
                if bit(self.validity, row) {
                    push(T::get(self.values, row), &mut values);
                } else {
                    U::push_placeholder(&mut values);
                }
            }
        }
        Column::new(U::DATA_TYPE, self.present(), U::finish(values))
    }

    /// As `map_present`, with a null more for each row where `push` answers `false` and pushes nothing.
    fn map_optional<U: Value + ?Sized>(
        &self,
        mut values: U::Buffer,
        mut push: impl FnMut(T::Ref<'batch>, &mut U::Buffer) -> bool,
    ) -> Column {
        let mut present = self.present();
        for row in 0..self.rows {
            if !(present.get(row) && push(T::get(self.values, row), &mut values)) {
                present.set(row, false);
                U::push_placeholder(&mut values);
            }
        }
        Column::new(U::DATA_TYPE, present, U::finish(values))
    }
}

impl<'batch> View<'batch, str> {
    /// A text column with nulls where this one has them. The closure appends each new value to the text of all, and
    /// nothing is allocated for a value: the fastest way to change text.
    ///
    /// The closure must only append. Text it removes is missing from the values before.
    pub fn map_into(&self, mut write: impl FnMut(&'batch str, &mut String)) -> Column {
        self.map_present::<str>(self.buffer_of_the_same_size(), |value, buffer| {
            write(value, &mut buffer.text);
            buffer.end_value();
        })
    }

    /// A text column of the values the closure makes of those present; its `None` is a null.
    pub fn map(&self, mut change: impl FnMut(&'batch str) -> Option<String>) -> Column {
        self.map_optional::<str>(self.buffer_of_the_same_size(), |value, buffer| {
            let changed = change(value);
            if let Some(changed) = &changed {
                <str as Layout>::push(buffer, changed);
            }
            changed.is_some()
        })
    }

    /// The column with each byte of its text changed by itself, where all text is ASCII and stays so; `None` elsewhere.
    ///
    /// Works on all values at once, many bytes at a time, and copies the rest: where most columns are ASCII, trying this
    /// first is several times faster than [`View::map_into`].
    ///
    /// ```
    /// # use sluice_guest::{Column, View};
    /// fn lower_case(text: View<'_, str>) -> Column {
    ///     text.map_ascii(|byte| byte.to_ascii_lowercase()).unwrap_or_else(|| text.map(|value| Some(value.to_lowercase())))
    /// }
    /// # let column: Column = [Some("Ada"), None].into_iter().collect();
    /// # assert_eq!(lower_case(column.view().unwrap()), [Some("ada"), None].into_iter().collect());
    /// ```
    pub fn map_ascii(&self, change: impl Fn(u8) -> u8) -> Option<Column> {
        // Without a way out in the middle, this runs many bytes at a time.
        let is_ascii = |bytes: &[u8]| bytes.iter().fold(0, |all, byte| all | byte) <= 0x7f;
        let text = self.values.as_bytes();
        if !is_ascii(text) {
            return None;
        }
        let changed: Vec<u8> = text.iter().map(|byte| change(*byte)).collect();
        is_ascii(&changed).then(|| Column::new(DataType::Text, self.present(), self.values.with_text(changed)))
    }

    fn buffer_of_the_same_size(&self) -> TextBuffer {
        TextBuffer::with_capacity(self.rows, self.values.as_bytes().len())
    }
}

impl<T> View<'_, T>
where
    T: Value + for<'any> Layout<Ref<'any> = T> + Copy,
{
    /// A column of the values the closure makes of those present; its `None` is a null.
    pub fn map(&self, mut change: impl FnMut(T) -> Option<T>) -> Column {
        self.map_optional::<T>(T::buffer(self.rows), |value, buffer| {
            let changed = change(value);
            if let Some(changed) = changed {
                T::push(buffer, changed);
            }
            changed.is_some()
        })
    }
}

impl<T: Value + ?Sized> Builder<T> {
    /// A builder with room for so many rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self { validity: Bitmap::with_capacity(rows), values: T::buffer(rows) }
    }

    /// Adds a value.
    #[inline]
    pub fn push(&mut self, value: T::Ref<'_>) {
        self.validity.push(true);
        T::push(&mut self.values, value);
    }

    /// Adds a null.
    #[inline]
    pub fn push_null(&mut self) {
        self.validity.push(false);
        T::push_placeholder(&mut self.values);
    }

    /// Adds a value or a null.
    #[inline]
    pub fn push_option(&mut self, value: Option<T::Ref<'_>>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_null(),
        }
    }

    /// How many rows there are by now.
    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.validity.is_empty()
    }

    /// Adds a row that is present, whatever its value: for rows that do not pass, in a column without nulls.
    pub(crate) fn push_placeholder(&mut self) {
        self.validity.push(true);
        T::push_placeholder(&mut self.values);
    }

    /// Forgets all rows but the first so many.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            self.validity.truncate(rows);
            T::truncate(&mut self.values, rows);
        }
    }

    /// The column.
    ///
    /// # Panics
    /// Where it holds more than 2 GiB of text, which the contract cannot carry.
    pub fn finish(self) -> Column {
        Column::new(T::DATA_TYPE, self.validity, T::finish(self.values))
    }
}

impl Builder<str> {
    /// A builder with room for so many rows and bytes of text in all.
    pub fn with_text_capacity(rows: usize, bytes: usize) -> Self {
        Self { validity: Bitmap::with_capacity(rows), values: TextBuffer::with_capacity(rows, bytes) }
    }

    /// Adds the value that the closure appends to the text of all values; see [`View::map_into`].
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        self.validity.push(true);
        write(&mut self.values.text);
        self.values.end_value();
    }
}

impl Column {
    /// `values`: the buffers after the validity.
    fn new(data_type: DataType, present: Bitmap, mut values: Vec<Vec<u8>>) -> Self {
        let rows = present.len();
        let null_count = rows - present.count_ones();
        values.insert(0, if null_count == 0 { Vec::new() } else { present.into_bytes() });
        Self { data_type, rows, null_count, buffers: values }
    }

    /// A column without any value. `None` for a type that the SDK does not know.
    pub fn nulls(data_type: &DataType, rows: usize) -> Option<Self> {
        fn of<T: Value + ?Sized>(rows: usize) -> Column {
            let mut values = T::buffer(rows);
            (0..rows).for_each(|_| T::push_placeholder(&mut values));
            Column::new(T::DATA_TYPE, Bitmap::filled(rows, false), T::finish(values))
        }
        match data_type {
            DataType::Boolean => Some(of::<bool>(rows)),
            DataType::Int64 => Some(of::<i64>(rows)),
            DataType::Float64 => Some(of::<f64>(rows)),
            DataType::Text => Some(of::<str>(rows)),
            DataType::Date => Some(of::<crate::Date>(rows)),
            DataType::Timestamp => Some(of::<crate::Timestamp>(rows)),
            DataType::Other(_) => None,
        }
    }

    /// A column of the batch as it was received.
    pub(crate) fn received(data_type: DataType, rows: usize, column: &contract::Column) -> Self {
        let null_count = match column.buffers.first() {
            Some(validity) if !validity.is_empty() => rows - Bitmap::from_bytes(validity, rows).count_ones(),
            _ => 0,
        };
        Self { data_type, rows, null_count, buffers: column.buffers.clone() }
    }

    /// What the values are.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many rows have no value.
    pub fn null_count(&self) -> usize {
        self.null_count
    }

    /// The values, where they are of this type.
    pub fn view<T: Value + ?Sized>(&self) -> Option<View<'_, T>> {
        if self.data_type == T::DATA_TYPE { View::new(&self.buffers, self.rows).ok() } else { None }
    }
}

impl<T> FromIterator<Option<T>> for Column
where
    T: Value + for<'any> Layout<Ref<'any> = T> + Copy,
{
    fn from_iter<Values: IntoIterator<Item = Option<T>>>(values: Values) -> Self {
        let values = values.into_iter();
        let mut builder = Builder::<T>::with_capacity(values.size_hint().0);
        values.for_each(|value| builder.push_option(value));
        builder.finish()
    }
}

impl<'text> FromIterator<Option<&'text str>> for Column {
    fn from_iter<Values: IntoIterator<Item = Option<&'text str>>>(values: Values) -> Self {
        let values = values.into_iter();
        let mut builder = Builder::<str>::with_capacity(values.size_hint().0);
        values.for_each(|value| builder.push_option(value));
        builder.finish()
    }
}

impl From<Column> for contract::Column {
    fn from(column: Column) -> Self {
        Self { buffers: column.buffers }
    }
}

// By hand, since a derived `Clone` would ask it of `T`.
impl<T: Value + ?Sized> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Value + ?Sized> Copy for View<'_, T> {}

/// The shape only: values may be sensitive.
impl<T: Value + ?Sized> fmt::Debug for View<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "View({} rows of {})", self.rows, T::DATA_TYPE)
    }
}

/// The shape only: values may be sensitive.
impl<T: Value + ?Sized> fmt::Debug for Builder<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Builder({} rows of {})", self.len(), T::DATA_TYPE)
    }
}

/// The shape only: values may be sensitive.
impl fmt::Debug for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Column({} rows of {}, {} nulls)", self.rows, self.data_type, self.null_count)
    }
}

#[cfg(test)]
mod tests;
