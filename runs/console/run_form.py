"""The form that starts a run: a body of the API, typed into fields."""

import re
from collections.abc import Iterator
from typing import Any, cast

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict

from runs.console import code
from runs.console.ad_hoc import made_before
from runs.console.fields import JsonField, NumberField, TextField, WordField
from runs.console.forms import choose_assistant
from runs.console.inherited import Inherited, inherited
from runs.console.pages import with_id
from runs.console.run_body import messages_of, settings_of, tool_name
from runs.contract import ids, limits
from runs.contract.errors import BadRequest
from runs.contract.status import OnActiveRun
from runs.inputs.bodies import refusals
from runs.inputs.serializers import CreateRun, ModifyMetadata
from runs.models import Assistant, Project, Run, Thread

#: Where a refusal is shown, by the beginning of its place in the body; else in the field of the
#: same name.
FIELDS = {
    "response_format.json_schema": "json_schema",
    "truncation_strategy.last_messages": "last_messages",
    "truncation_strategy": "truncation",
    "tool_choice.function": "function",
    "additional_messages": "messages",
}


class RunForm(forms.Form):
    """Everything a run can be started with. What is left empty is inherited."""

    key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    from_run = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    assistant = forms.ChoiceField(
        required=False, help_text="Without one, the model answers under default settings."
    )
    model = forms.CharField(required=False, widget=forms.TextInput(attrs={"list": "models"}))
    text = TextField(5, label="Message")
    messages = JsonField(
        4,
        label="Before it",
        help_text='A JSON list of messages that come first: [{"role": "user", "content": "…"}].',
    )
    thread = forms.CharField(
        max_length=64, required=False, help_text="Leave empty to start a new thread."
    )
    on_active_run = WordField(
        tuple(OnActiveRun),
        label="If the thread is busy",
        help_text="Runsite's own: the original API has no such parameter.",
    )
    instructions = TextField(
        3, help_text="Take the place of the assistant's instructions for this run."
    )
    additional_instructions = TextField(
        2, help_text="Come after the instructions, whether inherited or typed above."
    )
    tool = forms.MultipleChoiceField(
        required=False, label="Tools", widget=forms.CheckboxSelectMultiple
    )
    tools = JsonField(
        6,
        label="Functions",
        help_text="A JSON list of tools, as in the API, besides those that are ticked.",
    )
    tool_choice = WordField(("auto", "none", "required"))
    function = forms.CharField(
        required=False,
        label="Call this function",
        help_text="By its name; instead of a tool choice.",
        widget=forms.TextInput(attrs={"list": "functions", "class": "mono"}),
    )
    parallel_tool_calls = forms.ChoiceField(
        required=False,
        label="Several tool calls at once",
        choices=[("", "Inherited"), ("true", "Allowed"), ("false", "Not allowed")],
    )
    temperature = NumberField(help_text="0 to 2.")
    top_p = NumberField(label="Top p", help_text="0 to 1.")
    reasoning_effort = WordField(limits.REASONING_EFFORTS)
    response_format = WordField(("auto", "text", "json_object", "json_schema"))
    json_schema = JsonField(
        6,
        label="JSON schema",
        help_text='For json_schema: {"name": "answer", "schema": {…}, "strict": true}.',
    )
    max_prompt_tokens = NumberField(label="Prompt tokens at most")
    max_completion_tokens = NumberField(label="Completion tokens at most")
    truncation = WordField(("auto", "last_messages"))
    last_messages = NumberField(help_text="For last_messages: how many.")
    expires_in = NumberField(help_text="Seconds until the run expires. Runsite's own, too.")
    action_expires_in = NumberField(
        label="Wait for outputs",
        help_text="Seconds of each wait for tool outputs. Runsite's own, too.",
    )

    #: What the fields make: see clean.
    settings: dict[str, Any]
    added: list[Any]
    thread_id: str
    found_thread: Thread | None = None

    def __init__(self, *args: Any, project: Project, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.project = project
        choose_assistant(self, project)
        self.chosen = self.find_assistant()
        self.offered = self.chosen.tools if self.chosen else []
        self.inherited = self.inherit(inherited(self.chosen))
        names = [tool_name(tool) for tool in self.offered]
        self.fields["tool"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if "tool" not in self.initial:
            self.initial["tool"] = names
        if self.is_bound and self.data.get("tools_of", "") != self.tools_of:
            data = cast(QueryDict, self.data).copy()  # the assistant was changed: all of its tools
            data.setlist("tool", names)
            self.data = data
        for row in range(limits.METADATA_PAIRS):
            for part in ("key", "value"):
                label = f"{part.capitalize()} {row + 1}"
                self.fields[f"metadata_{part}_{row}"] = forms.CharField(
                    required=False, strip=False, label=label
                )

    def find_assistant(self) -> Assistant | None:
        """The assistant that is chosen."""
        given = self.data.get("assistant") if self.is_bound else self.initial.get("assistant")
        if not given:
            return None
        return with_id(Assistant.objects.for_project(self.project), given).first()

    def inherit(self, found: Inherited) -> Inherited:
        """Show in each field what it has while it is empty."""
        for name, value in found.items():
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", value), *cast(list[Any], field.choices)[1:]]
            else:
                field.widget.attrs["placeholder"] = value
        return found

    @property
    def tools_of(self) -> str:
        """Whose tools can be ticked."""
        return self.chosen.id if self.chosen else ""

    @property
    def pairs(self) -> Iterator[tuple[BoundField, BoundField, bool]]:
        """The fields of each pair of metadata, and whether it is one to spare."""
        spare = 0
        for row in range(limits.METADATA_PAIRS):
            key, value = self[f"metadata_key_{row}"], self[f"metadata_value_{row}"]
            spare += not (key.value() or value.value())
            yield key, value, spare > 1

    @property
    def pairs_used(self) -> int:
        """How many pairs of metadata are filled."""
        return sum(bool(key.value()) for key, _, _ in self.pairs)

    def clean_from_run(self) -> str:
        """The id of a run of this project, or nothing."""
        given = str(self.cleaned_data["from_run"])
        return given if with_id(Run.objects.for_project(self.project), given).exists() else ""

    # --- the body ---

    def clean(self) -> dict[str, Any]:
        """Make the body, and have the rules of the API look at it."""
        data: dict[str, Any] = super().clean() or {}
        self.thread_id = str(data.get("thread", ""))
        if self.thread_id:
            rows = Thread.objects.for_project(self.project)
            self.found_thread = with_id(rows, self.thread_id).first()
            if self.found_thread is None:
                self.add_error("thread", "No thread with this id in this project.")
        self.settings = settings_of(data) | self.settings_of_tools(data)
        self.added = messages_of(data)
        if pairs := self.metadata(data):
            self.settings["metadata"] = pairs
        body = {"assistant_id": ids.ASSISTANT, "additional_messages": self.added}
        for refusal in refusals(CreateRun, body | self.settings):
            self.show(refusal)
        self.expect_enough(data)
        return data

    def settings_of_tools(self, data: dict[str, Any]) -> dict[str, Any]:
        """The tools, if they are others than the assistant's."""
        ticked = data.get("tool", [])
        kept = [tool for tool in self.offered if tool_name(tool) in ticked]
        more = data.get("tools")
        if more is None:
            return {} if kept == self.offered else {"tools": kept}
        return {"tools": [*kept, *more] if isinstance(more, list) else more}

    def metadata(self, data: dict[str, Any]) -> dict[str, str]:
        """The pairs; each is looked at by itself, so that a refusal stands beside it."""
        pairs: dict[str, str] = {}
        for row in range(limits.METADATA_PAIRS):
            key, value = (data.get(f"metadata_{part}_{row}", "") for part in ("key", "value"))
            if key in pairs:
                self.add_error(f"metadata_key_{row}", "This key is there twice.")
            elif key:
                pairs[key] = value
                for refusal in refusals(ModifyMetadata, {"metadata": {key: value}}):
                    self.add_error(f"metadata_value_{row}", refusal.message)
            elif value:
                self.add_error(f"metadata_key_{row}", "This value needs a key.")
        return pairs

    def show(self, refusal: BadRequest) -> None:
        """Put a refusal beside the field that it is about."""
        place = refusal.param or ""
        if place.startswith("metadata"):
            return  # told beside the pair
        name = next((name for start, name in FIELDS.items() if place.startswith(start)), "")
        name = name or re.split(r"\W", place)[0]
        if place.startswith(f"additional_messages[{len(self.added) - 1}]") and self.said:
            name = "text"
        self.add_error(name if name in self.fields else None, refusal.message)

    @property
    def said(self) -> bool:
        """Whether there is a message."""
        return bool(self.cleaned_data.get("text", "").strip())

    def expect_enough(self, data: dict[str, Any]) -> None:
        """A run needs somebody to answer, and a new thread something to answer to."""
        if not data.get("assistant") and not self.settings.get("model"):
            self.add_error("model", "Choose an assistant or name a model.")
        if not self.added and not self.thread_id and "messages" not in self.errors:
            self.add_error("text", "A new thread needs a message.")

    # --- the same as calls ---

    def calls(self) -> list[code.Call]:
        """The calls of the API that do what the form does. Of what was refused, as it is."""
        calls, body = [], dict(self.settings)
        assistant: str | code.Answer = self.tools_of
        if not assistant:
            model = str(body.pop("model", ""))
            before = made_before(self.project, model)
            assistant = before.id if before else code.Answer("assistant")
            calls += [] if before else [code.create_assistant(model)]
        thread: str | code.Answer = self.thread_id
        body = {"assistant_id": assistant, **body}
        if thread:
            body |= {"additional_messages": self.added} if self.added else {}
        else:
            calls.append(code.create_thread(self.added))
            thread = code.Answer("thread")
        return [*calls, code.create_run(thread, body)]
