"""The arguments of a call in the words of its tool, for who has to answer it."""

from dataclasses import dataclass
from typing import Any

from runs.console.payload import SHOWN
from runs.console.text import visible
from runs.contract.schemas import read_json, write_json


@dataclass(frozen=True, slots=True)
class Argument:
    """A value with what the tool's schema says of it."""

    label: str
    help: str
    value: str


def described(tools: list[dict[str, Any]], name: str, arguments: str) -> list[Argument]:
    """The arguments of a call of ``name``; empty if its tool describes none of them, or if
    they are more than a page shows."""
    if len(arguments) > SHOWN:
        return []
    try:
        given = read_json(arguments)
    except ValueError:
        return []
    properties = properties_of(tools, name)
    known = {key: properties[key] for key in properties if isinstance(properties[key], dict)}
    if not isinstance(given, dict) or not any(said(known.get(key, {})) for key in given):
        return []
    return [argument(key, value, known.get(key, {})) for key, value in given.items()]


def properties_of(tools: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The schemas of the parameters of a function; empty if there are none."""
    for tool in tools:
        function = tool.get("function") or {}
        if function.get("name") == name:
            properties = (function.get("parameters") or {}).get("properties")
            return properties if isinstance(properties, dict) else {}
    return {}


def said(schema: dict[str, Any]) -> bool:
    """Whether a schema has words for a person."""
    return bool(schema.get("title") or schema.get("description"))


def argument(key: str, value: Any, schema: dict[str, Any]) -> Argument:
    """One argument, to be shown."""
    title, text = schema.get("title"), schema.get("description")
    label = f"{title} ({key})" if title else key
    shown = value if isinstance(value, str) else write_json(value)
    return Argument(visible(label), visible(str(text or "")), visible(shown))
