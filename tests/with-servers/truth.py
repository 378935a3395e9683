"""The truth that `sluice simulate --truth` writes, and what its types and links are called in the tables."""

import json
import pathlib
import re

# Old engagements, conversations, forms and lists: they have type ids, and other APIs than that of objects.
NOT_READ = {"0-4", "0-11", "0-15", "0-45"}
SENSITIVE = {"sensitive", "highly_sensitive"}
# Types that HubSpot calls otherwise in the singular than the truth's full name says.
SINGULARS = {"0-47": "meeting_event", "0-116": "postal_mail"}


def is_sensitive(definition):
    return definition.get("dataSensitivity", "non_sensitive") in SENSITIVE


def requested(definitions):
    """Of these definitions of properties, those that a run requests: neither archived nor sensitive."""
    return [definition for definition in definitions if not definition.get("archived") and not is_sensitive(definition)]


class Truth:
    """The folder of the NDJSON files. `type_ids` says which object types have other ids in the tables; `streams`, of which
    records are read, unless of all."""

    def __init__(self, folder, type_ids=None, streams=None):
        self.folder = pathlib.Path(folder)
        self.type_ids = type_ids or {}
        self.streams = streams
        self.types = {line["objectTypeId"]: line for line in self.lines("object_types")}
        self.definitions = {}
        for line in self.lines("property_definitions"):
            self.definitions.setdefault(line["objectTypeId"], []).append(line)

    def lines(self, name):
        with open(self.folder / f"{name}.ndjson", encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]

    def type_id(self, type_id):
        """The id that a type has in the tables."""
        return self.type_ids.get(type_id, type_id)

    def read_types(self):
        """The types of which records are read."""
        found = [type_id for type_id in self.types if type_id not in NOT_READ]
        return [type_id for type_id in found if self.streams is None or self.stream(type_id) in self.streams]

    def readable(self, type_id):
        """Definitions of the properties that a run requests."""
        return requested(self.definitions.get(type_id, []))

    def records(self, type_id):
        return self.lines(self.types[type_id]["file"])

    def stream(self, type_id):
        """The name of a type's stream: that of a custom type as it is, if it is plain and nobody else's."""
        name = self.types[type_id]["name"]
        if not self.types[type_id]["custom"]:
            return name
        standard = {line["name"] for line in self.types.values() if not line["custom"]}
        if re.fullmatch(r"[a-z0-9_]+", name) and name not in standard:
            return name
        return f"custom_{name.lower()}_{type_id.replace('-', '_')}"

    def singular(self, type_id):
        """What one record of a type is called."""
        if self.types[type_id]["custom"]:
            return self.stream(type_id)
        return SINGULARS.get(type_id, self.types[type_id]["fullyQualifiedName"].lower())

    def pairs(self):
        """The types of the ends of links that are defined, in each direction."""
        lines = self.lines("association_definitions")
        return sorted({(line["fromObjectTypeId"], line["toObjectTypeId"]) for line in lines})
