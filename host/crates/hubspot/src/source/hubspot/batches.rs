//! Rows that are not records, on their way into batches: of links between records, of members of lists, of versions, of events.
//!
//! What stands in a column follows from the column's role, which is found once, by its field. Where an answer makes many rows
//! it makes batches of its own ([`Batches`]), so that one which turns out to be broken leaves nothing behind. Where answers
//! make few, or rows of many strands, whoever decodes them judges an answer first, and then its rows go where those of earlier
//! ones are ([`Strands`]).

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use sluice_model::schema::{Field, arrow_schema};

use super::{
    columns::ColumnBuilder,
    cut::{BATCH_BYTES, BATCH_ROWS},
};
use crate::http::Undecodable;

/// The columns that are wanted of a stream, each with its role.
#[derive(Debug)]
pub(super) struct Layout<R> {
    schema: SchemaRef,
    columns: Vec<(Field, R)>,
}

impl<R> Layout<R> {
    /// `role`: what a column is.
    pub(super) fn of(fields: &[Field], role: impl Fn(&Field) -> R) -> Self {
        let columns = fields.iter().map(|field| (field.clone(), role(field)));
        Self { schema: arrow_schema(fields), columns: columns.collect() }
    }
}

/// Rows of one layout.
#[derive(Debug)]
pub(super) struct Batches<'l, R> {
    layout: &'l Layout<R>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    /// Rows that are in no batch yet.
    pending: usize,
    full: Vec<RecordBatch>,
}

impl<'l, R> Batches<'l, R> {
    pub(super) fn new(layout: &'l Layout<R>) -> Self {
        let columns = layout.columns.iter().map(|(field, _)| ColumnBuilder::new(field.column_type));
        Self { columns: columns.collect(), layout, rows: 0, pending: 0, full: Vec::new() }
    }

    /// Takes a row: `fill` appends one value to each column.
    ///
    /// # Errors
    /// A batch cannot be built, which is a mistake of sluice: what is said of it says nothing of a row.
    pub(super) fn push(&mut self, fill: impl Fn(&R, &mut ColumnBuilder)) -> Result<(), Undecodable> {
        for ((_, role), column) in self.layout.columns.iter().zip(&mut self.columns) {
            fill(role, column);
        }
        self.rows += 1;
        self.pending += 1;
        if self.pending == BATCH_ROWS || self.pending_bytes() >= BATCH_BYTES {
            self.end_batch().map_err(|_| unbuildable())?;
        }
        Ok(())
    }

    /// How many rows it has had.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All rows.
    ///
    /// # Errors
    /// As those of [`push`](Self::push).
    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>, Undecodable> {
        self.take().map_err(|_| unbuildable())
    }

    /// All rows so far; it begins anew.
    fn take(&mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.pending > 0 {
            self.end_batch()?;
        }
        Ok(std::mem::take(&mut self.full))
    }

    /// Bytes of the rows that are in no batch yet.
    fn pending_bytes(&self) -> usize {
        if self.pending == 0 { 0 } else { self.columns.iter().map(ColumnBuilder::byte_len).sum() }
    }

    fn end_batch(&mut self) -> Result<(), ArrowError> {
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_, _>>()?;
        self.full.push(RecordBatch::try_new(self.layout.schema.clone(), columns)?);
        self.pending = 0;
        Ok(())
    }
}

fn unbuildable() -> Undecodable {
    Undecodable::Unexpected { what: "its rows make no batch".to_owned() }
}

/// Rows of one reader, over many answers: of one strand ([`Delivery::strand`](sluice_model::delivery::Delivery::strand)) or
/// several, each of a layout of its own. What all hold together is bounded, however many there are.
#[derive(Debug)]
pub(super) struct Strands<'l, R> {
    all: Vec<Batches<'l, R>>,
    most_bytes: usize,
}

/// Batches, each with the number of its strand.
pub(super) type Numbered = Vec<(usize, RecordBatch)>;

impl<'l, R> Strands<'l, R> {
    pub(super) fn new(layouts: &'l [Layout<R>]) -> Self {
        Self::holding(layouts, BATCH_BYTES)
    }

