"""What can be wrong with the bodies and queries of each operation, and what is answered."""

from typing import Any

from runs.contract.limits import BODY_BYTES, CLOCK_SECONDS, JSON_DEPTH, JSON_TOKENS
from runs.inputs import serializers as s
from runs.inputs.bodies import Body
from tests.api.refusals import (
    TOO_LARGE,
    Bad,
    Refusal,
    above,
    bad,
    bad_value,
    below,
    missing,
    not_an_object,
    not_json,
    too_long,
    too_long_a_name,
    too_many,
    too_many_pairs,
    too_short,
    unknown,
    wrong_prefix,
    wrong_type,
)

BODIES: dict[str, type[Body]] = {
    "POST assistants": s.CreateAssistant,
    "POST assistants/assistant_id": s.ModifyAssistant,
    "POST threads": s.CreateThread,
    "POST threads/thread_id": s.ModifyThread,
    "POST threads/thread_id/messages": s.CreateMessage,
    "POST threads/thread_id/messages/message_id": s.ModifyMetadata,
    "POST threads/runs": s.CreateThreadAndRun,
    "POST threads/thread_id/runs": s.CreateRun,
    "POST threads/thread_id/runs/run_id": s.ModifyMetadata,
    "POST threads/thread_id/runs/run_id/cancel": s.Nothing,
    "POST threads/thread_id/runs/run_id/submit_tool_outputs": s.SubmitToolOutputs,
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "POST assistants": ("model",),
    "POST threads/thread_id/messages": ("role", "content"),
    "POST threads/runs": ("assistant_id",),
    "POST threads/thread_id/runs": ("assistant_id",),
    "POST threads/thread_id/runs/run_id/submit_tool_outputs": ("tool_outputs",),
}
#: For each field: a value of a wrong type, what is expected, what that one is called.
WRONG_TYPES: dict[str, tuple[Any, str, str]] = {
    "action_expires_in": ("60", "an integer", "a string"),
    "additional_instructions": (1, "a string", "an integer"),
    "additional_messages": ({}, "an array", "an object"),
    "assistant_id": (1, "a string", "an integer"),
    "attachments": ({}, "an array", "an object"),
    "content": (1, "one of a string or an array of objects", "an integer"),
    "description": (True, "a string", "a boolean"),
    "expires_in": (60.0, "an integer", "a decimal number"),
    "instructions": ([], "a string", "an array"),
    "max_completion_tokens": (1.5, "an integer", "a decimal number"),
    "max_prompt_tokens": ("256", "an integer", "a string"),
    "messages": ("Hello", "an array", "a string"),
    "metadata": ([], "an object", "an array"),
    "model": (1, "a string", "an integer"),
    "name": ({}, "a string", "an object"),
    "on_active_run": (True, "a string", "a boolean"),
    "parallel_tool_calls": ("true", "a boolean", "a string"),
    "reasoning_effort": (1, "a string", "an integer"),
    "response_format": (1, "one of a string or an object", "an integer"),
    "role": ([], "a string", "an array"),
    "stream": (1, "a boolean", "an integer"),
    "temperature": ("1", "a decimal number", "a string"),
    "thread": ("thread_1", "an object", "a string"),
    "tool_choice": (True, "one of a string or an object", "a boolean"),
    "tool_outputs": ({}, "an array", "an object"),
    "tool_resources": ([], "an object", "an array"),
    "tools": ({}, "an array", "an object"),
    "top_p": (True, "a decimal number", "a boolean"),
    "truncation_strategy": ("auto", "an object", "a string"),
}
TEXT = 256_000
FUNCTION = {"type": "function", "function": {"name": "f"}}
EFFORTS = "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'"


def long_string(param: str, most: int) -> tuple[str, Bad]:
    """A string that is one character too long."""
    return "x" * (most + 1), too_long(param, most, most + 1)


def clock(param: str) -> list[tuple[Any, Bad]]:
    """Seconds that no run can have."""
    most = CLOCK_SECONDS
    return [(0, below(param, "integer", 1, 0)), (most + 1, above(param, "integer", most, most + 1))]


