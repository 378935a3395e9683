"""Compares the tables of `pipelines/demo.toml` with the truth, row for row and value for value.

The truth is what the simulator wrote past its HTTP layer (`sluice simulate --truth`). The rules that lie between it and the
tables (types, values that do not fit, what the transforms do) are written here a second time, in Python, from their
documentation. The tables are read by pyarrow and by DuckDB, through the newest commit; neither is ours.

Prints a line for each table and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import json
import pathlib
import re
import sys
from datetime import date, datetime, timedelta, timezone

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TYPES = {"2-13370001": "2-90000001"}
# Old engagements, conversations, forms and lists: they have type ids, and other APIs than that of objects.
NOT_READ = {"0-4", "0-11", "0-15", "0-45"}
SENSITIVE = {"sensitive", "highly_sensitive"}

# ---- values, by HubSpot's types ---------------------------------------------------------------------------------------


def instant(text):
    """Microseconds since 1970 of a text that fits `datetime`; None for one that does not."""
    if re.fullmatch(r"-?\d+", text):
        micros = int(text) * 1000
        return micros if abs(micros) < 2**63 and -377705116800 <= int(text) // 1000 <= 253402207200 else None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        day = days(text)
        return None if day is None else day * 86_400_000_000
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)", text)
    if not match:
        return None
    try:
        moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(microseconds=1) + int((match[2] or "0").ljust(6, "0"))


def days(text):
    """Days since 1970 of a text that fits `date`; None for one that does not."""
    if re.fullmatch(r"-?\d+", text):
        return int(text) // 86_400_000 if int(text) % 86_400_000 == 0 else None
    if "T" in text:
        moment = instant(text)  # A moment that is midnight, in UTC, is that day.
        return None if moment is None or moment % 86_400_000_000 else moment // 86_400_000_000
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        return None


def number(text):
    """A finite number that a double holds without losing digits of an integer."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return None
    if re.fullmatch(r"[+-]?\d+", text) and int(value) != int(text):
        return None
    return value


PARSERS = {
    "number": (number, "float"),
    "bool": ({"true": True, "false": False}.get, "bool"),
    "date": (days, "date"),
    "datetime": (instant, "timestamp"),
}


def parser_of(definition):
    """The parser of a property's values, or None where they stay text."""
    if definition.get("referencedObjectType") or definition["name"] in ("hs_object_id", "hs_merged_object_ids"):
        return None
    if definition["type"] == "number" and re.search(r"(_id|_ids|_vid|_vids|_userid)$", definition["name"]):
        return None
    return PARSERS.get(definition["type"], (None,))[0]


# ---- what the transforms of the demo do -------------------------------------------------------------------------------

EMAIL = r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"
SSN = r"(?<!\d)(?!000|666|9)\d{3}[- ](?!00)\d{2}[- ](?!0000)\d{4}(?!\d)"
PHONE = r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)|(?<![\w])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\d])"
CARD = r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"


def luhn(digits):
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def personal(text):
    """Whether anything of the four kinds stands in a text."""
    cards = (re.sub(r"\D", "", found) for found in re.findall(CARD, text))
    return bool(
        re.search(EMAIL, text)
        or re.search(SSN, text)
        or re.search(PHONE, text)
        or any(luhn(digits) and digits[0] in "23456" for digits in cards)
    )


MARKS = r"\[(?:email|phone|us_ssn|card)\]"


def scrubbed_rightly(before, after):
    """Whether `after` is `before` with personal data, and nothing else, replaced by the names of patterns.

    What is kept must be the same to the letter, in order; what was taken out must be personal; nothing personal is left.
    """
    if before is None or after is None:
        return before == after
    kept = re.split(MARKS, after)
    match = re.fullmatch("(.*?)".join(re.escape(part) for part in kept), before, re.DOTALL)
    if not match or personal(after):
        return False
    return all(personal(taken) for taken in match.groups()) and (personal(before) or before == after)


def masked(text):
    return None if text is None else "*" * max(0, len(text) - 4) + text[-4:] if len(text) > 4 else "*" * len(text)


# ---- reading -----------------------------------------------------------------------------------------------------------


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


# ---- expectations ------------------------------------------------------------------------------------------------------


