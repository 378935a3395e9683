"""The rows that each table ought to have, made from the truth.

What transforms do stands with those who use them.
"""

from values import canonical, flat, instant, parser_of, times


class Expected:
    """The rows of a table, by their key. `in_json` names the columns that hold JSON; `is_timed` says whether a table has the
    time of reading, which the truth cannot know."""

    def __init__(self, key, columns, rows, in_json=(), is_timed=True):
        self.key, self.columns, self.in_json, self.is_timed = key, columns, in_json, is_timed
        self.rows = {}
        for row in rows:
            assert row.keys() == set(columns), f"{row.keys()} are not {columns}"
            identity = tuple(row[part] for part in key)
            assert identity not in self.rows, f"the truth has {identity} twice"
            self.rows[identity] = {**row, **{name: None if row[name] is None else canonical(row[name]) for name in in_json}}


def listed(key, rows, in_json=()):
    """A table of definitions: there are some of each, so the first says the columns."""
    return Expected(key, list(rows[0]), rows, in_json)


RECORD = ("objectTypeId", "objectId")


def of_record(truth, type_id, record):
    return {"objectTypeId": truth.type_id(type_id), "objectId": record["id"], "updatedAt": instant(record["updatedAt"])}


def values_of(definitions, record):
    """A record's values that are there: the property's name, how it is parsed, the text, and the value if the text fits."""
    for definition in definitions:
        text, parser = record["properties"].get(definition["name"]) or None, parser_of(definition)
        if text is not None:
            yield definition["name"], parser, text, parser and parser[0](text)


def text_of(parser, text, value):
    """A value as text: in one form, if it fits its property's type, and otherwise as it is."""
    return text if value is None else parser[2](value)


def typed_columns(definitions):
    """The columns of properties: one for the values that fit its type, and one for those that do not."""
    columns = []
    for definition in definitions:
        columns.append(f"property_{definition['name']}")
        if parser_of(definition):
            columns.append(f"property_unparsed_{definition['name']}")
    return columns


def typed_values(definitions, record):
    """A record's values in these columns."""
    row = dict.fromkeys(typed_columns(definitions))
    for name, parser, text, value in values_of(definitions, record):
        if parser and value is None:
            row[f"property_unparsed_{name}"] = text
        else:
            row[f"property_{name}"] = value if parser else text
    return row


def packed_values(definitions, record):
    """A record's values as members of a JSON object."""
    values = values_of(definitions, record)
    return {name: text if value is None else parser[1](value) for name, parser, text, value in values}


def records(truth, type_id):
    """The table of the records of a type."""
    definitions = truth.readable(type_id)
    rows = [
        {**of_record(truth, type_id, record), **typed_values(definitions, record)} for record in truth.records(type_id)
    ]
    return Expected(RECORD, ["objectTypeId", "objectId", "updatedAt", *typed_columns(definitions)], rows)


def all_records(truth):
    """The table of all records, whatever their type."""
    rows = [of_record(truth, type_id, record) for type_id in truth.read_types() for record in truth.records(type_id)]
    return Expected(RECORD, [*RECORD, "updatedAt"], rows)


def all_values(truth):
    """The table of a row for each value, all of it text."""
    rows = []
    for type_id in truth.read_types():
        definitions = truth.readable(type_id)
        for record in truth.records(type_id):
            for name, parser, text, value in values_of(definitions, record):
                row = {"objectTypeId": truth.type_id(type_id), "objectId": record["id"], "name": name}
                rows.append({**row, "value": text_of(parser, text, value)})
    return Expected((*RECORD, "name"), [*RECORD, "name", "value"], rows, is_timed=False)


def packed_records(truth):
    """The table of one JSON object a record."""
    rows = []
    for type_id in truth.read_types():
        definitions = truth.readable(type_id)
        for record in truth.records(type_id):
            row = of_record(truth, type_id, record)
            rows.append({**row, "properties": packed_values(definitions, record)})
    return Expected(RECORD, [*RECORD, "properties", "updatedAt"], rows, in_json=("properties",))


MEANING = ("associationTypeId", "associationCategory")
ENDS = ("fromObjectTypeId", "fromObjectId", "toObjectTypeId", "toObjectId")


