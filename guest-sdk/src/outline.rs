//! What a plugin does to one schema: which columns it keeps, drops, renames and computes, and from what.
//!
//! An outline starts from the input's columns, all kept, and is changed column by column. Columns are always named as in
//! the *input*, also after a rename. Every computed column gets a group of its own that reads only what that column
//! needs: the host takes an output column to depend on all its group reads, and carries their marks over, so narrow
//! groups mean narrow consequences. [`Outline::group`] is there for the cases where several columns must be computed
//! together.
//!
//! The outline holds the computations as closures; it does not run them.

use std::fmt;

use crate::batch::{Batch, Compute, Outcome};
use crate::names::{check_code, check_name};
use crate::value::{Value, sealed::Layout};
use crate::{Column, DataType, Failure, Field, Schema};

mod finish;

pub(crate) use finish::ResolvedGroup;

/// What a plugin does to one schema.
pub struct Outline {
    input: Schema,
    table: String,
    outputs: Vec<Output>,
    groups: Vec<Declared>,
}

/// What a group reads, computes and decides; the declaration that goes with a [`Compute`].
///
/// ```
/// # use sluice_guest::{DataType, Field, Group};
/// let group = Group::reading(["first", "last"])
///     .computing(Field::new("name", DataType::Text))
///     .computing(Field::new("initials", DataType::Text))
///     .rejecting("no-name");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub(crate) reads: Vec<String>,
    pub(crate) computes: Vec<Field>,
    pub(crate) filters: bool,
    pub(crate) codes: Vec<String>,
}

/// A group as the outline gathers it.
struct Declared {
    declaration: Group,
    /// Indices into the fields of the input.
    reads: Vec<usize>,
    compute: Box<dyn Compute>,
}

/// A column of the output. At least one of `origin` and `computed` is there.
struct Output {
    /// The input column that stands here, kept or computed in place.
    origin: Option<usize>,
    name: String,
    /// `None`: kept.
    computed: Option<Computed>,
}

/// Which group computes a column, and as which of its columns.
#[derive(Clone, Copy)]
struct Computed {
    group: usize,
    member: usize,
}