class Truth:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.definitions = {}
        for line in self.lines("property_definitions"):
            self.definitions.setdefault(line["objectTypeId"], []).append(line)

    def lines(self, name):
        with open(self.folder / f"{name}.ndjson", encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]

    def readable(self, type_id):
        """Definitions of the properties that a run requests: neither archived nor sensitive."""
        found = [line for line in self.definitions[type_id] if not line.get("archived")]
        return [line for line in found if line.get("dataSensitivity", "non_sensitive") not in SENSITIVE]


def expected_records(truth, file, type_id):
    rows = {}
    definitions = truth.readable(type_id)
    for record in truth.lines(file):
        row = {
            "objectTypeId": TYPES.get(type_id, type_id),
            "objectId": record["id"],
            "updatedAt": instant(record["updatedAt"]),
        }
        for definition in definitions:
            text = record["properties"].get(definition["name"]) or None
            column = re.sub(r"[^A-Za-z0-9]", "_", definition["name"])
            parser = parser_of(definition)
            if parser is None:
                row[f"property_{column}"] = text
                continue
            value = None if text is None else parser(text)
            row[f"property_{column}"] = value
            row[f"property_unparsed_{column}"] = text if value is None else None
        rows[row["objectId"]] = row
    return rows


def transformed(rows):
    for row in rows.values():
        for name in [name for name in row if name in ("property_date_of_birth", "property_unparsed_date_of_birth")]:
            del row[name]
        for name in ("property_phone", "property_mobilephone"):
            row[name] = masked(row[name])
    return rows


def difference(expected, table, key, compare_notes):
    """The first difference between expected rows and a table, or None."""
    names = table.column_names
    found = {}
    for row in table.to_pylist():
        identity = tuple(row[part] for part in key) if isinstance(key, tuple) else row[key]
        if identity in found:
            return f"key {identity!r} stands in two rows"
        found[identity] = row
    if set(found) != set(expected):
        missing, extra = set(expected) - set(found), set(found) - set(expected)
        return f"{len(missing)} rows missing {sorted(missing)[:3]}, {len(extra)} too many {sorted(extra)[:3]}"
    columns = set(next(iter(expected.values()))) if expected else set()
    if expected and columns | {"ingestedAt"} != set(names):
        return f"columns missing {columns - set(names)}, too many {set(names) - columns - {'ingestedAt'}}"
    for identity, row in expected.items():
        for column, value in row.items():
            there = plain(found[identity][column])
            if compare_notes and column == "property_intake_notes":
                if not scrubbed_rightly(value, there):
                    return f"row {identity!r}: the notes were not scrubbed as they should be"
            elif there != value or type(there) is not type(value):
                return f"row {identity!r}, column {column}: expected {value!r}, found {there!r}"
        if found[identity]["ingestedAt"] is None:
            return f"row {identity!r} has no ingestedAt"
    return None


def flat(value):
    return None if value in (None, "") else value


def expected_owners(truth):
    rows = {}
    for owner in truth.lines("owners"):
        user = owner.get("userId")
        user = owner.get("userIdIncludingInactive") if user is None else user
        rows[owner["id"]] = {
            "ownerId": owner["id"],
            "userId": None if user is None else str(user),
            "email": flat(owner.get("email")),
            "firstName": flat(owner.get("firstName")),
            "lastName": flat(owner.get("lastName")),
            "type": owner.get("type"),
            "archived": owner["archived"],
            "createdAt": instant(owner["createdAt"]),
            "updatedAt": instant(owner["updatedAt"]),
        }
    return rows


def expected_pipelines(truth):
    rows = {}
    for pipeline in truth.lines("pipelines"):
        type_id = TYPES.get(pipeline["objectTypeId"], pipeline["objectTypeId"])
        rows[(type_id, pipeline["id"])] = {
            "objectTypeId": type_id,
            "pipelineId": pipeline["id"],
            "label": pipeline["label"],
            "displayOrder": pipeline["displayOrder"],
            "archived": pipeline["archived"],
            "createdAt": instant(pipeline["createdAt"]),
            "updatedAt": instant(pipeline["updatedAt"]),
        }
    return rows


