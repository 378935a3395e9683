"""Tables as other programs read them, and whether they have the rows that they ought to have.

Tables are found through the newest commit and read by pyarrow and by DuckDB; neither is ours.
"""

import json
import sys
from datetime import date, datetime, timedelta, timezone

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from values import EPOCH, canonical


def newest_commit(bucket):
    return json.loads(sorted((bucket / "_sluice/commits").glob("*.json"))[-1].read_text())


def plain(value):
    """Arrow's and DuckDB's values in one form: days, microseconds, numbers, texts."""
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return (value.astimezone(timezone.utc) - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    return value


def integers_for_times(table):
    """Times and dates as integers: some are out of the range of Python's own types."""
    columns = []
    for field, column in zip(table.schema, table.columns):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        elif pa.types.is_date32(field.type):
            column = column.cast(pa.int32())
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def by_pyarrow(paths):
    return integers_for_times(pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths]))


def by_duckdb(paths):
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    connection = duckdb.connect()
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet([{names}], hive_partitioning = false)").fetchall()
    columns = []
    for name, kind, *_ in described:
        quoted = '"' + name + '"'
        if kind.startswith("TIMESTAMP"):
            quoted = f"epoch_us({quoted}) AS {quoted}"
        elif kind == "DATE":
            quoted = f"({quoted} - DATE '1970-01-01')::INTEGER AS {quoted}"
        columns.append(quoted)
    query = f"SELECT {', '.join(columns)} FROM read_parquet([{names}], hive_partitioning = false)"
    return connection.sql(query).to_arrow_table()

def files_of(folder, table):
    return [folder / file["path"] for file in table["files"]]


class Verdicts:
    """A line for each thing that was looked at, and what they come to."""

    def __init__(self):
        self.passed = self.failed = 0

    def say(self, what, problem):
        """Says that a thing is as it ought to be, or what is wrong with it."""
        if problem is None:
            self.passed += 1
            print(f"ok   {what}")
        else:
            self.failed += 1
            print(f"FAIL {what}: {problem}")

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)


def equal(_, expected, found):
    return found == expected and type(found) is type(expected)


def difference(expected, table, same=equal):
    """The first difference between expected rows and a table, or None. `same` compares two values of a column."""
    columns = set(expected.columns) | ({"ingestedAt"} if expected.is_timed else set())
    names = set(table.column_names)
    if columns != names:
        return f"columns missing {columns - names}, too many {names - columns}"
    found = {}
    for row in table.to_pylist():
        identity = tuple(row[part] for part in expected.key)
        if identity in found:
            return f"key {identity!r} stands in two rows"
        found[identity] = row
    if set(found) != set(expected.rows):
        missing, extra = set(expected.rows) - set(found), set(found) - set(expected.rows)
        return f"{len(missing)} rows missing {sorted(missing)[:3]}, {len(extra)} too many {sorted(extra)[:3]}"
    for identity, row in expected.rows.items():
        for column, value in row.items():
            there = plain(found[identity][column])
            if column in expected.in_json and there is not None:
                there = canonical(json.loads(there))
            if not same(column, value, there):
                return f"row {identity!r}, column {column}: expected {value!r}, found {there!r}"
        if expected.is_timed and found[identity]["ingestedAt"] is None:
            return f"row {identity!r} has no ingestedAt"
    return None


def compare(verdicts, folder, expectations, what="the commit", same=None):
    """Compares all tables of the newest commit with what is expected of each; gives the commit's tables.

    `same` has the comparison of values of the tables that need one of their own.
    """
    tables = newest_commit(folder)["tables"]
    missing, extra = set(expectations) - set(tables), set(tables) - set(expectations)
    right = None if not missing and not extra else f"missing: {sorted(missing)}, too many: {sorted(extra)}"
    verdicts.say(f"{what} lists these {len(expectations)} tables and no others", right)
    for name, expected in expectations.items():
        if name not in tables:
            continue
        for reader in (by_pyarrow, by_duckdb):
            table = reader(files_of(folder, tables[name]))
            problem = difference(expected, table, (same or {}).get(name, equal))
            if problem is None and sum(file["rows"] for file in tables[name]["files"]) != table.num_rows:
                problem = "the commit says another number of rows"
            verdicts.say(f"{name} by {reader.__name__.removeprefix('by_')}: {len(expected.rows)} rows", problem)
    return tables
