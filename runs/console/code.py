"""Calls of the API as code to copy: Python, Node.js and curl.

Pure functions. What they are given may be hostile (texts, names, ids): each language gets it as
a literal of its own, and characters that hide are written as escapes.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runs.console.text import HIDDEN, visible

#: Parameters of a run that are Runsite's own: openai-python takes them apart from the others.
OURS = ("on_active_run", "expires_in", "action_expires_in")
WIDTH = 88  # characters of a line, where it can be broken
HALVES = re.compile("[\ud800-\udfff]")  # of surrogate pairs: of what the API will refuse
KEY = "The key is read from OPENAI_API_KEY."


@dataclass(frozen=True, slots=True)
class Answer:
    """Stands in a call for the id in the answer to an earlier one, by the name of that."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A POST of the API. ``name``: under which its answer goes on."""

    name: str
    path: tuple[str | Answer, ...]
    body: dict[str, Any]

    @property
    def line(self) -> str:
        """``POST /threads/…/runs``; an id that an earlier call answers is named."""
        parts = [f"{{{part.name}.id}}" if isinstance(part, Answer) else part for part in self.path]
        return visible(f"POST /v1/{'/'.join(parts)}")


def create_assistant(model: str) -> Call:
    """Make an assistant that is its model alone."""
    return Call("assistant", ("assistants",), {"model": model})


def create_thread(messages: Sequence[dict[str, Any]]) -> Call:
    """Make a thread with its first messages."""
    return Call("thread", ("threads",), {"messages": list(messages)})


def create_run(thread: str | Answer, body: dict[str, Any]) -> Call:
    """Start a run on a thread."""
    return Call("run", ("threads", thread, "runs"), body)


def submit_outputs(thread: str, run: str, outputs: Sequence[dict[str, Any]]) -> Call:
    """Answer the calls that a run waits for."""
    path = ("threads", thread, "runs", run, "submit_tool_outputs")
    return Call("run", path, {"tool_outputs": list(outputs)})