def expected_stages(truth):
    rows = {}
    for stage in truth.lines("pipeline_stages"):
        type_id = TYPES.get(stage["objectTypeId"], stage["objectTypeId"])
        rows[(type_id, stage["pipelineId"], stage["id"])] = {
            "objectTypeId": type_id,
            "pipelineId": stage["pipelineId"],
            "stageId": stage["id"],
            "label": stage["label"],
            "displayOrder": stage["displayOrder"],
            "archived": stage["archived"],
            "metadata": stage["metadata"],
            "createdAt": instant(stage["createdAt"]),
            "updatedAt": instant(stage["updatedAt"]),
        }
    return rows


def expected_definitions(truth):
    rows = {}
    for type_id in truth.definitions.keys() - NOT_READ:
        for definition in truth.readable(type_id):
            new_id = TYPES.get(type_id, type_id)
            rows[(new_id, definition["name"])] = {
                "objectTypeId": new_id,
                "name": definition["name"],
                "label": flat(definition.get("label")),
                "type": definition["type"],
                "fieldType": definition["fieldType"],
                "dataSensitivity": definition.get("dataSensitivity", "non_sensitive"),
            }
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--bucket", required=True, type=pathlib.Path, help="the folder of the bucket")
    arguments.add_argument("--truth", required=True, type=pathlib.Path, help="the folder of the NDJSON files")
    options = arguments.parse_args()
    truth, commit = Truth(options.truth), newest_commit(options.bucket)

    records = {
        "objects_contacts": ("contacts", "0-1"),
        "objects_companies": ("companies", "0-2"),
        "objects_deals": ("deals", "0-3"),
        "objects_tickets": ("tickets", "0-5"),
        "objects_fleet": ("p48012345_vehicle", "2-13370001"),
    }
    expectations = {name: (expected_records(truth, *source), "objectId") for name, source in records.items()}
    expectations["objects_contacts"] = (transformed(expectations["objects_contacts"][0]), "objectId")
    expectations["owners"] = (expected_owners(truth), "ownerId")
    expectations["pipelines"] = (expected_pipelines(truth), ("objectTypeId", "pipelineId"))
    expectations["pipeline_stages"] = (expected_stages(truth), ("objectTypeId", "pipelineId", "stageId"))
    expectations["property_definitions"] = (expected_definitions(truth), ("objectTypeId", "name"))

    passed = failed = 0

    def verdict(what, problem):
        nonlocal passed, failed
        passed, failed = (passed + 1, failed) if problem is None else (passed, failed + 1)
        print(f"{'ok  ' if problem is None else 'FAIL'} {what}" + ("" if problem is None else f": {problem}"))

    tables = commit["tables"]
    others = set(tables) - set(expectations) - {"object_and_event_type_definitions"}
    verdict("the commit lists these tables and no others", None if not others else f"too many: {others}")
    for name, (expected, key) in expectations.items():
        files = tables[name]["files"]
        paths = [options.bucket / file["path"] for file in files]
        for reader in (by_pyarrow, by_duckdb):
            table = reader(paths)
            if name == "property_definitions":
                table = table.select([*next(iter(expected.values())), "ingestedAt"])
            if name == "pipeline_stages":
                # The order of the keys in a stage's metadata means nothing.
                metadata = [json.loads(text) for text in table.column("metadata").to_pylist()]
                position = table.column_names.index("metadata")
                texts = pa.array([json.dumps(value, sort_keys=True) for value in metadata])
                table = table.set_column(position, "metadata", texts)
                rows = {
                    identity: {**row, "metadata": json.dumps(row["metadata"], sort_keys=True)}
                    for identity, row in expected.items()
                }
            else:
                rows = expected
            problem = difference(rows, table, key, name == "objects_contacts")
            if problem is None and sum(file["rows"] for file in files) != table.num_rows:
                problem = "the commit says another number of rows"
            verdict(f"{name} by {reader.__name__.removeprefix('by_')}: {len(expected)} rows", problem)
    contacts = options.bucket / tables["objects_contacts"]["files"][0]["path"]
    email = pq.read_schema(contacts).field("property_email").metadata or {}
    verdict("columns carry HubSpot's label", None if email.get(b"label") else f"found {email}")
    metadata = set(pq.read_metadata(contacts).metadata or {})
    wanted = {b"sluice.run", b"sluice.pipeline", b"sluice.plugin.scrub", b"sluice.plugin.ids"}
    verdict("files carry run, pipeline and plugins", None if wanted <= metadata else f"found {metadata}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
