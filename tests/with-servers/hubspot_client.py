"""Reads the simulated HubSpot with HubSpot's own Python client, and compares with the truth.

The client is not ours, so it judges the simulator: what it cannot read, or reads differently from
the NDJSON files that the simulator wrote past its HTTP layer, is a failure. It speaks the numbered
paths (v3). Where its generated part lacks a parameter or an endpoint, its own raw request is used.

Prints a line for each check and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import json
import pathlib
import sys
import time
import traceback
from datetime import datetime

import hubspot
from hubspot.crm import lists, objects, properties, schemas
from hubspot.crm.associations import v4 as associations
from urllib3.util.retry import Retry

# Archived properties are ignored when asked for, and so are names that nothing has.
IGNORED_PROPERTIES = ["fax", "no_such_property"]
SENSITIVITIES = ["non_sensitive", "sensitive", "highly_sensitive"]
BATCH = 100
SEARCH_PAGE = 200
ASSOCIATIONS_BATCH = 1000
MEMBERS_PAGE = 250
USERS_PAGE = 100
# Names of all sixty properties, many times over, would make the URL longer than HubSpot accepts.
FEW_PROPERTIES = 25

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Simulated:
    """The client, and the truth that the simulator wrote: of at most 10,000 contacts, for search shows no more."""

    def __init__(self, base_url, token, truth):
        # Waits as the rate limits ask, with the client's own means.
        patient = Retry(total=20, status_forcelist=(429,), allowed_methods=None, backoff_factor=1)
        self.client = hubspot.HubSpot(access_token=token, retry=patient, host=base_url, base_url=base_url)
        self.truth = pathlib.Path(truth)

    def lines(self, name):
        with open(self.truth / f"{name}.ndjson", encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]

    def raw(self, path, **query):
        """The client's raw request, for what its generated part does not know."""
        response = self.client.api_request({"path": path, "qs": query})
        while response.status_code == 429:
            time.sleep(float(response.headers.get("Retry-After", "1")))
            response = self.client.api_request({"path": path, "qs": query})
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.json()


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def equal(read, expected, what):
    assert read == expected, f"{what}: read {read!r}, expected {expected!r}"


def same_records(read, expected, names, what):
    """Compares records of the client with lines of the truth, in order, value by value."""
    equal([record.id for record in read], [line["id"] for line in expected], f"{what}: ids")
    for record, line in zip(read, expected):
        equal(record.archived, line["archived"], f"{what} {record.id}: archived")
        equal(record.created_at, moment(line["createdAt"]), f"{what} {record.id}: createdAt")
        equal(record.updated_at, moment(line["updatedAt"]), f"{what} {record.id}: updatedAt")
        for name in names:
            equal(record.properties[name], line["properties"][name], f"{what} {record.id}: {name}")
        for name in IGNORED_PROPERTIES:
            assert name not in record.properties, f"{what} {record.id}: {name} was returned"


def chunks(names):
    return [names[start : start + FEW_PROPERTIES] for start in range(0, len(names), FEW_PROPERTIES)]


@check
def contacts_by_their_own_api(simulated):
    expected = simulated.lines("contacts")
    for names in chunks(list(expected[0]["properties"])):
        read = simulated.client.crm.contacts.get_all(properties=names + IGNORED_PROPERTIES)
        same_records(read, expected, names, "contacts")


@check
def archived_contacts(simulated):
    expected = simulated.lines("contacts.archived")
    assert expected, "the truth has no archived contacts"
    names = ["email", "intake_notes"]
    read = simulated.client.crm.contacts.get_all(properties=names, archived=True)
    same_records(read, expected, names, "archived contacts")
    for record, line in zip(read, expected):
        equal(record.archived_at, moment(line["archivedAt"]), f"{record.id}: archivedAt")


@check
def every_object_type_by_the_generic_api(simulated):
    for object_type in simulated.lines("object_types"):
        file = object_type["file"]
        expected = simulated.lines(file)
        names = list(expected[0]["properties"]) if expected else []
        if file != "contacts":
            read = simulated.client.crm.objects.get_all(object_type["objectTypeId"], properties=names)
            same_records(read, expected, names, file)