def links(truth):
    """The table of all links, in both directions."""
    rows = [
        {
            **{end: truth.type_id(line[end]) if end.endswith("TypeId") else line[end] for end in ENDS},
            "associationTypeId": str(line["typeId"]),
            "associationCategory": line["category"],
            "label": line["label"],
            "isMainAssociationDefinition": line["isMain"],
        }
        for line in truth.lines("associations")
    ]
    return Expected((*ENDS, *MEANING), [*ENDS, *MEANING, "label", "isMainAssociationDefinition"], rows)


def links_by_pair(truth, everything):
    """The tables of links between two types, out of that of all."""
    tables = {}
    for from_type, to_type in truth.pairs():
        ends = [f"{truth.singular(from_type)}_objectId", f"{truth.singular(to_type)}_objectId"]
        if from_type == to_type:
            ends = [f"from_{ends[0]}", f"to_{ends[1]}"]
        name = f"associations_{truth.stream(from_type)}_to_{truth.stream(to_type)}"
        rows = []
        for row in everything.rows.values():
            if (row["fromObjectTypeId"], row["toObjectTypeId"]) == (truth.type_id(from_type), truth.type_id(to_type)):
                rest = {column: value for column, value in row.items() if column not in ENDS}
                rows.append({ends[0]: row["fromObjectId"], ends[1]: row["toObjectId"], **rest})
        columns = [*ends, *MEANING, "label", "isMainAssociationDefinition"]
        tables[name] = Expected((*ends, *MEANING), columns, rows)
    return tables


def association_definitions(truth):
    rows = [
        {
            "fromObjectTypeId": truth.type_id(line["fromObjectTypeId"]),
            "toObjectTypeId": truth.type_id(line["toObjectTypeId"]),
            "associationTypeId": str(line["typeId"]),
            "associationCategory": line["category"],
            "label": line["label"],
            "isMainAssociationDefinition": line["isMain"],
            "maxToObjectIds": line.get("maxToObjectIds"),
        }
        for line in truth.lines("association_definitions")
    ]
    return listed(("fromObjectTypeId", "toObjectTypeId", *MEANING), rows)


def lists(truth):
    rows = []
    for line in truth.lines("lists"):
        more = line["additionalProperties"]
        rows.append(
            {
                "listId": line["listId"],
                "objectTypeId": truth.type_id(line["objectTypeId"]),
                "name": flat(line["name"]),
                "processingType": line["processingType"],
                "processingStatus": line["processingStatus"],
                "listVersion": line["listVersion"],
                "size": line["size"],
                "folderName": flat(more.get("hs_folder_name")),
                "createdByUserId": line.get("createdById"),
                "updatedByUserId": line.get("updatedById"),
                "lastRecordAddedAt": instant(more.get("hs_last_record_added_at", "")),
                "lastRecordRemovedAt": instant(more.get("hs_last_record_removed_at", "")),
                "filtersUpdatedAt": instant(line.get("filtersUpdatedAt", "")),
                **times(line),
            }
        )
    return listed(("listId",), rows)


def list_memberships(truth):
    rows = [
        {
            "listId": line["listId"],
            "objectTypeId": truth.type_id(line["objectTypeId"]),
            "objectId": line["recordId"],
            "membershipTimestamp": instant(line["membershipTimestamp"]),
        }
        for line in truth.lines("list_memberships")
    ]
    return listed(("listId", *RECORD), rows)


def owners(truth):
    rows = []
    for owner in truth.lines("owners"):
        user = owner.get("userId")
        user = owner.get("userIdIncludingInactive") if user is None else user
        rows.append(
            {
                "ownerId": owner["id"],
                "userId": None if user is None else str(user),
                "email": flat(owner.get("email")),
                "firstName": flat(owner.get("firstName")),
                "lastName": flat(owner.get("lastName")),
                "type": owner.get("type"),
                "archived": owner["archived"],
                **times(owner),
            }
        )
    return listed(("ownerId",), rows)


def owner_teams(truth):
    rows = [
        {"ownerId": owner["id"], "teamId": team["id"], "isPrimary": team["primary"]}
        for owner in truth.lines("owners")
        for team in owner.get("teams", [])
    ]
    return listed(("ownerId", "teamId"), rows)


def teams(truth):
    rows = [
        {
            "teamId": team["id"],
            "name": flat(team["name"]),
            "members": len(team["userIds"]),
            "secondaryMembers": len(team["secondaryUserIds"]),
        }
        for team in truth.lines("teams")
    ]
    return listed(("teamId",), rows)