# --- literals ---


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes the values of JSON, and the id in an earlier answer."""

    words: dict[bool | None, str]
    answer: Callable[[str], str]
    quoted: Callable[[str | float], str]
    key: Callable[[str], str]
    comma: str  # behind the last of several lines

    def literal(self, value: Any, indent: int = 0) -> str:
        """A value; in several lines if it is long, the later ones of them indented."""
        if not isinstance(value, dict | list):
            return self.scalar(value)
        if not value:
            return "".join(brackets(value))
        return self.inline(value, WIDTH - indent) or self.broken(value, indent)

    def scalar(self, value: Any) -> str:
        """A value that is no object or array."""
        if isinstance(value, Answer):
            return self.answer(value.name)
        if value is None or isinstance(value, bool):
            return self.words[value]
        return self.quoted(value)

    def inline(self, value: Any, room: int) -> str | None:
        """A value in one line; None as soon as that is longer than ``room``, so that trying
        it costs no more for a large value than for a small one."""
        if room <= 0 or (isinstance(value, str) and len(value) > room):
            return None
        if not isinstance(value, dict | list):
            line = self.scalar(value)
        else:
            line, ends = brackets(value)
            for before, item in self.parts(value):
                line += f", {before}" if len(line) > 1 else before
                part = self.inline(item, room - len(line) - 1)
                if part is None:
                    return None
                line += part
            line += ends
        return line if len(line) <= room else None

    def broken(self, value: dict[str, Any] | list[Any], indent: int) -> str:
        """An object or array with a line, or several, for each of its parts."""
        opens, ends = brackets(value)
        inner = " " * (indent + 2)
        lines = [
            f"{inner}{before}{self.literal(item, indent + 2)}" for before, item in self.parts(value)
        ]
        between = ",\n".join(lines)
        return f"{opens}\n{between}{self.comma}\n{' ' * indent}{ends}"

    def parts(self, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
        """The items of an object or array, each behind what is written before it."""
        if isinstance(value, dict):
            return ((f"{self.key(key)}: ", item) for key, item in value.items())
        return (("", item) for item in value)


def brackets(value: dict[str, Any] | list[Any]) -> tuple[str, str]:
    """What an object or array begins and ends with."""
    return ("{", "}") if isinstance(value, dict) else ("[", "]")


def quoted(value: str | float) -> str:
    """A text or number in JSON, which JavaScript reads alike."""
    return escaped(HALVES, escaped(HIDDEN, json.dumps(value, ensure_ascii=False)))


def python_quoted(value: str | float) -> str:
    """A text or number in Python, for which two halves are not one character."""
    return escaped(HALVES, visible(json.dumps(value, ensure_ascii=False)))


def escaped(characters: re.Pattern[str], text: str) -> str:
    """``text`` with these characters as JSON escapes them: ``\\uxxxx``, or a pair of those."""

    def escape(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass").hex()
        return re.sub("....", r"\\u\g<0>", units)

    return characters.sub(escape, text)


def js_key(name: str) -> str:
    """A key as JavaScript takes it: ``"__proto__": …`` would be no property."""
    if name == "__proto__":
        return f"[{quoted(name)}]"
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else quoted(name)


PYTHON = Language(
    {True: "True", False: "False", None: "None"}, "{}.id".format, python_quoted, python_quoted, ","
)
JS = Language({True: "true", False: "false", None: "null"}, "{}.id".format, quoted, js_key, ",")
JSON = Language(JS.words, '"{{{}.id}}"'.format, quoted, quoted, "")
MARK = "\0"  # in no JSON: there it is an escape
SHELL = Language(JS.words, f'"{MARK}{{}}"'.format, quoted, quoted, "")


def as_json(value: Any) -> str:
    """A body as it is sent; an id that an earlier call answers is named."""
    return JSON.literal(value)


# --- Python ---


def python(base_url: str, calls: Sequence[Call]) -> str:
    """The calls with openai-python."""
    lines = ["from openai import OpenAI", "", f"# {KEY}"]
    lines += [f"client = OpenAI(base_url={python_quoted(base_url)})", ""]
    lines += [f"{call.name} = client.beta.{python_call(call)}" for call in calls]
    return "\n".join([*lines, "print(run.id, run.status)", ""])


def python_call(call: Call) -> str:
    """A method of the client with its arguments, one in each line."""
    given: dict[str, Any] = {}
    if len(call.path) > 1:
        given["thread_id"] = call.path[1]
    if len(call.path) > 3:
        given["run_id"] = call.path[3]
    given |= {name: value for name, value in call.body.items() if name not in OURS}
    if ours := {name: value for name, value in call.body.items() if name in OURS}:
        given["extra_body"] = ours
    lines = "".join(f"    {name}={PYTHON.literal(value, 4)},\n" for name, value in given.items())
    method = "submit_tool_outputs" if len(call.path) > 3 else "create"
    return f"{'.'.join(names(call))}.{method}(\n{lines})"


def names(call: Call) -> Iterator[str]:
    """The parts of the path that are no ids: ``threads``, ``runs``."""
    return (str(part) for part in call.path[:3:2])


# --- Node.js ---


def node(base_url: str, calls: Sequence[Call]) -> str:
    """The calls with openai-node, as a module (``.mjs``)."""
    lines = ['import OpenAI from "openai";', "", f"// {KEY}"]
    lines += [f"const client = new OpenAI({{ baseURL: {quoted(base_url)} }});", ""]
    lines += [f"const {call.name} = await client.beta.{node_call(call)};" for call in calls]
    return "\n".join([*lines, "console.log(run.id, run.status);", ""])


def node_call(call: Call) -> str:
    """A method of the client with its arguments."""
    resource = ".".join(names(call))
    if len(call.path) > 3:
        body = {"thread_id": call.path[1], **call.body}
        return f"{resource}.submitToolOutputs({JS.literal(call.path[3])}, {JS.literal(body)})"
    ids = [JS.literal(part) for part in call.path[1:2]]
    return f"{resource}.create({', '.join([*ids, JS.literal(call.body)])})"


# --- curl ---

POST = """\
post() {{
  curl --silent --show-error --fail-with-body {base_url}"$1" \\
    --header "Authorization: Bearer $OPENAI_API_KEY" \\
    --header "OpenAI-Beta: assistants=v2" \\
    --header "Content-Type: application/json" \\
    --data-binary @-
}}
"""
ID = r"""sed 's/^{"id": *"\([^"]*\)".*/\1/'"""


def curl(base_url: str, calls: Sequence[Call]) -> str:
    """The calls with curl, for any POSIX shell."""
    *first, last = calls
    parts = [POST.format(base_url=shlex.quote(base_url))]
    parts += [f"{call.name}=$({curl_call(call, f' | {ID}')})\n" for call in first]
    return "".join([f"# {KEY}\n", *parts, curl_call(last)])


def curl_call(call: Call, then: str = "") -> str:
    """One call, its body read from the lines that follow."""
    parts = [
        f'"${part.name}"' if isinstance(part, Answer) else shlex.quote(part) for part in call.path
    ]
    body, end = SHELL.literal(call.body), "'JSON'"
    if MARK in body:  # the shell has to look into it for ids: all else that it knows is escaped
        body = re.sub(r"[\\$`]", r"\\\g<0>", body).replace(MARK, "$")
        end = "JSON"
    return f"post /{'/'.join(parts)} <<{end}{then}\n{body}\nJSON\n"


LANGUAGES: dict[str, Callable[[str, Sequence[Call]], str]] = {
    "Python": python,
    "Node.js": node,
    "curl": curl,
}


def in_all(base_url: str, calls: Sequence[Call]) -> dict[str, str]:
    """The calls in each language, by its name."""
    return {name: write(base_url, calls) for name, write in LANGUAGES.items()}
