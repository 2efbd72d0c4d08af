"""Form fields for JSON that a person types, and what tools and metadata may look like.

As strict as the API's own reading: what this lets through goes into the same tables.
"""

import json
import re
from typing import Any, NoReturn

from django import forms

from runs.contract import limits

#: The keys of a function and the JSON types of their values.
FUNCTION = {"name": str, "description": str, "parameters": dict, "strict": bool}
BUILT_IN = ({"type": "code_interpreter"}, {"type": "file_search"})


class JsonField(forms.CharField):
    """JSON typed by hand; an empty field is None."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        """Parse it, and say where it breaks."""
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        try:
            found = json.loads(text, parse_constant=refuse)
            found_again = json.dumps(found, ensure_ascii=False)
            found_again.encode()  # lone surrogates
        except json.JSONDecodeError as error:
            raise forms.ValidationError(
                f"This is not JSON: {error.msg} in line {error.lineno}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("This is JSON that cannot be stored.") from error
        if deep(found) > limits.JSON_DEPTH or "\\u0000" in found_again:
            raise forms.ValidationError("This is JSON that cannot be stored.")
        return found


def refuse(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(name)


def deep(value: Any) -> int:
    """How many brackets a value is nested in at its deepest."""
    depth, level = 0, [value]
    while level:
        inner = [item for item in level if isinstance(item, dict | list)]
        depth += bool(inner)
        level = [
            part for item in inner for part in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def check_tools(tools: Any) -> None:
    """Refuse what is no list of tools.

    Raises:
        ValidationError: says which one is wrong, and how.
    """
    if not isinstance(tools, list) or len(tools) > limits.TOOLS:
        raise forms.ValidationError(f"Tools are a list of at most {limits.TOOLS}.")
    for place, tool in enumerate(tools, start=1):
        if tool not in BUILT_IN:
            check_function(place, tool)


def check_function(place: int, tool: Any) -> None:
    """Refuse what is no function tool."""
    shape = isinstance(tool, dict) and set(tool) == {"type", "function"}
    if not shape or tool["type"] != "function" or not isinstance(tool["function"], dict):
        raise forms.ValidationError(
            f'Tool {place} must be {{"type": "function", "function": {{"name": …}}}}.'
        )
    function = tool["function"]
    name = function.get("name")
    if not isinstance(name, str) or not re.fullmatch(limits.FUNCTION_NAME, name):
        raise forms.ValidationError(
            f"The function name of tool {place} must be 1 to 64 letters, digits, _ or -."
        )
    for key, value in function.items():
        if key not in FUNCTION:
            raise forms.ValidationError(f"The function of tool {place} has no “{key}”.")
        if value is not None and not isinstance(value, FUNCTION[key]):
            raise forms.ValidationError(f"The {key} of tool {place} has the wrong type.")


def check_metadata(pairs: Any) -> None:
    """Refuse what is no metadata.

    Raises:
        ValidationError: says which pair is wrong, and how.
    """
    if not isinstance(pairs, dict) or len(pairs) > limits.METADATA_PAIRS:
        raise forms.ValidationError(
            f"Metadata is an object of at most {limits.METADATA_PAIRS} texts."
        )
    for key, value in pairs.items():
        if len(key) > limits.METADATA_KEY:
            raise forms.ValidationError(
                f"The key “{key[:20]}…” is longer than {limits.METADATA_KEY}."
            )
        if not isinstance(value, str) or len(value) > limits.METADATA_VALUE:
            raise forms.ValidationError(
                f"The value of “{key}” must be a text of at most {limits.METADATA_VALUE}."
            )
