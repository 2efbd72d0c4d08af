"""Calls that go wrong, for any operation: who calls, what for, with what, and the answer."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from runs.contract import errors
from tests.api.catalogue import (
    BAD_BODIES,
    BODIES,
    LISTED,
    LISTS,
    OUT_OF_RANGE,
    REQUIRED,
    STRANGE,
    WRONG_TYPES,
)
from tests.api.parts import PARTS
from tests.api.refusals import (
    IDS,
    NO_KEY,
    Refusal,
    bad,
    missing,
    not_found,
    unknown,
    wrong_key,
    wrong_prefix,
    wrong_type,
)
from tests.api.routes import OPERATIONS, Operation, unknown_world

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
UNKNOWN_KEY = "sk-abcdefghijklmnopqrstuvwxyz"
NOBODY = unknown_world()
World = dict[str, str]


@dataclass(frozen=True)
class Attempt:
    """A call with something wrong, and its answer."""

    situation: str
    refusal: Refusal
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    allow: str | None = None

    def __str__(self) -> str:
        return f"{self.situation}: {self.refusal.message}"[:100]


def other_methods(operation: Operation, mine: World) -> Iterator[Attempt]:
    """Methods that the route does not have."""
    served = {other.method for other in OPERATIONS if other.route == operation.route}
    path = operation.path(mine)
    for method in METHODS:
        if method not in served:
            text = f"Not allowed to {method} on {path}."
            refusal = Refusal(errors.WrongMethod, 405, text, "method_not_supported")
            allow = ", ".join(sorted(served))
            yield Attempt("wrong method", refusal, method, path, allow=allow)


def other_callers(operation: Operation, mine: World, revoked: str) -> Iterator[Attempt]:
    """Who may not call. Found before all else: a missing object and a broken body do not count."""
    for situation, header, refusal in (
        ("no key", "", NO_KEY),
        ("wrong key", f"Bearer {UNKNOWN_KEY}", wrong_key("sk-abc***wxyz")),
        ("revoked key", f"Bearer {revoked}", wrong_key(f"{revoked[:6]}***{revoked[-4:]}")),
    ):
        for world, body in ((mine, operation.filled(mine)), (NOBODY, b"{")):
            headers = {"Authorization": header}
            path = operation.path(world)
            yield Attempt(situation, refusal, operation.method, path, body, headers)


def other_objects(operation: Operation, mine: World, theirs: World) -> Iterator[Attempt]:
    """Ids in the path that lead nowhere. Found before the body is looked at."""

    def attempt(situation: str, world: World, refusal: Refusal) -> Iterator[Attempt]:
        for body in (operation.filled(mine), b"{"):
            path = operation.path(mine | world)
            yield Attempt(situation, refusal, operation.method, path, body)

    names = [name for name in IDS if f":{name}>" in operation.route]
    for name in names:
        prefix = IDS[name][1]
        for situation, other in (("unknown id", NOBODY[name]), ("foreign id", theirs[name])):
            yield from attempt(situation, {name: other}, not_found(name, other))
        for wrong in ("proj_1", "1", prefix[:-1]):
            refusal = bad(wrong_prefix(name, wrong, prefix))
            yield from attempt("wrong prefix", {name: wrong}, refusal)
        for strange in STRANGE:
            given = f"{prefix}_{strange}"
            read = given if strange == "%ED%A0%80" else unquote(given)
            yield from attempt("strange id", {name: given}, not_found(name, read))
    if names:
        yield from attempt("foreign path", theirs, not_found(names[0], theirs[names[0]]))


def bad_queries(operation: Operation, mine: World, theirs: World) -> Iterator[Attempt]:
    """List parameters that cannot be."""
    kind = LISTED.get(operation.route.rpartition("/")[2])
    if operation.method != "GET" or kind is None:
        return
    cursors = [
        (f"{cursor}={other}", not_found(kind, other))
        for cursor in ("after", "before")
        for other in (NOBODY[kind], theirs[kind], "x")
    ]
    for query, refusal in [*LISTS, *cursors]:
        yield Attempt(f"?{query}", refusal, "GET", f"{operation.path(mine)}?{query}")


def bad_bodies(operation: Operation, mine: World, theirs: World) -> Iterator[Attempt]:
    """Everything that can be wrong with a body, in the order in which it is found."""
    if operation.method != "POST":
        return
    least = operation.filled(mine) or {}
    found: list[tuple[str, Any, Refusal]] = list(BAD_BODIES)
    fields = BODIES[str(operation)]().fields
    worst = {"foo": 1} | {name: WRONG_TYPES[name][0] for name in fields}
    for name in REQUIRED.get(str(operation), ()):
        without = {key: value for key, value in least.items() if key != name}
        found += [
            ("missing", without, bad(missing(name))),
            ("missing: null", without | {name: None}, bad(missing(name))),
            ("missing goes first", worst | {name: None}, bad(missing(name))),
        ]
    found += [
        ("unknown", least | {name: "x"}, bad(unknown(name)))
        for name in ("foo", "id", "object", "status", "project", "created_at", "usage", "Model")
    ]
    found.append(("unknown goes before types", worst, bad(unknown("foo"))))
    for name in fields:
        wrong, expected, got = WRONG_TYPES[name]
        refusal = bad(wrong_type(name, expected, got))
        found.append(("type", least | {name: wrong}, refusal))
        inside = PARTS.get(name, [])
        found += [
            ("range", least | {name: value}, bad(of)) for value, of in OUT_OF_RANGE[name] + inside
        ]
    if "assistant_id" in fields:
        for other in (NOBODY["assistant_id"], theirs["assistant_id"], "asst_", "asst_'\x01é"):
            refusal = not_found("assistant_id", other)
            found.append(("assistant", {"assistant_id": other}, refusal))
    for situation, body, refusal in found:
        yield Attempt(situation, refusal, "POST", operation.path(mine), body)
        if "stream" in fields and isinstance(body, dict) and "stream" not in body:
            streamed = body | {"stream": True}
            yield Attempt(f"{situation}, streamed", refusal, "POST", operation.path(mine), streamed)


def attempts(operation: Operation, mine: World, theirs: World, revoked: str) -> Iterator[Attempt]:
    """All of them; pure."""
    yield from other_methods(operation, mine)
    yield from other_callers(operation, mine, revoked)
    yield from other_objects(operation, mine, theirs)
    yield from bad_queries(operation, mine, theirs)
    yield from bad_bodies(operation, mine, theirs)
