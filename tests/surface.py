"""All that the API takes, answers and refuses, as the code has it and as the published schema
has it, in the words in which ``docs/support.md`` lists it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runs.api.openapi.operations import Operation
from runs.inputs import serializers
from runs.inputs.bodies import Body, Tagged
from runs.inputs.fields import Field, Items

ROOT = Path(__file__).resolve().parent.parent
Schema = dict[str, Any]

# --- schemas and bodies ---


def paths(schema: Schema, schemas: Schema) -> set[str]:
    """Every property in a schema, as a path that passes through arrays."""
    if "$ref" in schema:
        return paths(schemas.get(schema["$ref"].rsplit("/", 1)[1], {}), schemas)
    found: set[str] = set()
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), schema.get("items", {})):
        found |= paths(inner, schemas) if inner else set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name, *(f"{name}.{path}" for path in paths(inner, schemas))}
    return found


def topmost(names: set[str]) -> set[str]:
    """Those that are not inside another one."""
    return {name for name in names if not any(name.startswith(f"{other}.") for other in names)}


def parts(field: Field) -> list[Body]:
    """The objects that a field may hold."""
    if isinstance(field, serializers.Content):
        field = Items(Tagged(serializers.PARTS))
    if isinstance(field, Items):
        return parts(field.child)
    if isinstance(field, Tagged):
        return [kind() for kind in field.bodies.values()]
    return [field] if isinstance(field, Body) else []


def fields(body: Body) -> Iterator[str]:
    """``Body.field`` of it and of all objects inside it."""
    for name, field in body.fields.items():
        yield f"{type(body).__name__}.{name}"
        for part in parts(field):
            yield from fields(part)


def places(bodies: list[Body], path: str) -> set[str]:
    """``Body.field`` of where a path leads to; with the rest of the path if our fields do not
    go that far."""
    name, _, rest = path.partition(".")
    holders = [body for body in bodies if name in body.fields]
    if not holders:
        return {f"{type(bodies[0]).__name__}.{path}"}
    found = set()
    for body in holders:
        inner = parts(body.fields[name])
        found |= places(inner, rest) if rest and inner else {f"{type(body).__name__}.{path}"}
    return found


def event_names(group: str, schemas: Schema) -> set[str]:
    """The names of the events in a schema."""
    found: set[str] = set()
    for inner in schemas[group].get("oneOf", [schemas[group]]):
        if "$ref" in inner:
            found |= event_names(inner["$ref"].rsplit("/", 1)[1], schemas)
        else:
            found |= set(inner["properties"]["event"]["enum"])
    return found


def query_parameters(path: str, operation: Schema | Operation) -> set[str]:
    """Its query parameters; those of all lists go under ``lists``."""
    if isinstance(operation, Operation):
        given = operation.parameters
    else:
        given = operation.get("parameters", ())
    names = {item["name"] for item in given if item["in"] == "query"}
    common = {"limit", "order", "after", "before"} if "limit" in names else set()
    return {f"{path}: {name}" for name in names - common} | {f"lists: {name}" for name in common}


# --- errors ---

SOURCES = ("runs/api", "runs/inputs", "runsite/middleware.py", "runsite/errors.py")
NUMBERS = [f"{w}_{e}_value" for w in ("integer", "decimal") for e in ("above_max", "below_min")]


def modules(*names: str) -> Iterator[str]:
    """The sources of these modules and packages, but for the OpenAPI document."""
    for name in names:
        place = ROOT / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if "openapi" not in file.parts:
                yield file.read_text()


def told(node: ast.AST) -> str:
    """A text as the page has it: what changes is "…". Empty if it is no literal."""
    if isinstance(node, ast.JoinedStr):
        pieces = [v.value if isinstance(v, ast.Constant) else "…" for v in node.values]
        return "".join(map(str, pieces)).replace("`", "'")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", "…", node.value).replace("`", "'")
    return ""


def code_of(call: ast.Call) -> str:
    """The code that a call gives to an error."""
    given = [told(word.value) for word in call.keywords if word.arg == "code"]
    return given[0] if given else "null"


def error_classes() -> Iterator[str]:
    """``status code: message`` of each class of errors."""
    tree = ast.parse((ROOT / "runs/contract/errors.py").read_text())
    for kind in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        words = [ast.unparse(part) for part in kind.body]
        status = next((w.split(" = ")[1] for w in words if w.startswith("status = ")), "400")
        for init in [part for part in kind.body if isinstance(part, ast.FunctionDef)]:
            default = "".join(map(told, init.args.defaults))
            for call in [node for node in ast.walk(init) if isinstance(node, ast.Call)]:
                message = told(call.args[0]) or default if call.args else ""
                if message and ast.unparse(call.func) == "super().__init__":
                    yield f"{status} {code_of(call)}: {message}"


def refusals() -> Iterator[str]:
    """``400 code: message`` of what is refused elsewhere; the reasons of ``NotJson`` too."""
    calls = [
        node
        for source in modules(*SOURCES)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    ]
    for call in calls:
        name = ast.unparse(call.func)
        if name == "Refused" and len(call.args) > 1:
            code = told(call.args[0]) or "null"
            for one in NUMBERS if code == "…_…_value" else [code]:
                yield f"400 {one}: {told(call.args[1])}"
        elif name in ("BadRequest", "NotJson") and call.args and told(call.args[0]):
            yield f"400 {code_of(call)}: {told(call.args[0])}"


# --- headers ---


def headers_read() -> set[str]:
    """The request headers that the code reads, in small letters."""
    found = set()
    for source in modules("runs/api", "runs/inputs", "runsite"):
        constants = dict(re.findall(r'^([A-Z_]+) = "([\w-]+)"$', source, re.MULTILINE))
        reads = r'request\.headers\.get\(\s*(?:"([\w-]+)"|([A-Z_]+))'
        for literal, name in re.findall(reads, source):
            found.add((literal or constants[name]).lower())
    return found
