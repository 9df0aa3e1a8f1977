"""Leads most requests to things that exist, and no call of a webhook off this machine.

The runner names what it made in POSTRIDER_SEEDED (JSON): for each path parameter the values that exist, under `spare` the
ones that may be deleted, and under `receiver` the only place that webhooks may call.
"""

import atexit
import collections
import json
import os
import re
import zlib

import schemathesis

SEEDED = json.loads(os.environ.get("POSTRIDER_SEEDED", "{}"))
# What follows scheme and authority of a URL.
AUTHORITY = re.compile(r"^(https?)://[^/?#]*", re.IGNORECASE)
# Of a hundred requests, so many are led to what exists.
LED = 75


# Longest that a request may wait for something new.
WAIT = "0.1"


def drawn(value):
    """A number that follows from what was generated, so that the same seed gives the same requests."""
    return zlib.crc32(repr(value).encode("utf-8", "backslashreplace"))


def led(case, name, value, existing):
    """One of those that exist, mostly; else what was generated."""
    number = drawn((case.operation.path, case.operation.method, name, value, repr(case.body)))
    # To put something where there is something needs its version, which nobody here knows.
    share = LED // 2 if case.operation.method.upper() == "PUT" and name in ("webhook", "source") else LED
    if existing and number % 100 < share:
        return existing[number // 100 % len(existing)]
    return value


def at_home(value):
    """Sends every URL to the receiver; the rest of it stays."""
    if isinstance(value, dict):
        return {key: at_home(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [at_home(inner) for inner in value]
    if isinstance(value, str):
        return AUTHORITY.sub(lambda _: SEEDED.get("receiver", "http://127.0.0.1:9"), value)
    return value


def is_stateful(case):
    """Whether the values come from answers before, and are real already."""
    return case.meta is not None and case.meta.phase.name.value == "stateful"


def is_negative(case, location):
    return case.meta is not None and case.meta.is_negative_at(location)


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.path_parameters, dict) and not is_negative(case, "path") and not is_stateful(case):
        last = case.operation.path.rsplit("{", 1)[-1].split("}")[0]
        for name, value in list(case.path_parameters.items()):
            existing = SEEDED.get(name, [])
            if case.operation.method.upper() == "DELETE" and name == last:
                existing = SEEDED.get("spare", {}).get(name, [])
            case.path_parameters[name] = led(case, name, value, existing)
    if isinstance(case.query, dict) and not is_negative(case, "query"):
        for name in ("webhook", "event", "environment"):
            if name in case.query:
                case.query[name] = led(case, name, case.query[name], SEEDED.get(name, []))
        if "wait" in case.query:
            case.query["wait"] = WAIT
    if isinstance(case.body, (dict, list)):
        case.body = at_home(case.body)


COUNTS = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    COUNTS[case.operation.label][str(response.status_code)] += 1


@atexit.register
def write_counts():
    if COUNTS and "POSTRIDER_COUNTS" in os.environ:
        with open(os.environ["POSTRIDER_COUNTS"], "w", encoding="utf-8") as file:
            json.dump(COUNTS, file)