impl Group {
    /// A group that reads these columns of the input, each at most once.
    pub fn reading<Name: Into<String>>(columns: impl IntoIterator<Item = Name>) -> Self {
        Self { reads: columns.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Adds a column that the group computes: in place where the input has a column of this name, else at the end.
    #[must_use]
    pub fn computing(mut self, field: Field) -> Self {
        self.computes.push(field);
        self
    }

    /// The group may drop rows. At most one group of an outline filters or rejects.
    #[must_use]
    pub fn filtering(mut self) -> Self {
        self.filters = true;
        self
    }

    /// The group may reject rows with this code, `[a-z0-9-]+`. At most one group of an outline filters or rejects.
    #[must_use]
    pub fn rejecting(mut self, code: impl Into<String>) -> Self {
        self.codes.push(code.into());
        self
    }

    pub(crate) fn selects(&self) -> bool {
        self.filters || !self.codes.is_empty()
    }
}

impl Outline {
    /// All columns of the input, unchanged.
    pub fn keep_all(input: &Schema) -> Self {
        let outputs = input
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| Output { origin: Some(index), name: field.name.clone(), computed: None })
            .collect();
        Self { input: input.clone(), table: input.name.clone(), outputs, groups: Vec::new() }
    }

    /// None of the input's columns; [`Outline::keep`] adds those that stay, in the order of the calls.
    pub fn keep_none(input: &Schema) -> Self {
        Self { outputs: Vec::new(), ..Self::keep_all(input) }
    }

    /// Adds a column to an outline that started with [`Outline::keep_none`].
    ///
    /// # Errors
    /// Where the input has no such column, or the outline has it already.
    pub fn keep(&mut self, column: &str) -> Result<&mut Self, Failure> {
        let index = self.input.require_position(column)?;
        if self.outputs.iter().any(|output| output.origin == Some(index)) {
            return Err(self.mistake(format_args!("keeps column `{column}` twice")));
        }
        self.outputs.push(Output { origin: Some(index), name: column.to_owned(), computed: None });
        Ok(self)
    }

    /// Leaves a column out.
    ///
    /// # Errors
    /// Where the input has no such column, or it is dropped already.
    pub fn drop(&mut self, column: &str) -> Result<&mut Self, Failure> {
        let at = self.output_position(column)?;
        if self.outputs[at].computed.is_some() {
            return Err(self.mistake(format_args!("drops column `{column}`, which it computes")));
        }
        self.outputs.remove(at);
        Ok(self)
    }

    /// Gives a column another name. Later calls still call it by the name it has in the input.
    ///
    /// # Errors
    /// Where the input has no such column, it is dropped, or the name is not one a column can have. That two columns end
    /// up with one name is an error too, found when the outline is complete.
    pub fn rename(&mut self, column: &str, name: impl Into<String>) -> Result<&mut Self, Failure> {
        let name = name.into();
        let at = self.output_position(column)?;
        check_name(&name).map_err(|problem| {
            Failure::settings(format_args!("column `{column}` cannot be renamed to `{name}`: {problem}"))
        })?;
        self.outputs[at].name = name;
        Ok(self)
    }

    /// Gives the table another name than the input's.
    ///
    /// # Errors
    /// Where the name is not one a table can have.
    pub fn rename_table(&mut self, name: impl Into<String>) -> Result<&mut Self, Failure> {
        let name = name.into();
        check_name(&name)
            .map_err(|problem| Failure::settings(format_args!("a table cannot be named `{name}`: {problem}")))?;
        self.table = name;
        Ok(self)
    }

    /// Changes the text of a column in place; the closure's `None` is a null. Nulls stay nulls.
    ///
    /// [`Outline::map_text_into`] does the same without an allocation for each value.
    ///
    /// # Errors
    /// Where the input has no such column, it does not hold text, or it is dropped or computed already.
    pub fn map_text(
        &mut self,
        column: &str,
        map: impl Fn(&str) -> Option<String> + 'static,
    ) -> Result<&mut Self, Failure> {
        self.compute_in_place::<str>(column, move |batch, column| Ok(batch.view::<str>(column)?.map(&map)))
    }

    /// Changes the text of a column in place: the closure appends the new value to the text it is given, which holds the
    /// values of the rows before. Nulls stay nulls.
    ///
    /// # Errors
    /// As [`Outline::map_text`].
    pub fn map_text_into(
        &mut self,
        column: &str,
        write: impl Fn(&str, &mut String) + 'static,
    ) -> Result<&mut Self, Failure> {
        self.compute_in_place::<str>(column, move |batch, column| Ok(batch.view::<str>(column)?.map_into(&write)))
    }

    /// Changes the values of a column that does not hold text; the closure's `None` is a null. Nulls stay nulls.
    ///
    /// ```
    /// # use sluice_guest::{DataType, Date, Failure, Field, Outline, Schema};
    /// # let input = Schema::new("contacts").with(Field::new("born", DataType::Date));
    /// let mut outline = Outline::keep_all(&input);
    /// outline.map_values("born", |born: Date| Date::from_year_month_day(born.year_month_day().0, 1, 1))?;
    /// # Ok::<(), Failure>(())
    /// ```
    ///
    /// # Errors
    /// Where the input has no such column, it holds something else, or it is dropped or computed already.
    pub fn map_values<T>(&mut self, column: &str, map: impl Fn(T) -> Option<T> + 'static) -> Result<&mut Self, Failure>
    where
        T: Value + for<'any> Layout<Ref<'any> = T> + Copy,
    {
        self.compute_in_place::<T>(column, move |batch, column| Ok(batch.view::<T>(column)?.map(&map)))
    }

    /// Replaces all values of a column by nulls. Its group reads nothing, so the result depends on no column.
    ///
    /// # Errors
    /// Where the input has no such column, the SDK does not know its type, or it is dropped or computed already.
    pub fn null(&mut self, column: &str) -> Result<&mut Self, Failure> {
        let mut field = self.in_place(column)?;
        if let DataType::Other(_) = field.data_type {
            return Err(Failure::schema(format_args!(
                "column `{column}` of `{}` holds {}, which cannot be nulled: drop it",
                self.input.name, field.data_type
            )));
        }
        field.nullable = true;
        let data_type = field.data_type.clone();
        self.compute::<&str>([], field, move |batch| {
            Column::nulls(&data_type, batch.rows())
                .ok_or_else(|| Failure::internal(format_args!("{data_type} cannot be nulled")))
        })
    }

    /// Computes one column from others, in a group of its own: in place where the input has a column of this name, else
    /// as a new column at the end.
    ///
    /// A column computed in place should start from [`Outline::in_place`], which carries over what still holds.
    ///
    /// # Errors
    /// Where the input lacks a column to be read, or the column is dropped or computed already.
    pub fn compute<Name: Into<String>>(
        &mut self,
        reads: impl IntoIterator<Item = Name>,
        field: Field,
        compute: impl Fn(&Batch) -> Result<Column, Failure> + 'static,
    ) -> Result<&mut Self, Failure> {
        let group = Group::reading(reads).computing(field);
        self.group(group, move |batch: &Batch| Ok(Outcome::of([compute(batch)?])))
    }

    /// Adds a group that computes several columns, or chooses rows, or both.
    ///
    /// # Errors
    /// Where the input lacks a column to be read, a column is dropped or computed already, or another group chooses rows.
    pub fn group(&mut self, group: Group, compute: impl Compute) -> Result<&mut Self, Failure> {
        let reads =
            group.reads.iter().map(|column| self.input.require_position(column)).collect::<Result<Vec<_>, _>>()?;
        if let Some((_, column)) = group.reads.iter().enumerate().find(|(at, name)| group.reads[..*at].contains(name)) {
            return Err(self.mistake(format_args!("reads column `{column}` twice in one group")));
        }
        if group.selects() && self.groups.iter().any(|other| other.declaration.selects()) {
            return Err(self.mistake(format_args!("has two groups that choose rows; one group must do both")));
        }
        for code in &group.codes {
            check_code(code)
                .map_err(|problem| self.mistake(format_args!("has the rejection code `{code}`: {problem}")))?;
        }
        for (member, field) in group.computes.iter().enumerate() {
            self.place(field, Computed { group: self.groups.len(), member })?;
        }
        self.groups.push(Declared { declaration: group, reads, compute: Box::new(compute) });
        Ok(self)
    }

    /// The field of a column that is about to be computed in place: the input's name, type, nullability and attributes.
    ///
    /// Marks are left out: the host adds those of the columns that the group reads by itself, and what a plugin sets
    /// could not be cleared by the pipeline.
    ///
    /// # Errors
    /// Where the input has no such column.
    pub fn in_place(&self, column: &str) -> Result<Field, Failure> {
        Ok(Field { marks: Vec::new(), ..self.input.require(column)?.clone() })
    }

    /// The schema that the outline is for.
    pub fn input(&self) -> &Schema {
        &self.input
    }

    fn compute_in_place<T: Value + ?Sized>(
        &mut self,
        column: &str,
        compute: impl Fn(&Batch, &str) -> Result<Column, Failure> + 'static,
    ) -> Result<&mut Self, Failure> {
        self.input.require_of::<T>(column)?;
        let field = self.in_place(column)?;
        let name = column.to_owned();
        self.compute([column], field, move |batch| compute(batch, &name))
    }

    /// Puts a column computed by the next group into the outputs.
    fn place(&mut self, field: &Field, computed: Computed) -> Result<(), Failure> {
        check_name(&field.name)
            .map_err(|problem| self.mistake(format_args!("computes a column named `{}`: {problem}", field.name)))?;
        let computed = Some(computed);
        let Some(index) = self.input.position(&field.name) else {
            if self.outputs.iter().any(|output| output.origin.is_none() && output.name == field.name) {
                return Err(self.mistake(format_args!("computes column `{}` twice", field.name)));
            }
            self.outputs.push(Output { origin: None, name: field.name.clone(), computed });
            return Ok(());
        };
        match self.outputs.iter().position(|output| output.origin == Some(index)) {
            Some(at) if self.outputs[at].computed.is_some() => {
                Err(self.mistake(format_args!("computes column `{}` twice", field.name)))
            }
            Some(at) => {
                self.outputs[at].computed = computed;
                Ok(())
            }
            None => Err(self.mistake(format_args!("computes column `{}`, which it drops", field.name))),
        }
    }

    fn output_position(&self, column: &str) -> Result<usize, Failure> {
        let index = self.input.require_position(column)?;
        let at = self.outputs.iter().position(|output| output.origin == Some(index));
        at.ok_or_else(|| self.mistake(format_args!("drops column `{column}`, then uses it")))
    }

    /// Something the plugin's author has to mend.
    fn mistake(&self, what: fmt::Arguments<'_>) -> Failure {
        Failure::internal(format_args!("the outline of `{}` {what}", self.input.name))
    }
}

/// The shape only; the computations are closures.
impl fmt::Debug for Outline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Outline")
            .field("table", &self.table)
            .field("outputs", &self.outputs.iter().map(|output| &output.name).collect::<Vec<_>>())
            .field("groups", &self.groups.iter().map(|group| &group.declaration).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