@check
def custom_objects_by_fully_qualified_name(simulated):
    custom = [line for line in simulated.lines("object_types") if line["custom"]]
    assert len(custom) >= 2, custom
    for object_type in custom:
        name = object_type["fullyQualifiedName"]
        read = simulated.client.crm.objects.get_all(name)
        equal([record.id for record in read], [line["id"] for line in simulated.lines(name)], name)


@check
def a_custom_object_by_bare_name_is_refused(simulated):
    try:
        simulated.client.crm.objects.basic_api.get_page("vehicle")
    except objects.ApiException as refusal:
        assert refusal.status in (400, 404), refusal.status
    else:
        raise AssertionError("the bare name was accepted")


@check
def one_record(simulated):
    line = simulated.lines("contacts")[0]
    names = list(line["properties"])
    read = simulated.client.crm.contacts.basic_api.get_by_id(line["id"], properties=names)
    same_records([read], [line], names, "one contact")


@check
def batch_read_in_any_order(simulated):
    expected = {line["id"]: line for line in simulated.lines("contacts")}
    names = list(next(iter(expected.values()))["properties"])
    ids = list(expected)
    shuffled = False
    for start in range(0, len(ids), BATCH):
        wanted = ids[start : start + BATCH]
        body = objects.BatchReadInputSimplePublicObjectId(
            inputs=[objects.SimplePublicObjectId(id=id) for id in wanted], properties=names, properties_with_history=[]
        )
        read = simulated.client.crm.objects.batch_api.read("contacts", body).results
        found = [record.id for record in read]
        equal(sorted(found), sorted(wanted), "batch read: ids")
        shuffled |= found != wanted
        for record in read:
            same_records([record], [expected[record.id]], names, "batch read")
    assert shuffled, "no batch came in an order of its own"


@check
def a_batch_read_with_missing_ids(simulated):
    line = simulated.lines("contacts")[0]
    inputs = [objects.SimplePublicObjectId(id=id) for id in (line["id"], "1")]
    body = objects.BatchReadInputSimplePublicObjectId(inputs=inputs, properties=["email"], properties_with_history=[])
    read = simulated.client.crm.objects.batch_api.read("contacts", body)
    assert isinstance(read, objects.BatchResponseSimplePublicObjectWithErrors), type(read)
    same_records(read.results, [line], ["email"], "batch read")
    equal([(error.category, error.context) for error in read.errors], [("OBJECT_NOT_FOUND", {"ids": ["1"]})], "errors")


def search_all(simulated, object_type, **request):
    hits, after = [], None
    while True:
        body = objects.PublicObjectSearchRequest(limit=SEARCH_PAGE, after=after, **request)
        page = simulated.client.crm.objects.search_api.do_search(object_type, body)
        hits.extend(page.results)
        if page.paging is None:
            equal(len(hits), page.total, f"search {object_type}: total")
            return hits
        after = page.paging.next.after


@check
def search_pages_by_offset(simulated):
    names = ["email", "lifecyclestage", "biography"]
    expected = simulated.lines("contacts")
    same_records(search_all(simulated, "contacts", properties=names), expected, names, "search")