def users(truth):
    rows = [
        {
            "userId": user["id"],
            "email": flat(user.get("email")),
            "firstName": flat(user.get("firstName")),
            "lastName": flat(user.get("lastName")),
            "superAdmin": user["superAdmin"],
            "primaryTeamId": user.get("primaryTeamId"),
            "secondaryTeamIds": flat(";".join(user.get("secondaryTeamIds", []))),
            "roleIds": flat(";".join(user.get("roleIds", []))),
        }
        for user in truth.lines("account_users")
    ]
    return listed(("userId",), rows)


def pipelines(truth):
    rows = [
        {
            "objectTypeId": truth.type_id(pipeline["objectTypeId"]),
            "pipelineId": pipeline["id"],
            "label": pipeline["label"],
            "displayOrder": pipeline["displayOrder"],
            "archived": pipeline["archived"],
            **times(pipeline),
        }
        for pipeline in truth.lines("pipelines")
    ]
    return listed(("objectTypeId", "pipelineId"), rows)


def pipeline_stages(truth):
    rows = [
        {
            "objectTypeId": truth.type_id(stage["objectTypeId"]),
            "pipelineId": stage["pipelineId"],
            "stageId": stage["id"],
            "label": stage["label"],
            "displayOrder": stage["displayOrder"],
            "archived": stage["archived"],
            "metadata": stage["metadata"],
            **times(stage),
        }
        for stage in truth.lines("pipeline_stages")
    ]
    return listed(("objectTypeId", "pipelineId", "stageId"), rows, in_json=("metadata",))


# What HubSpot says of a property in words: of one that the pipeline marks it does not pass.
SAID = ("label", "description", "groupName", "options")


def property_definitions(truth, marked):
    rows = []
    for type_id in truth.read_types():
        for line in truth.readable(type_id):
            texts = ("label", "description", "type", "fieldType", "groupName", "referencedObjectType", "dataSensitivity")
            flags = ("calculated", "hasUniqueValue", "hubspotDefined", "archived")
            if (type_id, line["name"]) in marked:
                line = {name: value for name, value in line.items() if name not in SAID}
            rows.append(
                {
                    "objectTypeId": truth.type_id(type_id),
                    "name": line["name"],
                    **{name: flat(line.get(name)) for name in texts},
                    **{name: line[name] for name in flags},
                    "options": line.get("options") or None,
                    "sensitiveDataCategories": line.get("sensitiveDataCategories") or None,
                    **times(line),
                }
            )
    return listed(("objectTypeId", "name"), rows, in_json=("options", "sensitiveDataCategories"))


def type_definitions(truth):
    """HubSpot's own types, of which the API tells nothing but that the account has them, and the account's."""
    nothing = ("fullyQualifiedName", "singularLabel", "pluralLabel", "description", "primaryDisplayProperty", "archived")
    rows = []
    for type_id in truth.read_types():
        if not truth.types[type_id]["custom"]:
            row = {"objectTypeId": type_id, "name": truth.types[type_id]["name"], "custom": False}
            rows.append({**row, **dict.fromkeys(nothing), "createdAt": None, "updatedAt": None})
    for schema in truth.lines("schemas"):
        if not schema["archived"]:
            rows.append(
                {
                    "objectTypeId": truth.type_id(schema["objectTypeId"]),
                    "fullyQualifiedName": schema["fullyQualifiedName"],
                    "name": schema["name"],
                    "singularLabel": flat(schema["labels"].get("singular")),
                    "pluralLabel": flat(schema["labels"].get("plural")),
                    "description": flat(schema.get("description")),
                    "primaryDisplayProperty": flat(schema.get("primaryDisplayProperty")),
                    "custom": True,
                    "archived": schema["archived"],
                    **times(schema),
                }
            )
    return listed(("objectTypeId",), rows)


def definitions(truth, marked=frozenset()):
    """What has one table each, whatever the layout, but for what links may mean: lists and their members, people, definitions.
    `marked`: the properties that the pipeline marks, each with its type."""
    return {
        "lists": lists(truth),
        "list_memberships": list_memberships(truth),
        "owners": owners(truth),
        "owner_teams": owner_teams(truth),
        "teams": teams(truth),
        "users": users(truth),
        "pipelines": pipelines(truth),
        "pipeline_stages": pipeline_stages(truth),
        "property_definitions": property_definitions(truth, marked),
        "object_and_event_type_definitions": type_definitions(truth),
    }