    fn holding(layouts: &'l [Layout<R>], most_bytes: usize) -> Self {
        Self { all: layouts.iter().map(Batches::new).collect(), most_bytes }
    }

    /// Takes a row of a strand.
    ///
    /// # Errors
    /// As those of [`Batches::push`].
    pub(super) fn push(&mut self, strand: usize, fill: impl Fn(&R, &mut ColumnBuilder)) -> Result<(), Undecodable> {
        self.all[strand].push(fill)
    }

    /// What is to be delivered now: batches that are full, and the largest strands, as long as all hold too much.
    ///
    /// # Errors
    /// A batch cannot be built, which is a mistake of sluice.
    pub(super) fn due(&mut self) -> Result<Numbered, ArrowError> {
        let mut due = Vec::new();
        for (strand, batches) in self.all.iter_mut().enumerate() {
            due.extend(std::mem::take(&mut batches.full).into_iter().map(|batch| (strand, batch)));
        }
        let mut sizes: Vec<(usize, usize)> =
            self.all.iter().enumerate().map(|(strand, batches)| (batches.pending_bytes(), strand)).collect();
        let mut held: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
        sizes.sort_unstable();
        while held > self.most_bytes
            && let Some((bytes, strand)) = sizes.pop()
        {
            held -= bytes;
            due.extend(self.all[strand].take()?.into_iter().map(|batch| (strand, batch)));
        }
        Ok(due)
    }

    /// Everything, strand by strand.
    ///
    /// # Errors
    /// A batch cannot be built, which is a mistake of sluice.
    pub(super) fn rest(&mut self) -> Result<Numbered, ArrowError> {
        let mut rest = Vec::new();
        for (strand, batches) in self.all.iter_mut().enumerate() {
            rest.extend(batches.take()?.into_iter().map(|batch| (strand, batch)));
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::schema::ColumnType;

    use super::*;

    /// Three hundred strands that grow together must not hold three hundred batches.
    #[test]
    fn strands_hold_no_more_than_their_bound_and_lose_no_row() {
        const STRANDS: usize = 300;
        const MOST: usize = 40_000;
        let layouts: Vec<Layout<()>> =
            (0..STRANDS).map(|_| Layout::of(&[Field::new("x", ColumnType::Text)], |_| ())).collect();
        let mut strands = Strands::holding(&layouts, MOST);
        let mut rows = vec![0; STRANDS];
        let mut count = |batches: Numbered| {
            for (strand, batch) in &batches {
                assert!((1..=BATCH_ROWS).contains(&batch.num_rows()));
                rows[*strand] += batch.num_rows();
            }
            batches.len()
        };
        let mut delivered = 0;
        for round in 0..100 {
            for strand in 0..STRANDS {
                // Some grow faster than others.
                let text = "x".repeat(strand % 7 * 10);
                strands.push(strand, |(), column| column.append_or_null(Some(&text))).unwrap();
            }
            delivered += count(strands.due().unwrap());
            let held: usize = strands.all.iter().map(Batches::pending_bytes).sum();
            assert!(held <= MOST, "{held} bytes in round {round}");
        }
        delivered += count(strands.rest().unwrap());
        assert_eq!(rows, [100; STRANDS]);
        assert!(delivered < 20_000, "{delivered} batches for 30,000 rows");
    }

    #[test]
    fn a_strand_is_cut_into_batches_of_so_many_rows() {
        let layouts = [Layout::of(&[Field::new("x", ColumnType::Integer)], |_| ())];
        let mut strands = Strands::new(&layouts);
        for _ in 0..=2 * BATCH_ROWS {
            strands.push(0, |(), column| column.append_null()).unwrap();
        }
        let mut rows: Vec<usize> = strands.due().unwrap().iter().map(|(_, batch)| batch.num_rows()).collect();
        rows.extend(strands.rest().unwrap().iter().map(|(_, batch)| batch.num_rows()));
        assert_eq!(rows, [BATCH_ROWS, BATCH_ROWS, 1]);
    }
}
