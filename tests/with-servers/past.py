"""Compares the history of properties and the events that an account gives with the truth, row for row and value for value.

Four things are looked at:

- a folder with both layouts, and one with the combined layout alone: every table, and that there is no other;
- what the run reports of each stream beside its rows: values without a column, histories that may be longer, columns withheld;
- what the plan said that reading costs: each stream against what the truth makes of it, and all together against the requests
  that HubSpot itself has counted;
- a folder of a pipeline that masks what was once somebody's phone number: none is in any byte of it, nor of what the run said.

Prints a line for each thing and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import json
import math
import pathlib
import tomllib

import expected
from expected_past import CONTACTS, Events, History
from tables import Verdicts, compare
from truth import Truth, is_sensitive
from values import masked

# How far a price may be from what was paid.
SHARE_OF_PRICE = 0.05

# Records in a page of a list, records that the API tells the past of at once, and events in a page.
RECORDS_A_REQUEST, PASTS_A_REQUEST, EVENTS_A_REQUEST = 100, 50, 100

# Digits of a text that is a phone number. Shorter ones stand everywhere.
FEWEST_DIGITS = 7


def of_file(path):
    return tomllib.loads(path.read_text())["source"]


def records(truth):
    """The tables of records in the individual layout."""
    return {f"objects_{truth.stream(type_id)}": expected.records(truth, type_id) for type_id in truth.read_types()}


def combined(truth, history, events):
    return {
        "objects": expected.all_records(truth),
        "object_properties": expected.all_values(truth),
        "object_with_object_properties": expected.packed_records(truth),
        "object_properties_history": history.table,
        "events": events.combined(),
    }


def withheld(truth, type_id):
    there = (line for line in truth.definitions[type_id] if not line.get("archived"))
    return sorted(f"property_{line['name']}" for line in there if is_sensitive(line))


def reported(truth, history, events):
    """What is known of each stream beside its rows."""
    known = {}
    for type_id in truth.read_types():
        common = {"undefined": 0, "withheld": withheld(truth, type_id)}
        known[truth.stream(type_id)] = {**common, "rows_read": len(truth.records(type_id)), "capped": 0}
    for type_id in history.types:
        common = {"undefined": 0, "withheld": withheld(truth, type_id)}
        name = f"object_properties_history:{truth.stream(type_id)}"
        known[name] = {**common, "rows_read": history.rows(type_id), "capped": history.capped(type_id)}
    for full_name, name in events.names.items():
        hidden = events.withheld(full_name)
        known[f"events:{name}"] = {
            # Where something is withheld the others are asked for by name, so what nobody defines does not come at all.
            "undefined": 0 if hidden else events.undefined(full_name),
            "withheld": hidden,
            "rows_read": len(events.happened[full_name]),
            "capped": 0,
        }
    return known


def requests(truth, history, events):
    """What each stream takes, by the records that it is about and the pages that these fill."""
    takes = {}
    for type_id in truth.read_types():
        takes[truth.stream(type_id)] = math.ceil(len(truth.records(type_id)) / RECORDS_A_REQUEST)
    for type_id in history.types:
        name = f"object_properties_history:{truth.stream(type_id)}"
        takes[name] = math.ceil(len(truth.records(type_id)) / PASTS_A_REQUEST)
    ids = [record["id"] for record in truth.records(events.of)]
    for full_name, name in events.names.items():
        of_record = dict.fromkeys(ids, 0)
        for event in events.happened[full_name]:
            of_record[event["objectId"]] += 1
        takes[f"events:{name}"] = sum(max(1, math.ceil(count / EVENTS_A_REQUEST)) for count in of_record.values())
    return takes


def by_stream(listed):
    return {line["stream"]: line for line in listed}


def compare_report(verdicts, report, known):
    streams = by_stream(report["streams"])
    missing, extra = set(known) - set(streams), set(streams) - set(known)
    right = None if not missing and not extra else f"missing: {sorted(missing)}, too many: {sorted(extra)}"
    verdicts.say(f"the report lists these {len(known)} streams and no others", right)
    wrong = [
        f"{name}: expected {what} {value!r}, found {streams[name][what]!r}"
        for name, line in known.items()
        for what, value in line.items()
        if name in streams and streams[name][what] != value
    ]
    verdicts.say("what the report says of each stream", "; ".join(wrong[:3]) or None)


def far_from(price, paid):
    return abs(price - paid) > SHARE_OF_PRICE * paid


def compare_prices(verdicts, plans, report, takes):
    """Prices against the truth, and against what HubSpot has counted: two plans before the run, and one after it."""
    before, again, after = ((plan["price"]["day"]["used"]) for plan in plans)
    prices = {name: line["requests"] for name, line in by_stream(plans[1]["price"]["streams"]).items()}
    missing, extra = set(takes) - set(prices), set(prices) - set(takes)
    right = None if not missing and not extra else f"missing: {sorted(missing)}, too many: {sorted(extra)}"
    verdicts.say(f"the plan prices these {len(takes)} streams and no others", right)
    wrong = [
        f"{name}: {prices[name]} requests, and it takes {paid}"
        for name, paid in takes.items()
        if name in prices and far_from(prices[name], paid)
    ]
    verdicts.say("the price of each stream, by the records and pages of the truth", "; ".join(wrong[:3]) or None)
    for_a_plan = again - before
    counted, told = after - again - for_a_plan, report["api"]["requests"] - report["api"]["rate_limited"]
    right = None if counted == told else f"HubSpot has counted {counted}, the report {told}"
    verdicts.say(f"{counted} requests of the run, as HubSpot has counted them", right)
    price, paid = sum(prices.values()), counted - for_a_plan
    right = f"{paid} requests beside those of a plan" if far_from(price, paid) else None
    verdicts.say(f"the price of all streams together: {price} requests, and {paid} were sent beside those of a plan", right)


def phones(truth):
    """The numbers that contacts have ever had."""
    lines = truth.lines("property_history")
    values = {line["value"] for line in lines if (line["objectTypeId"], line["name"]) == (CONTACTS, "phone")}
    return sorted(value for value in values if sum(letter.isdigit() for letter in value or "") >= FEWEST_DIGITS)


def bytes_of(folder):
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def masked_tables(truth, rules, columns):
    """The tables of the pipeline that masks phone numbers and reads some columns only."""
    history, contacts = History(truth, rules).table, expected.records(truth, CONTACTS)
    kept = [column for column in contacts.columns if not column.startswith("property_") or column in columns]
    rows = [{column: row[column] for column in kept} for row in contacts.rows.values()]
    for row in rows:
        row["property_phone"] = masked(row["property_phone"])
    for row in history.rows.values():
        row["value"] = masked(row["value"]) if row["name"] == "phone" else row["value"]
    return {"objects_contacts": expected.Expected(contacts.key, kept, rows), "object_properties_history": history}


def compare_masked(verdicts, folder, said, plain, numbers):
    """Searches for the numbers where they must not be, and where they must be."""
    hidden, shown = bytes_of(folder) + said, bytes_of(plain)
    found = [number for number in numbers if number.encode() in hidden]
    verdicts.say(f"none of {len(numbers)} phone numbers under the mask", f"{len(found)}: {found[:3]}" if found else None)
    lost = [number for number in numbers if number.encode() not in shown]
    verdicts.say(f"all {len(numbers)} phone numbers without the mask", f"not {len(lost)}: {lost[:3]}" if lost else None)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--truth", required=True, type=pathlib.Path, help="the folder of the NDJSON files")
    arguments.add_argument(
        "--runs", required=True, type=pathlib.Path, help="the folder of pipeline files, their tables, and what was said"
    )
    options = arguments.parse_args()
    runs, verdicts = options.runs, Verdicts()

    both = of_file(runs / "both.toml")
    truth = Truth(options.truth, streams=both["streams"])
    history, events = History(truth, both["history"]), Events(truth, CONTACTS)
    of_all = combined(truth, history, events)
    compare(verdicts, runs / "both", records(truth) | events.by_type() | of_all, "the commit of both layouts")
    compare(verdicts, runs / "combined", of_all, "the commit of the combined layout")

    report = json.loads((runs / "both.report.json").read_text())
    compare_report(verdicts, report, reported(truth, history, events))
    plans = [json.loads((runs / f"both.plan-{when}.json").read_text()) for when in ("before", "again", "after")]
    compare_prices(verdicts, plans, report, requests(truth, history, events))

    masking = of_file(runs / "masked.toml")
    only = Truth(options.truth, streams=masking["streams"])
    expectations = masked_tables(only, masking["history"], masking["columns"][0]["include"])
    compare(verdicts, runs / "masked", expectations, "the commit under the mask")
    compare_masked(verdicts, runs / "masked", (runs / "masked.said").read_bytes(), runs / "both", phones(truth))
    verdicts.end()


if __name__ == "__main__":
    main()
