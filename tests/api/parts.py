"""What can be wrong with the objects inside of bodies, and what is answered: by the field of the
body that holds them."""

from typing import Any

from tests.api.refusals import (
    Bad,
    above,
    bad_value,
    below,
    missing,
    too_long,
    too_many,
    too_short,
    wrong_type,
)

Wrong = list[tuple[Any, Bad]]

DETAILS = "'auto', 'low', and 'high'"
PATTERN = "^[a-zA-Z0-9_-]{1,64}$"


def no_name(param: str, name: str) -> tuple[str, Bad]:
    """A name that no function can have."""
    text = (
        f"Invalid '{param}': string does not match pattern. Expected a string that matches the "
        f"pattern '{PATTERN}'."
    )
    return name, ("invalid_value", param, text)


def names(param: str) -> Wrong:
    """What is no name of a function or a schema."""
    strange = [no_name(param, name) for name in ("", "a b", "a.b", "é", "a\n", "x" * 65)]
    return [(1, wrong_type(param, "a string", "an integer")), *strange]


def functions() -> Wrong:
    """What is no function of ``tools``."""
    at = "tools[0].function"
    found: list[tuple[dict[str, Any], Bad]] = [
        ({"name": value}, bad) for value, bad in names(f"{at}.name")
    ]
    found += [
        ({"name": "f", "description": []}, wrong_type(f"{at}.description", "a string", "an array")),
        ({"name": "f", "parameters": "x"}, wrong_type(f"{at}.parameters", "an object", "a string")),
        ({"name": "f", "strict": 1}, wrong_type(f"{at}.strict", "a boolean", "an integer")),
    ]
    return [
        *(([{"type": "function", "function": function}], bad) for function, bad in found),
        ([{"type": "function", "function": "f"}], wrong_type(at, "an object", "a string")),
        ([{"type": "function"}], missing(at)),
        (
            [None],
            ("invalid_type", "tools[0]", "Invalid type for 'tools[0]': null is not allowed here."),
        ),
    ]


def searches() -> Wrong:
    """What is no file search of ``tools``."""
    at = "tools[0].file_search"
    most, ranking = f"{at}.max_num_results", f"{at}.ranking_options"
    found: list[tuple[Any, Bad]] = [
        ([], wrong_type(at, "an object", "an array")),
        ({"max_num_results": "1"}, wrong_type(most, "an integer", "a string")),
        ({"max_num_results": 0}, below(most, "integer", 1, 0)),
        ({"max_num_results": 51}, above(most, "integer", 50, 51)),
        ({"ranking_options": "auto"}, wrong_type(ranking, "an object", "a string")),
    ]
    return [([{"type": "file_search", "file_search": search}], bad) for search, bad in found]


def resources() -> Wrong:
    """What are no ``tool_resources``."""
    found: Wrong = []
    for tool, name, most in (
        ("code_interpreter", "file_ids", 20),
        ("file_search", "vector_store_ids", 1),
        ("file_search", "vector_stores", 1),
    ):
        at = f"tool_resources.{tool}.{name}"
        one: Any = {} if name == "vector_stores" else "x"
        kind = "an object" if name == "vector_stores" else "a string"
        found += [
            ({tool: "x"}, wrong_type(f"tool_resources.{tool}", "an object", "a string")),
            ({tool: {name: "x"}}, wrong_type(at, "an array", "a string")),
            ({tool: {name: [1]}}, wrong_type(f"{at}[0]", kind, "an integer")),
            ({tool: {name: [one] * (most + 1)}}, too_many(at, most, most + 1)),
        ]
    return found


