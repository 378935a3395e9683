//! How a table differs from what it was: columns that came, went, or changed their type, since somebody changed the account,
//! the pipeline file or a plugin. Nothing is refused for it; whoever reads the table should know.

use sluice_lake::table::Commit;
use sluice_model::schema::{ColumnType, Field};
use sluice_plan::TablePlan;

/// A column that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The column.
    pub column: String,
    /// Its type before; `None` if it is new.
    pub before: Option<ColumnType>,
    /// Its type now; `None` if it is gone.
    pub now: Option<ColumnType>,
}

/// What has changed in a table since the newest commit. Nothing, where that lists no such table.
pub(super) fn of(base: Option<&Commit>, table: &TablePlan) -> Vec<Drift> {
    let Some(before) = base.and_then(|base| base.tables.get(&table.name)) else { return Vec::new() };
    let now: Vec<&Field> = table.fields().collect();
    between(&before.columns, &now)
}

fn between(before: &[Field], now: &[&Field]) -> Vec<Drift> {
    let type_now = |name: &str| now.iter().find(|field| field.name == name).map(|field| field.column_type);
    let of_before = before.iter().map(|field| Drift {
        column: field.name.clone(),
        before: Some(field.column_type),
        now: type_now(&field.name),
    });
    let is_new = |field: &&&Field| !before.iter().any(|before| before.name == field.name);
    let of_now = now.iter().filter(is_new).map(|field| Drift {
        column: field.name.clone(),
        before: None,
        now: Some(field.column_type),
    });
    of_before.chain(of_now).filter(|drift| drift.before != drift.now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_came_went_or_changed_their_type_are_told() {
        let fields = |columns: &[(&str, ColumnType)]| -> Vec<Field> {
            columns.iter().map(|(name, column_type)| Field::new(*name, *column_type)).collect()
        };
        let before = fields(&[("same", ColumnType::Text), ("went", ColumnType::Date), ("score", ColumnType::Text)]);
        let now = fields(&[("came", ColumnType::Boolean), ("score", ColumnType::Float), ("same", ColumnType::Text)]);
        let drift = |column: &str, before, now| Drift { column: column.to_owned(), before, now };
        assert_eq!(
            between(&before, &now.iter().collect::<Vec<_>>()),
            [
                drift("went", Some(ColumnType::Date), None),
                drift("score", Some(ColumnType::Text), Some(ColumnType::Float)),
                drift("came", None, Some(ColumnType::Boolean)),
            ]
        );
    }
}
