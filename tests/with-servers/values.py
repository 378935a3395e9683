"""Values as HubSpot writes them, and what they are by the types of their properties.

The rules are written here a second time, in Python, from their documentation.
"""

import json
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


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

def number_text(value):
    """A number with all its digits, without an exponent, and without a point where it is whole."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def date_text(value):
    return (date(1970, 1, 1) + timedelta(days=value)).isoformat()


def time_text(micros):
    seconds, fraction = divmod(micros, 1_000_000)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return text + (f".{fraction:06}".rstrip("0") if fraction else "") + "Z"


# By a property's type: what parses a value, what it is in JSON, and what it is as text.
PARSERS = {
    "number": (number, float, number_text),
    "bool": ({"true": True, "false": False}.get, bool, {True: "true", False: "false"}.get),
    "date": (days, date_text, date_text),
    "datetime": (instant, time_text, time_text),
}


def parser_of(definition):
    """How a property's values are parsed, or None where they stay text."""
    if definition.get("referencedObjectType") or definition["name"] in ("hs_object_id", "hs_merged_object_ids"):
        return None
    if definition["type"] == "number" and re.search(r"(_id|_ids|_vid|_vids|_userid)$", definition["name"]):
        return None
    return PARSERS.get(definition["type"])


def masked(text):
    """What a mask leaves that keeps the last four characters: of a shorter text, none."""
    if text is None:
        return None
    return "*" * len(text) if len(text) <= 4 else "*" * (len(text) - 4) + text[-4:]


def flat(value):
    return None if value in (None, "") else value


def canonical(value):
    """JSON in one form: the order of members means nothing, and a whole number is not one with a point."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def times(line):
    return {name: instant(line[name]) for name in ("createdAt", "updatedAt")}