def formats() -> Wrong:
    """What is no ``response_format``."""
    at = "response_format.json_schema"
    found: list[tuple[dict[str, Any], Bad]] = [
        ({"name": value}, bad) for value, bad in names(f"{at}.name")
    ]
    found += [
        (
            {"name": "n", "description": 1},
            wrong_type(f"{at}.description", "a string", "an integer"),
        ),
        ({"name": "n", "schema": []}, wrong_type(f"{at}.schema", "an object", "an array")),
        ({"name": "n", "strict": "x"}, wrong_type(f"{at}.strict", "a boolean", "a string")),
        ({}, missing(f"{at}.name")),
    ]
    return [
        *(({"type": "json_schema", "json_schema": schema}, bad) for schema, bad in found),
        ({"type": "json_schema", "json_schema": "x"}, wrong_type(at, "an object", "a string")),
    ]


def choices() -> Wrong:
    """What is no ``tool_choice``."""
    at = "tool_choice.function"
    return [
        ({"type": "function", "function": "f"}, wrong_type(at, "an object", "a string")),
        ({"type": "function", "function": {}}, missing(f"{at}.name")),
        *(
            ({"type": "function", "function": {"name": value}}, bad)
            for value, bad in names(f"{at}.name")
        ),
    ]


def images() -> Wrong:
    """What are no images of ``content``."""
    found: Wrong = []
    for kind, name, most in (("image_url", "url", None), ("image_file", "file_id", 256)):
        at = f"content[0].{kind}"
        inner: list[tuple[Any, Bad]] = [
            ("x", wrong_type(at, "an object", "a string")),
            ({}, missing(f"{at}.{name}")),
            ({name: 1}, wrong_type(f"{at}.{name}", "a string", "an integer")),
            ({name: ""}, too_short(f"{at}.{name}")),
            ({name: "x", "detail": "best"}, bad_value(f"{at}.detail", "best", DETAILS)),
        ]
        if most:
            inner.append(({name: "x" * (most + 1)}, too_long(f"{at}.{name}", most, most + 1)))
        found += [([{"type": kind, kind: value}], bad) for value, bad in inner]
        found.append(([{"type": kind}], missing(at)))
    return found


PARTS: dict[str, Wrong] = {
    "attachments": [
        ([{"file_id": 1}], wrong_type("attachments[0].file_id", "a string", "an integer")),
        ([{"file_id": "x" * 257}], too_long("attachments[0].file_id", 256, 257)),
        ([{"tools": {}}], wrong_type("attachments[0].tools", "an array", "an object")),
        (
            [{"tools": [{"type": "function"}]}],
            bad_value(
                "attachments[0].tools[0].type", "function", "'code_interpreter' and 'file_search'"
            ),
        ),
    ],
    "content": [
        *images(),
        (
            [{"type": "text", "text": {"value": "x"}}],
            wrong_type("content[0].text", "a string", "an object"),
        ),
        ([{"type": "text", "text": "x" * 256_001}], too_long("content[0].text", 256_000, 256_001)),
        ([{"type": "text"}], missing("content[0].text")),
    ],
    "response_format": formats(),
    "tool_choice": choices(),
    "tool_outputs": [
        (
            [{"tool_call_id": 1}],
            wrong_type("tool_outputs[0].tool_call_id", "a string", "an integer"),
        ),
        ([{"tool_call_id": "x" * 257}], too_long("tool_outputs[0].tool_call_id", 256, 257)),
        (
            [{"tool_call_id": "c", "output": {}}],
            wrong_type("tool_outputs[0].output", "a string", "an object"),
        ),
    ],
    "tool_resources": resources(),
    "tools": [*functions(), *searches()],
    "truncation_strategy": [
        (
            {"type": "last_messages", "last_messages": "1"},
            wrong_type("truncation_strategy.last_messages", "an integer", "a string"),
        ),
        (
            {"type": "last_messages", "last_messages": 2**31},
            above("truncation_strategy.last_messages", "integer", 2**31 - 1, 2**31),
        ),
        (
            {"type": "newest"},
            bad_value("truncation_strategy.type", "newest", "'auto' and 'last_messages'"),
        ),
    ],
}
