"""Compares every table that an account gives, in both layouts, with the truth, row for row and value for value.

Two folders are compared: one with both layouts and both directions of every association, and one with the combined layout
alone and one direction. A table that is there and not expected, or the other way round, is a failure.

Prints a line for each table and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import pathlib

import expected
from tables import Verdicts, by_duckdb, compare, files_of, newest_commit
from truth import Truth


def individual(truth, links):
    """A table for each type, and for each pair of types that links are defined for."""
    records = {f"objects_{truth.stream(type_id)}": expected.records(truth, type_id) for type_id in truth.read_types()}
    return records | expected.links_by_pair(truth, links)


def combined(truth, links):
    """The tables of all types."""
    return {
        "objects": expected.all_records(truth),
        "object_properties": expected.all_values(truth),
        "object_with_object_properties": expected.packed_records(truth),
        "associations": links,
    }


def directions_read(folder):
    """The directions in which links stand in a folder's combined table."""
    table = by_duckdb(files_of(folder, newest_commit(folder)["tables"]["associations"]))
    ends = zip(table["fromObjectTypeId"].to_pylist(), table["toObjectTypeId"].to_pylist())
    return set(ends)


def wrong_directions(truth, read):
    """What is wrong with the directions of links that were read, if one of each pair was to be: from the type with fewer
    records, and from either where both have as many."""
    for one, other in truth.pairs():
        if one != other and (one, other) in read and (other, one) in read:
            return f"links of {one} and {other} stand in both directions"
        if (one, other) in read and truth.types[one]["live"] > truth.types[other]["live"]:
            return f"links of {one} and {other} stand in the direction of more requests"
    return None


def in_directions(links, read):
    """Of these links, those in directions that were read."""
    there = [row for row in links.rows.values() if (row["fromObjectTypeId"], row["toObjectTypeId"]) in read]
    return expected.Expected(links.key, links.columns, there)


def of_pairs(links):
    """The pairs of types that have links, whatever the direction."""
    return {frozenset((row["fromObjectTypeId"], row["toObjectTypeId"])) for row in links.rows.values()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--both", required=True, type=pathlib.Path, help="the folder with both layouts")
    arguments.add_argument("--combined", required=True, type=pathlib.Path, help="the folder with the combined layout")
    arguments.add_argument("--truth", required=True, type=pathlib.Path, help="the folder of the NDJSON files")
    options = arguments.parse_args()
    truth, verdicts = Truth(options.truth), Verdicts()

    links = expected.links(truth)
    meanings = {"association_definitions": expected.association_definitions(truth)}
    same_in_both = expected.definitions(truth) | meanings | combined(truth, links)
    compare(verdicts, options.both, individual(truth, links) | same_in_both, "the commit of both layouts")

    read = directions_read(options.combined)
    verdicts.say("one direction of each pair, the one of fewer requests", wrong_directions(truth, read))
    one_of_each = in_directions(links, read)
    missing = of_pairs(links) - of_pairs(one_of_each)
    verdicts.say("links of every pair", f"none of {sorted(map(sorted, missing))}" if missing else None)
    compare(verdicts, options.combined, same_in_both | {"associations": one_of_each}, "the commit of the combined layout")
    verdicts.end()


if __name__ == "__main__":
    main()