@check
def search_by_modified_time_and_id(simulated):
    lines = simulated.lines("contacts")
    since = sorted(line["updatedAt"] for line in lines)[len(lines) // 2]
    after_id = int(lines[len(lines) // 4]["id"])
    filters = [
        objects.Filter(property_name="lastmodifieddate", operator="GTE", value=since),
        objects.Filter(property_name="hs_object_id", operator="GT", value=str(after_id)),
    ]
    sorts = [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}]
    hits = search_all(simulated, "contacts", filter_groups=[objects.FilterGroup(filters=filters)], sorts=sorts)
    wanted = [line for line in lines if moment(line["updatedAt"]) >= moment(since) and int(line["id"]) > after_id]
    wanted.sort(key=lambda line: (moment(line["updatedAt"]), int(line["id"])))
    same_records(hits, wanted, [], "search by time")


@check
def properties_by_the_generated_api(simulated):
    definitions = simulated.lines("property_definitions")
    for object_type in simulated.lines("object_types"):
        type_id = object_type["objectTypeId"]
        for archived in (False, True):
            read = simulated.client.crm.properties.core_api.get_all(type_id, archived=archived).results
            expected = {
                line["name"]: line
                for line in definitions
                if line["objectTypeId"] == type_id
                and line["archived"] == archived
                and line["dataSensitivity"] == "non_sensitive"
            }
            equal(sorted(one.name for one in read), sorted(expected), f"{type_id}: names")
            for one in read:
                line = expected[one.name]
                for attribute, field in [
                    ("label", "label"),
                    ("type", "type"),
                    ("field_type", "fieldType"),
                    ("group_name", "groupName"),
                    ("calculated", "calculated"),
                    ("has_unique_value", "hasUniqueValue"),
                    ("hubspot_defined", "hubspotDefined"),
                ]:
                    equal(getattr(one, attribute), line[field], f"{type_id} {one.name}: {field}")
                equal(one.referenced_object_type, line.get("referencedObjectType"), f"{type_id} {one.name}: references")
                options = [(option.value, option.label) for option in one.options]
                equal(options, [(option["value"], option["label"]) for option in line["options"]], one.name)


@check
def properties_by_sensitivity(simulated):
    expected = {(line["objectTypeId"], line["name"]): line for line in simulated.lines("property_definitions")}
    read = {}
    for object_type in simulated.lines("object_types"):
        type_id = object_type["objectTypeId"]
        for level in SENSITIVITIES:
            for archived in ("false", "true"):
                path = f"/crm/v3/properties/{type_id}"
                for one in simulated.raw(path, dataSensitivity=level, archived=archived)["results"]:
                    equal(one["dataSensitivity"], level, one["name"])
                    read[type_id, one["name"]] = {**one, "objectTypeId": type_id}
    equal(read, expected, "definitions")
    marked = [name for (_, name), one in read.items() if "HIPAA" in one.get("sensitiveDataCategories", [])]
    assert "diagnosis_code" in marked, marked


@check
def one_property(simulated):
    read = simulated.client.crm.properties.core_api.get_by_name("contacts", "hubspot_owner_id")
    equal((read.name, read.referenced_object_type, read.external_options), ("hubspot_owner_id", "OWNER", True), "owner")
    try:
        simulated.client.crm.properties.core_api.get_by_name("contacts", "no_such_property")
    except properties.ApiException as refusal:
        equal(refusal.status, 404, "status")
    else:
        raise AssertionError("a property that does not exist was found")


@check
def schemas_of_custom_types(simulated):
    expected = {line["objectTypeId"]: line for line in simulated.lines("schemas")}
    read = []
    for archived in (False, True):
        page = simulated.client.crm.schemas.core_api.get_all(archived=archived).results
        assert all(schema.archived == archived for schema in page)
        read.extend(page)
    equal(sorted(schema.object_type_id for schema in read), sorted(expected), "type ids")
    for schema in read:
        line = expected[schema.object_type_id]
        equal(schema.name, line["name"], "name")
        equal(schema.fully_qualified_name, line["fullyQualifiedName"], "fullyQualifiedName")
        equal((schema.labels.singular, schema.labels.plural), (line["labels"]["singular"], line["labels"]["plural"]), "labels")
        equal([one.name for one in schema.properties], [one["name"] for one in line["properties"]], "properties")
        equal([one.name for one in schema.associations], [one["name"] for one in line["associations"]], "associations")
    one = simulated.client.crm.schemas.core_api.get_by_id(read[0].fully_qualified_name)
    equal(one.object_type_id, read[0].object_type_id, "one schema")
    try:
        simulated.client.crm.schemas.core_api.get_by_id("2-1")
    except schemas.ApiException as refusal:
        equal(refusal.status, 404, "status")
    else:
        raise AssertionError("a schema that does not exist was found")


@check
def owners_active_and_archived(simulated):
    expected = simulated.lines("owners")
    for archived in (False, True):
        read = simulated.client.crm.owners.get_all(archived=archived)
        lines = [line for line in expected if line["archived"] == archived]
        assert lines
        equal([owner.id for owner in read], [line["id"] for line in lines], "ids")
        for owner, line in zip(read, lines):
            for attribute, field in [
                ("email", "email"),
                ("type", "type"),
                ("first_name", "firstName"),
                ("last_name", "lastName"),
                ("user_id", "userId"),
                ("user_id_including_inactive", "userIdIncludingInactive"),
                ("archived", "archived"),
            ]:
                equal(getattr(owner, attribute), line.get(field), f"owner {owner.id}: {field}")
            equal(owner.created_at, moment(line["createdAt"]), f"owner {owner.id}: createdAt")
            teams = [(team.id, team.name, team.primary) for team in owner.teams or []]
            wanted = [(team["id"], team["name"], team["primary"]) for team in line.get("teams", [])]
            equal(teams, wanted, f"owner {owner.id}: teams")


def kinds_of(pairs):
    return sorted(pairs, key=lambda kind: tuple(str(part) for part in kind))


def read_associations(simulated, from_type, to_type, ids):
    """All links of these records by batch reads, each record's pages one after the other."""
    read, without = [], 0
    for start in range(0, len(ids), ASSOCIATIONS_BATCH):
        wanted = [{"id": id} for id in ids[start : start + ASSOCIATIONS_BATCH]]
        while wanted:
            inputs = [associations.PublicFetchAssociationsBatchRequest(**one) for one in wanted]
            body = associations.BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
            page = simulated.client.crm.associations.v4.batch_api.get_page(from_type, to_type, body)
            errors = getattr(page, "errors", None) or []
            equal(len(page.results) + len(errors), len(wanted), f"{from_type} to {to_type}: inputs answered for")
            for error in errors:
                assert "NO_ASSOCIATIONS_FOUND" in str(error.sub_category), error
            without += len(errors)
            wanted = []
            for result in page.results:
                for link in result.to:
                    for kind in link.association_types:
                        read.append((result._from.id, str(link.to_object_id), kind.category, kind.type_id, kind.label))
                if result.paging is not None and result.paging.next is not None:
                    wanted.append({"id": result._from.id, "after": result.paging.next.after})
    return kinds_of(read), without


@check
def associations_of_every_pair(simulated):
    expected = {}
    for line in simulated.lines("association_definitions"):
        expected.setdefault((line["fromObjectTypeId"], line["toObjectTypeId"]), [])
    for line in simulated.lines("associations"):
        kind = tuple(line[field] for field in ("fromObjectId", "toObjectId", "category", "typeId", "label"))
        expected[line["fromObjectTypeId"], line["toObjectTypeId"]].append(kind)
    files = {line["objectTypeId"]: line["file"] for line in simulated.lines("object_types")}
    have_none = 0
    for (from_type, to_type), lines in expected.items():
        ids = [line["id"] for line in simulated.lines(files[from_type])]
        read, without = read_associations(simulated, from_type, to_type, ids)
        equal(read, kinds_of(lines), f"{from_type} to {to_type}")
        equal(without, len(ids) - len({line[0] for line in lines}), f"{from_type} to {to_type}: without any")
        have_none += without
    assert have_none, "every record has associations"


@check
def associations_of_one_record(simulated):
    lines = [line for line in simulated.lines("associations") if (line["fromObjectTypeId"], line["toObjectTypeId"]) == ("0-2", "0-1")]
    counts = {}
    for line in lines:
        counts.setdefault(line["fromObjectId"], set()).add(line["toObjectId"])
    most = max(counts, key=lambda id: len(counts[id]))
    read, after = [], None
    while True:
        options = {} if after is None else {"after": after}
        page = simulated.client.crm.associations.v4.basic_api.get_page("companies", most, "contacts", limit=500, **options)
        read.extend(str(link.to_object_id) for link in page.results)
        if page.paging is None:
            break
        after = page.paging.next.after
    equal(sorted(read), sorted(counts[most]), "contacts of the payer")


@check
def a_pair_without_definition_is_refused(simulated):
    body = associations.BatchInputPublicFetchAssociationsBatchRequest(
        inputs=[associations.PublicFetchAssociationsBatchRequest(id="1")]
    )
    try:
        simulated.client.crm.associations.v4.batch_api.get_page("products", "contacts", body)
    except associations.ApiException as refusal:
        equal(refusal.status, 400, "status")
    else:
        raise AssertionError("a pair without definition was answered")


@check
def labels_and_configured_limits(simulated):
    definitions = simulated.lines("association_definitions")
    pairs = dict.fromkeys((line["fromObjectTypeId"], line["toObjectTypeId"]) for line in definitions)
    for from_type, to_type in [*pairs, ("0-7", "0-1")]:
        read = simulated.client.crm.associations.v4.schema.definitions_api.get_all(from_type, to_type).results
        lines = [line for line in definitions if (line["fromObjectTypeId"], line["toObjectTypeId"]) == (from_type, to_type)]
        equal(
            [(one.category, one.type_id, one.label) for one in read],
            [(line["category"], line["typeId"], line["label"]) for line in lines],
            f"{from_type} to {to_type}: labels",
        )
    read = simulated.client.crm.associations.v4.schema.definition_configurations_api.get_all().results
    equal(
        [(one.category, one.type_id, one.user_enforced_max_to_object_ids) for one in read],
        [(line["category"], line["typeId"], line["maxToObjectIds"]) for line in definitions if "maxToObjectIds" in line],
        "configured limits",
    )


@check
def lists_by_search_and_by_id(simulated):
    expected = simulated.lines("lists")
    read, offset = [], 0
    while True:
        body = lists.ListSearchRequest(list_ids=[], offset=offset, query="", processing_types=[], additional_properties=[])
        page = simulated.client.crm.lists.lists_api.do_search(body)
        read.extend(page.lists)
        offset = page.offset
        if not page.has_more:
            break
    equal([one.list_id for one in read], [line["listId"] for line in expected], "ids")
    for one, line in zip(read, expected):
        for attribute, field in [
            ("name", "name"),
            ("object_type_id", "objectTypeId"),
            ("processing_type", "processingType"),
            ("processing_status", "processingStatus"),
            ("list_version", "listVersion"),
            ("created_by_id", "createdById"),
            ("additional_properties", "additionalProperties"),
        ]:
            equal(getattr(one, attribute), line[field], f"list {one.list_id}: {field}")
        equal(one.created_at, moment(line["createdAt"]), f"list {one.list_id}: createdAt")
        changed = moment(line["filtersUpdatedAt"]) if "filtersUpdatedAt" in line else None
        equal(one.filters_updated_at, changed, f"list {one.list_id}: filtersUpdatedAt")
        fetched = simulated.client.crm.lists.lists_api.get_by_id(one.list_id).list
        equal((fetched.name, fetched.size), (line["name"], line["size"]), f"list {one.list_id}")


@check
def memberships_by_list(simulated):
    expected = {}
    for line in simulated.lines("list_memberships"):
        expected.setdefault(line["listId"], []).append((line["recordId"], moment(line["membershipTimestamp"])))
    for list_id in [line["listId"] for line in simulated.lines("lists")]:
        members = expected.get(list_id, [])
        for by_id, call in [
            (True, simulated.client.crm.lists.memberships_api.get_page),
            (False, simulated.client.crm.lists.memberships_api.get_page_ordered_by_added_to_list_date),
        ]:
            read, options = [], {}
            while True:
                page = call(list_id, limit=MEMBERS_PAGE, **options)
                read.extend((one.record_id, one.membership_timestamp) for one in page.results)
                if page.paging is None:
                    break
                options = {"after": page.paging.next.after}
            order = members if by_id else sorted(members, key=lambda member: (member[1], int(member[0])))
            equal(read, order, f"list {list_id}: members")


@check
def lists_of_a_record(simulated):
    lines = simulated.lines("list_memberships")
    for type_id, record_id in dict.fromkeys((line["objectTypeId"], line["recordId"]) for line in lines[:: len(lines) // 20]):
        read = simulated.client.crm.lists.memberships_api.get_lists(type_id, record_id).results
        wanted = [
            (line["listId"], moment(line["membershipTimestamp"]))
            for line in lines
            if (line["objectTypeId"], line["recordId"]) == (type_id, record_id)
        ]
        equal([(one.list_id, one.last_added_timestamp) for one in read], wanted, f"lists of {type_id} {record_id}")


@check
def users_and_teams(simulated):
    expected, read, options = simulated.lines("account_users"), [], {}
    while True:
        page = simulated.client.settings.users.users_api.get_page(limit=USERS_PAGE, **options)
        read.extend(page.results)
        if page.paging is None:
            break
        options = {"after": page.paging.next.after}
    equal([user.id for user in read], [line["id"] for line in expected], "users: ids")
    # The generated class has no names; the raw page does.
    raw = simulated.raw("/settings/v3/users/")["results"]
    equal(raw, expected[: len(raw)], "users: raw")
    for user, line in zip(read, expected):
        for attribute, field in [
            ("email", "email"),
            ("primary_team_id", "primaryTeamId"),
            ("secondary_team_ids", "secondaryTeamIds"),
            ("role_ids", "roleIds"),
            ("super_admin", "superAdmin"),
        ]:
            equal(getattr(user, attribute), line.get(field), f"user {user.id}: {field}")
    teams = simulated.client.settings.users.teams_api.get_all().results
    equal(
        [(team.id, team.name, team.user_ids, team.secondary_user_ids) for team in teams],
        [(line["id"], line["name"], line["userIds"], line["secondaryUserIds"]) for line in simulated.lines("teams")],
        "teams",
    )


@check
def pipelines_and_stages(simulated):
    pipelines, stages = simulated.lines("pipelines"), simulated.lines("pipeline_stages")
    for type_id in dict.fromkeys(line["objectTypeId"] for line in pipelines):
        read = simulated.client.crm.pipelines.pipelines_api.get_all(type_id).results
        lines = [line for line in pipelines if line["objectTypeId"] == type_id]
        equal([one.id for one in read], [line["id"] for line in lines], f"{type_id}: pipelines")
        for one, line in zip(read, lines):
            equal((one.label, one.display_order), (line["label"], line["displayOrder"]), f"{type_id} {one.id}")
            equal(one.created_at, moment(line["createdAt"]), f"{type_id} {one.id}: createdAt")
            wanted = [stage for stage in stages if (stage["objectTypeId"], stage["pipelineId"]) == (type_id, one.id)]
            equal(
                [(stage.id, stage.label, stage.metadata, stage.display_order) for stage in one.stages],
                [(stage["id"], stage["label"], stage["metadata"], stage["displayOrder"]) for stage in wanted],
                f"{type_id} {one.id}: stages",
            )


@check
def account_usage_limits_and_library(simulated):
    details = simulated.raw("/account-info/v3/details")
    custom = simulated.lines("schemas")[0]["fullyQualifiedName"]
    assert custom.startswith(f"p{details['portalId']}_"), (custom, details)

    usage = simulated.raw("/account-info/v3/api-usage/daily/private-apps")["results"][0]
    assert 0 < usage["currentUsage"] <= usage["usageLimit"], usage
    assert moment(usage["resetsAt"]) > moment(usage["collectedAt"]), usage

    limits = simulated.raw("/crm/v3/limits/records")
    counted = limits["hubspotDefinedObjectTypes"] + limits["customObjectTypes"]["byObjectType"]
    expected = {line["objectTypeId"]: line["live"] for line in simulated.lines("object_types")}
    equal({one["objectTypeId"]: one["usage"] for one in counted}, expected, "record counts")

    enabled = simulated.raw("/crm/v3/object-library/enablement")["enablementByObjectTypeId"]
    standard = {line["objectTypeId"] for line in simulated.lines("object_types") if not line["custom"]}
    equal(set(enabled), standard, "object library")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", required=True, help="where the simulated HubSpot listens")
    parser.add_argument("--token", required=True, help="a token that may read sensitive values")
    parser.add_argument("--truth", required=True, help="the folder with the simulator's NDJSON files")
    arguments = parser.parse_args()

    simulated = Simulated(arguments.base_url, arguments.token, arguments.truth)
    failed = 0
    for one in CHECKS:
        try:
            one(simulated)
        except Exception:  # Whatever went wrong, the other checks are still of interest.
            failed += 1
            print(f"FAILED {one.__name__}", flush=True)
            traceback.print_exc()
        else:
            print(f"ok     {one.__name__}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