#: For each field: values of its type that it cannot have. Empty: nothing is out of range.
OUT_OF_RANGE: dict[str, list[tuple[Any, Bad]]] = {
    "action_expires_in": clock("action_expires_in"),
    "additional_instructions": [long_string("additional_instructions", TEXT)],
    "additional_messages": [
        ([{"role": "user"}], missing("additional_messages[0].content")),
        (
            [{"role": "user", "content": ""}],
            (None, "additional_messages[0].content", "Message content must be non-empty."),
        ),
    ],
    "assistant_id": [
        ("asst_" + "x" * 252, too_long("assistant_id", 256, 257)),
        ("wf_1", wrong_prefix("assistant_id", "wf_1", "asst")),
        ("", wrong_prefix("assistant_id", "", "asst")),
    ],
    "attachments": [([{"tools": [{}]}], missing("attachments[0].tools[0].type"))],
    "content": [
        ("", (None, "content", "Message content must be non-empty.")),
        (
            [{"type": "text", "text": ""}],
            (None, "content[0].text", "Message content must be non-empty."),
        ),
        ([], too_short("content", "array")),
        long_string("content", TEXT),
        (
            [{"type": "audio"}],
            bad_value("content[0].type", "audio", "'text', 'image_url', and 'image_file'"),
        ),
    ],
    "description": [long_string("description", 512)],
    "expires_in": clock("expires_in"),
    "instructions": [
        long_string("instructions", TEXT),
        (
            "\ud800",
            (
                "invalid_value",
                "instructions",
                "Invalid 'instructions': a string with half of a surrogate pair cannot be stored.",
            ),
        ),
    ],
    "max_completion_tokens": [
        (0, below("max_completion_tokens", "integer", 1, 0)),
        (2**31, above("max_completion_tokens", "integer", 2**31 - 1, 2**31)),
    ],
    "max_prompt_tokens": [
        (-1, below("max_prompt_tokens", "integer", 1, -1)),
        (2**31, above("max_prompt_tokens", "integer", 2**31 - 1, 2**31)),
    ],
    "messages": [([{"content": "x"}], missing("messages[0].role"))],
    "metadata": [
        ({"k": "x" * 513}, too_long("metadata.k", 512, 513)),
        ({str(n): "" for n in range(17)}, too_many_pairs("metadata", 17)),
        ({"k" * 65: ""}, too_long_a_name("metadata", 64, 65)),
        ({"k": 1}, wrong_type("metadata.k", "a string", "an integer")),
        (
            {"k": "\0"},
            (
                "invalid_value",
                "metadata.k",
                "Invalid 'metadata.k': a string with a NUL character cannot be stored.",
            ),
        ),
    ],
    "model": [("", too_short("model")), long_string("model", 256)],
    "name": [long_string("name", 256)],
    "on_active_run": [
        ("wait", bad_value("on_active_run", "wait", "'reject', 'queue', and 'cancel'"))
    ],
    "parallel_tool_calls": [],
    "reasoning_effort": [("huge", bad_value("reasoning_effort", "huge", EFFORTS))],
    "response_format": [
        ("json", bad_value("response_format", "json", "'auto'")),
        ({"type": "json_schema"}, missing("response_format.json_schema")),
    ],
    "role": [("system", bad_value("role", "system", "'user' and 'assistant'"))],
    "stream": [],
    "temperature": [
        (3, above("temperature", "decimal", 2, 3)),
        (-0.5, below("temperature", "decimal", 0, -0.5)),
    ],
    "thread": [({"messages": [{"role": "user"}]}, missing("thread.messages[0].content"))],
    "tool_choice": [
        ("any", bad_value("tool_choice", "any", "'none', 'auto', and 'required'")),
        ({"type": "function"}, missing("tool_choice.function")),
    ],
    "tool_outputs": [
        ([{"output": "x"}], missing("tool_outputs[0].tool_call_id")),
        ([{"tool_call_id": "c", "x": 1}], unknown("tool_outputs[0].x")),
    ],
    "tool_resources": [
        (
            {"code_interpreter": {"file_ids": ["f"] * 21}},
            too_many("tool_resources.code_interpreter.file_ids", 20, 21),
        )
    ],
    "tools": [
        ([FUNCTION] * 129, too_many("tools", 128, 129)),
        ([{"type": "function", "function": {}}], missing("tools[0].function.name")),
    ],
    "top_p": [
        (1.5, above("top_p", "decimal", 1, 1.5)),
        (-0.5, below("top_p", "decimal", 0, -0.5)),
    ],
    "truncation_strategy": [
        (
            {"type": "last_messages", "last_messages": 0},
            below("truncation_strategy.last_messages", "integer", 1, 0),
        ),
        ({"type": "last_messages"}, missing("truncation_strategy.last_messages")),
    ],
}
BAD_BODIES: list[tuple[str, Any, Refusal]] = [
    (
        "not JSON",
        b"{",
        not_json("Expecting property name enclosed in double quotes at line 1, column 2."),
    ),
    ("not UTF-8", b"\xff{}", not_json("It is not UTF-8 at byte 0.")),
    ("an array", b"[]", not_an_object("an array")),
    ("a string", b'"x"', not_an_object("a string")),
    ("a number", b"1", not_an_object("an integer")),
    ("null", b"null", not_an_object("null")),
    ("a name twice", b'{"a":1,"a":2}', not_json("It holds an object with the same name twice.")),
    ("NaN", b'{"a":NaN}', not_json("NaN is not a JSON value.")),
    ("a large number", b'{"a":1e999}', not_json("It holds a number that is too large.")),
    (
        "a long number",
        b'{"a":' + b"9" * 5000 + b"}",
        not_json("It holds an integer of too many digits."),
    ),
    (
        "too deep",
        b'{"a":' * JSON_DEPTH + b"[]",
        not_json(f"It is nested more than {JSON_DEPTH} levels deep."),
    ),
    (
        "too many values",
        b"[" + b"1," * JSON_TOKENS + b"1]",
        not_json(f"It has more than {JSON_TOKENS} values."),
    ),
    ("too large", b" " * (BODY_BYTES + 1), TOO_LARGE),
]
STRANGE = ("%00", "é", "%ED%A0%80", "x" * 300, " ", "'", ".", "%2e%2e")
LISTS = [
    ("limit=0", bad(below("limit", "integer", 1, 0))),
    ("limit=101", bad(above("limit", "integer", 100, 101))),
    ("limit=ten", bad(wrong_type("limit", "an integer", "a string"))),
    ("order=up", bad(bad_value("order", "up", "'asc' and 'desc'"))),
]
#: What the objects of a list are called in errors, by the last part of its route.
LISTED = {
    "assistants": "assistant_id",
    "threads": "thread_id",
    "messages": "message_id",
    "runs": "run_id",
    "steps": "step_id",
}
