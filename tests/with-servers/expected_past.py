"""The rows that tables of history and of events ought to have, made from the truth and from what a pipeline file asks for."""

import fnmatch
import hashlib
import re

from expected import Expected, packed_values, text_of, typed_columns, typed_values
from truth import is_sensitive, requested
from values import flat, instant, parser_of

# These change with every other property. HubSpot does not call them calculated; a glob does not mean them all the same.
LAST_MODIFIED = {"hs_lastmodifieddate", "lastmodifieddate"}

# Versions of a property that HubSpot gives of a record.
MOST_VERSIONS_OF_CONTACTS, MOST_VERSIONS, CONTACTS = 45, 20, "0-1"

# Occurrences that the properties of HubSpot's own events are known from.
SAMPLE = 100


def properties_with_history(truth, type_id, rules):
    """The definitions of the properties of a type whose past the rules of a pipeline file ask for.

    Only what is read itself has a past. A glob means no calculated property; a name does.
    """
    globs = [
        glob
        for rule in rules
        if any(fnmatch.fnmatchcase(truth.stream(type_id), stream) for stream in rule["streams"])
        for glob in rule["properties"]
    ]

    def is_meant(definition):
        name = definition["name"]
        if definition.get("calculated") or name in LAST_MODIFIED:
            return name in globs
        return any(fnmatch.fnmatchcase(name, glob) for glob in globs)

    return [definition for definition in truth.readable(type_id) if is_meant(definition)]


class History:
    """The versions that a run reads: the table, and by type how many histories are as long as HubSpot ever gives."""

    def __init__(self, truth, rules):
        chosen = {
            (type_id, definition["name"]): parser_of(definition)
            for type_id in truth.read_types()
            for definition in properties_with_history(truth, type_id, rules)
        }
        lines = [line for line in truth.lines("property_history") if (line["objectTypeId"], line["name"]) in chosen]
        self.types = sorted({type_id for type_id, _ in chosen})
        self.table = table_of_history(lines, chosen)
        self.lengths = {}
        for line in lines:
            history = (line["objectTypeId"], line["objectId"], line["name"])
            self.lengths[history] = self.lengths.get(history, 0) + 1

    def rows(self, type_id):
        return sum(length for (of, *_), length in self.lengths.items() if of == type_id)

    def capped(self, type_id):
        most = MOST_VERSIONS_OF_CONTACTS if type_id == CONTACTS else MOST_VERSIONS
        return sum(of == type_id and length >= most for (of, *_), length in self.lengths.items())


def table_of_history(lines, parsers):
    """The table of these versions. No record has two of one property at one time."""
    rows = []
    for line in lines:
        text, parser, user = flat(line["value"]), parsers[line["objectTypeId"], line["name"]], line["updatedByUserId"]
        rows.append(
            {
                "objectTypeId": line["objectTypeId"],
                "objectId": line["objectId"],
                "name": line["name"],
                "value": None if text is None else text_of(parser, text, parser and parser[0](text)),
                "updatedAt": instant(line["timestamp"]),
                "sourceType": line["sourceType"],
                "sourceId": flat(line["sourceId"]),
                "updatedByUserId": None if user is None else str(user),
            }
        )
    key = ["objectTypeId", "objectId", "name", "updatedAt"]
    return Expected(key, [*key, "value", "sourceType", "sourceId", "updatedByUserId"], rows)


def own_name(full_name):
    """What an event is called behind that which says whose it is: HubSpot's, the account's or an app's."""
    return re.sub(r"^(e|pe\d+|ae\d+)_", "", full_name, count=1)


def folded(name):
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def event_names(full_names):
    """The names of types of events in streams and tables, by their full names.

    It is the own name. Where several would have one, whatever the case, that of HubSpot's own event stays, if it is plain; each
    other gets a mark of its full name. One whose own name looks like a full name is not in the truth.
    """
    names = {}
    for full_name in full_names:
        own = own_name(full_name)
        assert own and own_name(own) == own, f"{full_name} looks like two"
        same = [other for other in full_names if folded(own_name(other)).lower() == folded(own).lower()]
        keeps = full_name.startswith("e_") and folded(own).lower() == own
        if len(same) == 1 or keeps:
            names[full_name] = folded(own)
        else:
            mark = hashlib.sha256(full_name.encode()).digest()[:4].hex()
            names[full_name] = f"{folded(own).lower().lstrip('_')}_{mark}"
    assert len({name.lower() for name in names.values()}) == len(names), "names are told apart by longer marks"
    return names


class Events:
    """What has happened to the records of one type."""

    def __init__(self, truth, of):
        self.of = of
        self.ids = {line["eventType"]: line["eventTypeId"] for line in truth.lines("event_types")}
        self.names = event_names(list(self.ids))
        self.happened = {full_name: [] for full_name in self.ids}
        anywhere = {full_name: [] for full_name in self.ids}
        for line in truth.lines("events"):
            anywhere[line["eventType"]].append(line)
            if line["objectTypeId"] == of:
                self.happened[line["eventType"]].append(line)
        own = {line["fullyQualifiedName"]: line["properties"] for line in truth.lines("event_definitions")}
        self.definitions = {
            full_name: own[full_name] if full_name in own else sampled(anywhere[full_name]) for full_name in self.ids
        }

    def of_event(self, event):
        return {
            "id": event["id"],
            "eventTypeId": self.ids[event["eventType"]] or event["eventType"],
            "objectTypeId": event["objectTypeId"],
            "objectId": event["objectId"],
            "occurredAt": instant(event["occurredAt"]),
        }

    def by_type(self):
        """A table for each type of events, also of those that never happened."""
        tables = {}
        for full_name, events in self.happened.items():
            definitions = requested(self.definitions[full_name])
            rows = [{**self.of_event(event), **typed_values(definitions, event)} for event in events]
            columns = ["id", "eventTypeId", "objectTypeId", "objectId", "occurredAt", *typed_columns(definitions)]
            tables[f"events_{self.names[full_name]}"] = Expected(("id",), columns, rows)
        return tables

    def combined(self):
        """The table of all of them."""
        rows = [
            {**self.of_event(event), "properties": packed_values(requested(self.definitions[full_name]), event)}
            for full_name, events in self.happened.items()
            for event in events
        ]
        columns = ["id", "properties", "eventTypeId", "objectTypeId", "objectId", "occurredAt"]
        return Expected(("id",), columns, rows, in_json=("properties",))

    def undefined(self, full_name):
        """How many values of a type of events nothing gives a column. Sensitive ones are defined."""
        defined = {definition["name"] for definition in self.definitions[full_name]}
        values = (value for event in self.happened[full_name] for value in event["properties"].items())
        return sum(flat(value) is not None and name not in defined for name, value in values)

    def withheld(self, full_name):
        """The columns of a type of events that are never requested."""
        return sorted(f"property_{line['name']}" for line in self.definitions[full_name] if is_sensitive(line))


def sampled(events):
    """The properties of the newest of these events: all of them text."""
    newest = sorted(events, key=lambda event: instant(event["occurredAt"]), reverse=True)[:SAMPLE]
    names = sorted({name for event in newest for name in event["properties"]})
    return [{"name": name, "type": "string"} for name in names]
