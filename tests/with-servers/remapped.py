"""Joins tables whose ids `remap-ids` has replaced, and compares every pair with the truth under the mapping.

`mapping` writes the mapping: a new id for every contact, company and owner that there is. `compare` joins contacts, links,
companies, list memberships, owners and their teams in DuckDB, in the tables of each type and in those of all; and looks for ids
that should have got a new one in every column that holds ids. Ids of records that are gone are in no mapping: they are as they
were (`--unmapped keep`), or their links and members are not there and references to them are empty (`--unmapped reject`).

Prints a line for each join and each column and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import csv
import hashlib
import json
import pathlib
from collections import Counter

import duckdb

from tables import Verdicts, files_of, newest_commit
from truth import Truth
from values import instant

CONTACT, COMPANY, OWNER = "0-1", "0-2", "owner"
# What the truth's definitions call what a property refers to.
REFERRED = {"CONTACT": CONTACT, "COMPANY": COMPANY, "OWNER": OWNER}
# Columns of ids beside those of properties, by table: what they are ids of, or the column that says it.
COLUMNS = {
    "objects_contacts": {"objectId": CONTACT},
    "objects_companies": {"objectId": COMPANY},
    "associations_contacts_to_companies": {"contact_objectId": CONTACT, "company_objectId": COMPANY},
    "list_memberships": {"objectId": "objectTypeId"},
    "owners": {"ownerId": OWNER},
    "owner_teams": {"ownerId": OWNER},
    "objects": {"objectId": "objectTypeId"},
    "object_properties": {"objectId": "objectTypeId"},
    "object_with_object_properties": {"objectId": "objectTypeId"},
    "associations": {"fromObjectId": "fromObjectTypeId", "toObjectId": "toObjectTypeId"},
}


class Mapping:
    """The new ids, by what the old ones are ids of."""

    def __init__(self, truth):
        old = {
            CONTACT: [record["id"] for record in truth.records(CONTACT)],
            COMPANY: [record["id"] for record in truth.records(COMPANY)],
            OWNER: [owner["id"] for owner in truth.lines("owners")],
        }
        # Of neither the form nor the order of the old ones.
        self.new = {
            kind: {id: f"new-{hashlib.sha256(f'{kind} {id}'.encode()).hexdigest()[:12]}" for id in ids}
            for kind, ids in old.items()
        }

    def write(self, path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(["object_type_id", "old_id", "new_id"])
            for kind, ids in self.new.items():
                lines.writerows([kind, old, new] for old, new in ids.items())

    def get(self, kind, id):
        """The new id; the old one of what is not mapped at all; None for one that should be and is gone."""
        return self.new[kind].get(id) if kind in self.new else id


def references(truth, type_id):
    """The properties of a type that hold ids which are mapped, and what of."""
    found = {"hs_object_id": type_id, "hs_merged_object_ids": type_id}
    for definition in truth.readable(type_id):
        kind = REFERRED.get(definition.get("referencedObjectType"))
        if kind:
            found[definition["name"]] = kind
    return found


def expected_pairs(truth, mapping):
    """All pairs under the mapping, with something of each record that no mapping changes."""
    contacts = {record["id"]: record for record in truth.records(CONTACT)}
    companies = {record["id"]: record for record in truth.records(COMPANY)}
    owners = {owner["id"]: owner for owner in truth.lines("owners")}
    of_type = {CONTACT: contacts, COMPANY: companies}
    links = [
        (
            mapping.get(CONTACT, line["fromObjectId"]),
            instant(contacts[line["fromObjectId"]]["updatedAt"]),
            mapping.get(COMPANY, line["toObjectId"]),
            instant(companies[line["toObjectId"]]["updatedAt"]),
            str(line["typeId"]),
            line["category"],
        )
        for line in truth.lines("associations")
        if (line["fromObjectTypeId"], line["toObjectTypeId"]) == (CONTACT, COMPANY) and line["toObjectId"] in companies
    ]
    members = [
        (
            line["objectTypeId"],
            line["listId"],
            mapping.get(line["objectTypeId"], line["recordId"]),
            instant(of_type[line["objectTypeId"]][line["recordId"]]["updatedAt"]),
            instant(line["membershipTimestamp"]),
        )
        for line in truth.lines("list_memberships")
        if line["recordId"] in of_type.get(line["objectTypeId"], {})
    ]
    assigned, in_teams = [], []
    for type_id, records in of_type.items():
        for record in records.values():
            owner = owners.get(record["properties"].get("hubspot_owner_id"))
            if owner:
                pair = (type_id, mapping.get(type_id, record["id"]), mapping.get(OWNER, owner["id"]), owner.get("email") or None)
                assigned.append(pair)
                in_teams += [(*pair, team["id"]) for team in owner.get("teams", [])]
    return {"links": links, "memberships": members, "owners": assigned, "teams": in_teams}


# A table of records of each type, and what is needed of it: from the tables of each type, from those of all, and with owners
# from the one of packed records.
RECORDS = {
    "individual": """
        SELECT '0-1' AS type, objectId AS id, epoch_us(updatedAt) AS updated, property_hubspot_owner_id AS owner
        FROM objects_contacts
        UNION ALL SELECT '0-2', objectId, epoch_us(updatedAt), property_hubspot_owner_id FROM objects_companies""",
    "combined": """
        SELECT o.objectTypeId AS type, o.objectId AS id, epoch_us(o.updatedAt) AS updated, p.value AS owner
        FROM objects o LEFT JOIN object_properties p
        ON p.objectTypeId = o.objectTypeId AND p.objectId = o.objectId AND p.name = 'hubspot_owner_id'""",
    "packed": """
        SELECT objectTypeId AS type, objectId AS id, epoch_us(updatedAt) AS updated,
            json_extract_string(properties, '$.hubspot_owner_id') AS owner
        FROM object_with_object_properties""",
}
LINKS = {
    "individual": "SELECT contact_objectId AS one, company_objectId AS other, * FROM associations_contacts_to_companies",
    "combined": """
        SELECT fromObjectId AS one, toObjectId AS other, * FROM associations
        WHERE fromObjectTypeId = '0-1' AND toObjectTypeId = '0-2'""",
}
LINKS["packed"] = LINKS["combined"]
JOINS = {
    "links": """
        SELECT c.id, c.updated, k.id, k.updated, l.associationTypeId, l.associationCategory
        FROM records c JOIN links l ON l.one = c.id JOIN records k ON k.id = l.other
        WHERE c.type = '0-1' AND k.type = '0-2'""",
    "memberships": """
        SELECT r.type, m.listId, r.id, r.updated, epoch_us(m.membershipTimestamp)
        FROM records r JOIN list_memberships m ON m.objectTypeId = r.type AND m.objectId = r.id""",
    "owners": "SELECT r.type, r.id, o.ownerId, o.email FROM records r JOIN owners o ON o.ownerId = r.owner",
    "teams": """
        SELECT r.type, r.id, o.ownerId, o.email, t.teamId
        FROM records r JOIN owners o ON o.ownerId = r.owner JOIN owner_teams t ON t.ownerId = o.ownerId""",
}


def opened(folder, tables):
    """The tables as views."""
    connection = duckdb.connect()
    for name, table in tables.items():
        paths = ", ".join(f"'{path}'" for path in files_of(folder, table))
        connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{paths}], hive_partitioning = false)')
    return connection


def join(connection, verdicts, expected):
    for layout, records in RECORDS.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE records AS {records}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE links AS {LINKS[layout]}")
        for name, query in JOINS.items():
            found, pairs = Counter(connection.execute(query).fetchall()), Counter(expected[name])
            missing, extra = pairs - found, found - pairs
            problem = None
            if missing or extra:
                problem = f"{missing.total()} missing {list(missing)[:2]}, {extra.total()} too many {list(extra)[:2]}"
            verdicts.say(f"{name}, {layout}: {pairs.total()} pairs", problem)


def ids_in(connection, truth, name):
    """Every id in a table, with what it is an id of: the place, the kind and the id."""
    for column, kind in COLUMNS[name].items():
        kind = kind if kind.endswith("TypeId") else f"'{kind}'"
        for kind, id in connection.execute(f"SELECT {kind}, {column} FROM {name}").fetchall():
            yield column, kind, id
    of_types = {type_id: references(truth, type_id) for type_id in (CONTACT, COMPANY)}
    own = {"objects_contacts": CONTACT, "objects_companies": COMPANY}.get(name)
    values = []
    if own:
        for property in of_types[own]:
            found = connection.execute(f"SELECT property_{property} FROM {name}").fetchall()
            values += [(own, property, value) for (value,) in found]
    elif name == "object_properties":
        values = connection.execute(f"SELECT objectTypeId, name, value FROM {name}").fetchall()
    elif name == "object_with_object_properties":
        packed = connection.execute(f"SELECT objectTypeId, properties FROM {name}").fetchall()
        values = [(type_id, *member) for type_id, text in packed for member in json.loads(text).items()]
    for type_id, property, value in values:
        kind = of_types[type_id].get(property)
        if kind and value is not None:
            yield from ((property, kind, id) for id in str(value).split(";") if id)


def gone(truth, mapping):
    """The ids of records that are not there but named: in links, among the ids merged, or by a property."""
    named = {(line["toObjectTypeId"], line["toObjectId"]) for line in truth.lines("associations")}
    for type_id in (CONTACT, COMPANY):
        properties = references(truth, type_id)
        for record in truth.records(type_id):
            for property, kind in properties.items():
                named |= {(kind, id) for id in (record["properties"].get(property) or "").split(";") if id}
    return {(kind, id) for kind, id in named if kind in mapping.new and id not in mapping.new[kind]}


def judge_ids(connection, verdicts, truth, mapping, keeps):
    """No id that has a new one stands where ids stand, and of those without one only such as may."""
    new = {kind: set(ids.values()) for kind, ids in mapping.new.items()}
    may_stay = gone(truth, mapping) if keeps else set()
    stayed = 0
    for name in COLUMNS:
        places = {}
        for place, kind, id in ids_in(connection, truth, name):
            counts = places.setdefault(place, Counter())
            if kind not in new:
                counts["not mapped"] += 1
            elif id in new[kind]:
                counts["new"] += 1
            elif id in mapping.new[kind]:
                counts["old"] += 1
            elif (kind, id) in may_stay:
                counts["gone"] += 1
            else:
                counts["unknown"] += 1
        for place, counts in places.items():
            stayed += counts["gone"]
            wrong = {what: counts[what] for what in ("old", "unknown") if counts[what]}
            none = None if counts["new"] or counts["gone"] else "no id of a kind that is mapped"
            verdicts.say(f"ids in {name}.{place}: {dict(counts)}", f"{wrong}" if wrong else none)
    if keeps:
        verdicts.say("ids of what is gone are as they were", None if stayed else "there are none")


def judge_links(connection, verdicts, truth, mapping, keeps):
    """Links to companies that are gone are there as they were, or not there at all."""
    lines = [line for line in truth.lines("associations") if line["toObjectTypeId"] == COMPANY]
    lines = [line for line in lines if line["fromObjectTypeId"] == CONTACT]
    to_gone = [line for line in lines if line["toObjectId"] not in mapping.new[COMPANY]]
    expected = Counter((mapping.get(CONTACT, line["fromObjectId"]), line["toObjectId"]) for line in to_gone)
    assert expected, "the truth has links to companies that are gone"
    for layout in ("individual", "combined"):
        query = f"SELECT one, other FROM ({LINKS[layout]}) WHERE other NOT IN (SELECT objectId FROM objects_companies)"
        found = Counter(connection.execute(query).fetchall())
        right = found == (expected if keeps else Counter())
        what = "as they were" if keeps else "not there"
        verdicts.say(f"links to what is gone, {layout}, are {what}", None if right else f"found {list(found.items())[:3]}")


def compare(truth, mapping, options):
    verdicts = Verdicts()
    tables = newest_commit(options.folder)["tables"]
    different = set(tables) ^ set(COLUMNS)
    verdicts.say(f"the commit lists {len(COLUMNS)} tables", f"not in both: {sorted(different)}" if different else None)
    connection = opened(options.folder, tables)
    keeps = options.unmapped == "keep"
    join(connection, verdicts, expected_pairs(truth, mapping))
    judge_ids(connection, verdicts, truth, mapping, keeps)
    judge_links(connection, verdicts, truth, mapping, keeps)
    verdicts.end()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--truth", required=True, type=pathlib.Path, help="the folder of the NDJSON files")
    commands = arguments.add_subparsers(dest="command", required=True)
    mapping = commands.add_parser("mapping", help="writes the mapping")
    mapping.add_argument("file", type=pathlib.Path, help="the CSV file")
    comparison = commands.add_parser("compare", help="compares tables")
    comparison.add_argument("folder", type=pathlib.Path, help="the folder of the tables")
    comparison.add_argument("--unmapped", required=True, choices=["keep", "reject"], help="what becomes of ids without a new one")
    options = arguments.parse_args()
    truth = Truth(options.truth)
    if options.command == "mapping":
        Mapping(truth).write(options.file)
    else:
        compare(truth, Mapping(truth), options)


if __name__ == "__main__":
    main()
