"""Compares the tables of `pipelines/demo.toml` with the truth, row for row and value for value.

What the demo's transforms do is written here a second time, in Python, from their documentation; the rest stands in
`expected` and `tables`.

Prints a line for each table and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import pathlib
import re

import pyarrow.parquet as pq

import expected
from tables import Verdicts, by_pyarrow, compare, equal, files_of, newest_commit
from truth import Truth
from values import masked

# The id that the type of vehicles gets.
TYPE_IDS = {"2-13370001": "2-90000001"}

# The types whose records the demo reads, and between which it reads links.
TYPES = ("0-1", "0-2", "0-3", "0-5", "2-13370001")
PAIRS = (("0-2", "0-1"), ("0-3", "0-1"), ("2-13370001", "0-1"))
MARKED = {("0-1", "date_of_birth"), ("0-1", "intake_notes")}
PHONES = ("phone", "mobilephone")

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


def transformed(contacts):
    """Contacts as the transforms leave them, but for the notes."""
    gone = ("property_date_of_birth", "property_unparsed_date_of_birth")
    contacts.columns = [column for column in contacts.columns if column not in gone]
    for row in contacts.rows.values():
        for name in gone:
            row.pop(name, None)
        for phone in PHONES:
            row[f"property_{phone}"] = masked(row[f"property_{phone}"])
    return contacts


class Left(Truth):
    """The truth as the transforms leave it, for the tables of all types. `notes`: those of the table of contacts, which have
    been compared there."""

    def __init__(self, folder, notes):
        super().__init__(folder, TYPE_IDS)
        self.notes = notes

    def read_types(self):
        return TYPES

    def readable(self, type_id):
        gone = {"date_of_birth"} if type_id == "0-1" else set()
        return [line for line in super().readable(type_id) if line["name"] not in gone]

    def records(self, type_id):
        records = super().records(type_id)
        if type_id == "0-1":
            for record in records:
                properties = record["properties"]
                properties["intake_notes"] = self.notes[record["id"]]
                for phone in PHONES:
                    properties[phone] = masked(properties[phone])
        return records


def links_of_pairs(truth):
    """The table of all links that the demo reads, and those of each pair."""
    links, pairs = expected.links(truth), [tuple(map(truth.type_id, pair)) for pair in PAIRS]
    there = [row for row in links.rows.values() if (row["fromObjectTypeId"], row["toObjectTypeId"]) in pairs]
    links = expected.Expected(links.key, links.columns, there)
    by_pair = expected.links_by_pair(truth, links)
    names = [f"associations_{truth.stream(one)}_to_{truth.stream(other)}" for one, other in PAIRS]
    return links, {name: by_pair[name] for name in names}


def same_or_scrubbed(column, before, after):
    if column == "property_intake_notes":
        return scrubbed_rightly(before, after)
    return equal(column, before, after)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--bucket", required=True, type=pathlib.Path, help="the folder of the bucket")
    arguments.add_argument("--truth", required=True, type=pathlib.Path, help="the folder of the NDJSON files")
    options = arguments.parse_args()
    truth, verdicts = Truth(options.truth, TYPE_IDS), Verdicts()

    contacts = files_of(options.bucket, newest_commit(options.bucket)["tables"]["objects_contacts"])
    notes = by_pyarrow(contacts).select(["objectId", "property_intake_notes"]).to_pylist()
    left = Left(options.truth, {row["objectId"]: row["property_intake_notes"] for row in notes})
    links, links_by_pair = links_of_pairs(truth)

    expectations = {
        "objects_contacts": transformed(expected.records(truth, "0-1")),
        "objects_companies": expected.records(truth, "0-2"),
        "objects_deals": expected.records(truth, "0-3"),
        "objects_tickets": expected.records(truth, "0-5"),
        "objects_fleet": expected.records(truth, "2-13370001"),
        "objects": expected.all_records(left),
        "object_properties": expected.all_values(left),
        "object_with_object_properties": expected.packed_records(left),
        "associations": links,
        **links_by_pair,
        **expected.definitions(truth, MARKED),
    }
    tables = compare(verdicts, options.bucket, expectations, same={"objects_contacts": same_or_scrubbed})

    contacts = files_of(options.bucket, tables["objects_contacts"])[0]
    email = pq.read_schema(contacts).field("property_email").metadata or {}
    verdicts.say("columns carry HubSpot's label", None if email.get(b"label") else f"found {email}")
    metadata = set(pq.read_metadata(contacts).metadata or {})
    wanted = {b"sluice.run", b"sluice.pipeline", b"sluice.plugin.scrub", b"sluice.plugin.ids"}
    verdicts.say("files carry run, pipeline and plugins", None if wanted <= metadata else f"found {metadata}")
    verdicts.end()


if __name__ == "__main__":
    main()
