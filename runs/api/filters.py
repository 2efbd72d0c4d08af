"""What narrows the lists of a whole project: filters in the query string, all of which must hold.

These lists are Runsite's own, and so are their parameters. One that is empty counts as not
given, and of one that is given twice the last counts, as in all lists; ``status`` and
``metadata`` may be repeated.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

from runs.api.lookups import expect_prefix, shaped
from runs.api.pagination import as_number, checked, parameter
from runs.contract import ids
from runs.contract.status import RunStatus
from runs.inputs.bodies import refuse_unstorable
from runs.inputs.fields import Choice, Metadata, Text, Whole
from runs.inputs.refused import Refused, expect, inside
from runs.inputs.serializers import MODEL_LENGTH
from runs.models import Run, Thread
from runs.models.metadata import HasPair

M = TypeVar("M", bound=Model)

STATUS = Choice(tuple(RunStatus))
MODEL = Text(max_length=MODEL_LENGTH)
#: Unix seconds. Milliseconds are above it, and so are refused instead of matching nothing.
SECONDS = Whole(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()))
METADATA = Metadata()


def matching_runs(rows: QuerySet[Run], params: QueryDict) -> QuerySet[Run]:
    """The runs that all filters in ``params`` let pass.

    An id that no object has finds nothing; it is no error, since the runs of a deleted
    assistant can still be asked for.

    Raises:
        BadRequest: a value that none can have; ``param`` names the parameter.
    """
    if statuses := list(given_statuses(params)):
        rows = rows.filter(status__in=statuses)
    if assistant_id := params.get("assistant_id"):
        expect_prefix("assistant_id", assistant_id, ids.ASSISTANT)
        rows = rows.filter(assistant_id=shaped(assistant_id))
    if thread_id := params.get("thread_id"):
        expect_prefix("thread_id", thread_id, ids.THREAD)
        rows = rows.filter(thread_id=shaped(thread_id))
    if model := params.get("model"):
        with parameter("model"):
            refuse_unstorable(model)
            rows = rows.filter(model=MODEL.to_internal_value(model))
    return matching(rows, params)


def matching_threads(rows: QuerySet[Thread], params: QueryDict) -> QuerySet[Thread]:
    """The threads that all filters in ``params`` let pass.

    Raises:
        BadRequest: as for runs.
    """
    return matching(rows, params)


def matching(rows: QuerySet[M], params: QueryDict) -> QuerySet[M]:
    """The rows that the filters of both lists let pass: metadata, and times of creation."""
    for key, value in metadata_pairs(params).items():
        rows = rows.filter(HasPair(key, value))
    if after := params.get("created_after"):
        rows = rows.filter(created_at__gte=moment("created_after", after))
    if before := params.get("created_before"):
        # Inclusive: all that was created within this second shows its number.
        rows = rows.filter(created_at__lt=moment("created_before", before, plus=1))
    return rows


def given_statuses(params: QueryDict) -> Iterator[str]:
    """The values of ``status``: comma separated, repeated, or ``status[]`` as the SDKs write
    a list."""
    for given in (*params.getlist("status"), *params.getlist("status[]")):
        for status in given.split(",") if given else ():
            yield checked("status", STATUS, status)


def moment(param: str, given: str, plus: int = 0) -> datetime:
    """The time that a parameter names in Unix seconds, ``plus`` some."""
    return datetime.fromtimestamp(checked(param, SECONDS, as_number(given)) + plus, UTC)


def metadata_pairs(params: QueryDict) -> dict[str, str]:
    """The pairs given as ``metadata[key]=value``. The key is all that stands between the
    first bracket and the last one; it may be empty, and so may the value.

    Raises:
        BadRequest: there are more pairs, or longer ones, than an object can have; a key has
            two values, which nothing can match; or the brackets are missing.
    """
    with parameter("metadata"):
        pairs = read_pairs(params)
        refuse_unstorable(pairs)
        return METADATA.to_internal_value(pairs)


def read_pairs(params: QueryDict) -> dict[str, str]:
    """As above, whatever the pairs are."""
    pairs: dict[str, str] = {}
    for name, values in params.lists():
        if name == "metadata":
            expect(values[-1], (dict,))
        if not name.startswith("metadata["):
            continue
        if not name.endswith("]"):
            raise Refused(
                "invalid_value",
                "Invalid '{param}': '{name}' has no closing bracket. Expected metadata[key]=value.",
                name=name,
            )
        key = name.removeprefix("metadata[").removesuffix("]")
        if len(set(values)) > 1:
            with inside(key):
                raise Refused(
                    "invalid_value",
                    "Invalid '{param}': given with different values. All given pairs must match.",
                )
        pairs[key] = values[-1]
    return pairs
