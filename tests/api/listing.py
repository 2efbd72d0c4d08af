"""What tests of the lists of a whole project share: rows that are in them, and what is found."""

from collections.abc import Iterable
from urllib.parse import urlencode

from runs.models import Run, Thread
from tests.api.client import ok
from tests.factories import make_run, make_thread

RUNS = "/v1/runs"
THREADS = "/v1/threads"
LISTS = (RUNS, THREADS)
AT = 1_800_000_000  # Unix seconds


def query(*pairs: tuple[str, object], **given: object) -> str:
    """A query string."""
    return "?" + urlencode([*pairs, *given.items()])


def metadata(key: str, value: str) -> tuple[str, str]:
    """The parameter that asks for a pair."""
    return f"metadata[{key}]", value


def found(api, url: str, params: str = "") -> list[str]:
    """The ids in the list."""
    return [item["id"] for item in ok(api.get(url + params))["data"]]


def ids_of(rows: Iterable[Run | Thread]) -> list[str]:
    """Their ids, the newest first."""
    return [row.id for row in sorted(rows, key=lambda row: -row.number)]


def make(url: str, project, **columns):
    """A row that is in the list."""
    thread = make_thread(project, **({} if url == RUNS else columns))
    return make_run(thread, **columns) if url == RUNS else thread
