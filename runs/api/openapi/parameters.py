"""Parameters of operations: in paths, query strings and headers."""

from typing import Any

from runs.api import filters
from runs.api.idempotency import HEADER, KEY
from runs.api.openapi.inputs import field_schema
from runs.api.openapi.schemas import TEXT, Schema, array, id_schema
from runs.api.openapi.words import OWN
from runs.api.pagination import LIMIT, ORDER
from runs.contract import ids, limits

IDS = {
    "assistant_id": ids.ASSISTANT,
    "thread_id": ids.THREAD,
    "message_id": ids.MESSAGE,
    "run_id": ids.RUN,
    "step_id": ids.STEP,
}


def query(
    name: str, schema: Schema, description: str, *, empty: bool = True, **more: Any
) -> Schema:
    """A query parameter. ``empty``: without a value it counts as not given."""
    found = {"name": name, "in": "query", "description": description, "schema": schema, **more}
    return found | ({"allowEmptyValue": True} if empty else {})


def header(name: str, schema: Schema, description: str) -> Schema:
    """A header of a request."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def page_of(prefix: str) -> tuple[Schema, ...]:
    """The parameters of a list of objects with such ids."""
    return (
        query(
            "limit",
            field_schema(LIMIT) | {"default": limits.PAGE_DEFAULT},
            "How many objects at most.",
        ),
        query(
            "order", field_schema(ORDER) | {"default": "desc"}, "By creation: `desc`: newest first."
        ),
        query("after", id_schema(prefix), "An object of this list: what follows it."),
        query(
            "before",
            id_schema(prefix),
            "An object of this list: what precedes it. Alone: those nearest to it.",
        ),
    )


METADATA = query(
    "metadata",
    field_schema(filters.METADATA),
    "Pairs that all must match: `metadata[key]=value`.",
    empty=False,
    style="deepObject",
    explode=True,
)
CREATED = (
    query("created_after", field_schema(filters.SECONDS), "Unix seconds, inclusive."),
    query("created_before", field_schema(filters.SECONDS), "Unix seconds, inclusive."),
)
RUN_FILTERS = (
    query(
        "status",
        {"type": "array", "items": field_schema(filters.STATUS)},
        "Any of these; repeated, or separated by commas.",
        style="form",
        explode=False,
    ),
    # One that no object has finds nothing, and is no error: its kind is all that is looked at.
    query(
        "assistant_id",
        {"type": "string", "pattern": f"^{ids.ASSISTANT}"},
        "Runs of this assistant.",
    ),
    query("thread_id", {"type": "string", "pattern": f"^{ids.THREAD}"}, "Runs of this thread."),
    query("model", field_schema(filters.MODEL), "Runs that asked for this model."),
    METADATA,
    *CREATED,
)
#: Accepted and without effect: its one published value concerns file search.
INCLUDE = query(
    "include[]",
    array(TEXT),
    "Accepted, without effect, whatever it is: it concerns file search.",
    empty=False,
)
IDEMPOTENCY_KEY = header(
    HEADER,
    # Blanks around a header's value are not of it.
    {"type": "string", "pattern": r"^\S(.*\S)?$", "allOf": [{"pattern": f"^{KEY.pattern}$"}]},
    f"{OWN} Any text that names this request: the same request with the same key, within 24 "
    "hours, is answered from storage and does nothing again.",
)
LAST_EVENT = header(
    "Last-Event-ID",
    {"type": "string", "pattern": "^[0-9]{0,999}$"},
    "The number of the last event that the reader has; counts before `after`. Empty: not given.",
)
POLL_HELPER = header(
    "X-Stainless-Poll-Helper",
    {"type": "string"},
    f"`true`, as the SDKs' helpers send it: the answer is held until the run rests, at most "
    f"{limits.POLL_HOLD_SECONDS} seconds.",
)
