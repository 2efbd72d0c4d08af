"""The form of an assistant, and its functions as a person reads them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms

from runs.console.fields import JsonField
from runs.console.forms import line_feeds
from runs.contract import limits
from runs.contract.errors import BadRequest
from runs.inputs.bodies import validate
from runs.inputs.serializers import CreateAssistant
from runs.models import Assistant

DEFAULT = [("", "Default")]
EFFORTS = [*DEFAULT, *((word, word) for word in limits.REASONING_EFFORTS)]
FORMATS = [
    *DEFAULT,
    ("auto", "auto"),
    ("text", "Text"),
    ("json_object", "JSON object"),
    ("json_schema", "JSON of a schema"),
]
MONO = {"class": "mono", "spellcheck": "false"}
#: Settings of an assistant that its form has a plain field for.
PLAIN = ("name", "description", "model", "temperature", "top_p", "reasoning_effort")


class AssistantForm(forms.Form):
    """All settings of an assistant but its tool resources. The body of the API checks them:
    ``settings`` has what it made of them, once the form is valid."""

    settings: dict[str, Any]

    name = forms.CharField(max_length=limits.NAME, required=False)
    description = forms.CharField(max_length=limits.DESCRIPTION, required=False)
    model = forms.CharField(max_length=256)
    instructions = forms.CharField(
        max_length=limits.INSTRUCTIONS,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10}),
    )
    tools = JsonField(
        required=False,
        help_text="A JSON list, as in the API.",
        widget=forms.Textarea(attrs={"rows": 12, **MONO}),
    )
    temperature = forms.FloatField(min_value=0, max_value=2, required=False)
    top_p = forms.FloatField(label="Top p", min_value=0, max_value=1, required=False)
    reasoning_effort = forms.ChoiceField(choices=EFFORTS, required=False)
    response_format = forms.ChoiceField(choices=FORMATS, required=False)
    json_schema = JsonField(
        label="Schema of the answer",
        required=False,
        help_text='For “JSON of a schema”: an object {"name": …, "schema": {…}}.',
        widget=forms.Textarea(attrs={"rows": 4, **MONO}),
    )
    metadata = JsonField(
        required=False,
        help_text=f"A JSON object of at most {limits.METADATA_PAIRS} texts.",
        widget=forms.Textarea(attrs={"rows": 3, **MONO}),
    )
    #: The version that is edited.
    version = forms.IntegerField(min_value=0, max_value=limits.LARGEST, initial=0)

    @classmethod
    def of(cls, assistant: Assistant) -> "AssistantForm":
        """The form with the settings of an assistant."""
        chosen = assistant.response_format
        kind = chosen.get("type") if isinstance(chosen, dict) else chosen
        schema = chosen.get("json_schema") if isinstance(chosen, dict) else None
        given = {name: getattr(assistant, name) for name in PLAIN}
        return cls(
            initial=given
            | {
                "instructions": assistant.instructions,
                "tools": typed(assistant.tools),
                "metadata": typed(assistant.metadata),
                "response_format": kind,
                "json_schema": typed(schema),
                "version": assistant.version,
            }
        )

    def clean(self) -> dict[str, Any]:
        """Ask the API's own rules about all that is there."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        if data["json_schema"] is not None and data["response_format"] != "json_schema":
            self.add_error("json_schema", "Only “JSON of a schema” has a schema.")
            return data
        given = self.given()
        try:
            checked = validate(CreateAssistant, given)
        except BadRequest as refusal:
            place = (refusal.param or "").partition("[")[0].partition(".")
            inner = place[0] == "response_format" and place[2].startswith("json_schema")
            self.add_error("json_schema" if inner else place[0] or None, refusal.message)
        else:
            self.settings = {name: checked.get(name) for name in given}
        return data

    def given(self) -> dict[str, Any]:
        """What was typed, as on the wire; what was left empty is null."""
        data = self.cleaned_data
        given: dict[str, Any] = {name: data[name] or None for name in PLAIN}
        given |= {name: data[name] for name in ("temperature", "top_p")}  # 0 is a number
        given |= {"tools": data["tools"], "metadata": data["metadata"]}
        given["instructions"] = line_feeds(self, "instructions") or None
        kind = data["response_format"]
        given["response_format"] = (
            (kind or None)
            if kind in ("", "auto")
            else {"type": kind}
            | ({"json_schema": data["json_schema"]} if data["json_schema"] else {})
        )
        return given

    def functions(self) -> list["FunctionView"]:
        """The functions among the tools, if these are well."""
        tools = (
            self.cleaned_data.get("tools")
            if self.is_bound
            else json.loads(self.initial.get("tools") or "[]")
        )
        if not tools or "tools" in self.errors:
            return []
        return [FunctionView.of(tool["function"]) for tool in tools if tool.get("function")]


def typed(value: Any) -> str:
    """JSON as a person edits it; nothing for what is empty."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function, as far as its schema says."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class FunctionView:
    """A function: its parameters in a table."""

    name: str
    description: str
    parameters: list[Parameter]

    @classmethod
    def of(cls, function: dict[str, Any]) -> "FunctionView":
        """The view of a function that was checked; its schema may hold anything."""
        schema = function.get("parameters")
        found = list(parameters(schema)) if isinstance(schema, dict) else []
        return cls(function["name"], function.get("description") or "", found)


def parameters(schema: dict[str, Any]) -> Iterator[Parameter]:
    """The properties of an object's schema."""
    properties, required = schema.get("properties"), schema.get("required")
    wanted = required if isinstance(required, list) else []
    for name, rule in (properties if isinstance(properties, dict) else {}).items():
        known = rule if isinstance(rule, dict) else {}
        yield Parameter(name, kind_of(known), name in wanted, str(known.get("description") or ""))


def kind_of(schema: dict[str, Any]) -> str:
    """The type of a value in few words."""
    if isinstance(schema.get("enum"), list):
        return "one of " + ", ".join(
            json.dumps(value, ensure_ascii=False) for value in schema["enum"]
        )
    kind = schema.get("type", "anything")
    words = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    items = schema.get("items")
    return f"{words} of {kind_of(items)}" if kind == "array" and isinstance(items, dict) else words
