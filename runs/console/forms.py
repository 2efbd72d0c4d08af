"""Forms that become the fields of an operation. The same limits as the API's."""

from typing import Any, cast

from django import forms

from runs.console.fields import JsonField, check_metadata, check_tools
from runs.console.pages import with_id
from runs.contract import limits
from runs.models import Assistant, Project

SHOWN_ASSISTANTS = 100
TOOL_CHOICES = [
    ("", "Default (auto)"),
    ("auto", "auto"),
    ("none", "none"),
    ("required", "required"),
]
FORMATS = [("", "Inherited"), ("auto", "auto"), ("text", "Text"), ("json_object", "JSON object")]
EFFORTS = [("", "Inherited"), *((word, word) for word in limits.REASONING_EFFORTS)]

#: Settings of a run that its form has a plain field for.
PLAIN = (
    "model",
    "instructions",
    "additional_instructions",
    "temperature",
    "top_p",
    "reasoning_effort",
    "tool_choice",
    "max_prompt_tokens",
    "max_completion_tokens",
)


class MessageForm(forms.Form):
    """A message for a thread, and perhaps a run after it."""

    text = forms.CharField(
        label="Message",
        max_length=limits.MESSAGE_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    role = forms.ChoiceField(
        choices=[("user", "User"), ("assistant", "Assistant")], required=False, initial="user"
    )
    assistant = forms.ChoiceField(required=False)
    model = forms.CharField(max_length=256, required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any):
        super().__init__(*args, **kwargs)
        choose_assistant(self, project)

    def message(self) -> dict[str, str]:
        """The message as on the wire."""
        return {"role": self.cleaned_data["role"] or "user", "content": line_feeds(self, "text")}


class RunForm(forms.Form):
    """Everything a run can be started with."""

    assistant = forms.ChoiceField(
        required=False, help_text="Without one, the model answers under default settings."
    )
    model = forms.CharField(max_length=256, required=False)
    thread = forms.CharField(
        max_length=64, required=False, help_text="Leave empty to start a new thread."
    )
    text = forms.CharField(
        label="Message",
        max_length=limits.MESSAGE_TEXT,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    instructions = forms.CharField(
        max_length=limits.INSTRUCTIONS,
        required=False,
        help_text="Replaces the assistant's instructions for this run.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    additional_instructions = forms.CharField(
        max_length=limits.INSTRUCTIONS,
        required=False,
        help_text="Added to the end of the instructions.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    tools = JsonField(
        label="Functions",
        required=False,
        help_text="A JSON list, as in the API. Replaces the assistant's tools.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )
    temperature = forms.FloatField(min_value=0, max_value=2, required=False)
    top_p = forms.FloatField(label="Top p", min_value=0, max_value=1, required=False)
    max_prompt_tokens = forms.IntegerField(min_value=1, max_value=limits.LARGEST, required=False)
    max_completion_tokens = forms.IntegerField(
        min_value=1, max_value=limits.LARGEST, required=False
    )
    tool_choice = forms.ChoiceField(choices=TOOL_CHOICES, required=False)
    response_format = forms.ChoiceField(choices=FORMATS, required=False)
    reasoning_effort = forms.ChoiceField(choices=EFFORTS, required=False)
    parallel_tool_calls = forms.BooleanField(
        required=False, initial=True, label="Allow several tool calls at once"
    )
    metadata = JsonField(
        required=False,
        help_text=f"A JSON object of at most {limits.METADATA_PAIRS} texts.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any):
        super().__init__(*args, **kwargs)
        choose_assistant(self, project)

    def clean_tools(self) -> list[Any] | None:
        """A list of tools, if any."""
        tools: list[Any] | None = self.cleaned_data["tools"]
        if tools is not None:
            check_tools(tools)
        return tools

    def clean_metadata(self) -> dict[str, str] | None:
        """Texts under short names, if any."""
        pairs: dict[str, str] | None = self.cleaned_data["metadata"]
        if pairs is not None:
            check_metadata(pairs)
        return pairs

    def clean(self) -> dict[str, Any]:
        """A run needs somebody to answer, and a new thread something to answer to."""
        data: dict[str, Any] = super().clean() or {}
        if not data.get("assistant") and not data.get("model") and "model" not in self.errors:
            self.add_error("model", "Choose an assistant or name a model.")
        silent = not (data.get("text") or "").strip() and "text" not in self.errors
        if silent and not data.get("thread"):
            self.add_error("text", "A new thread needs a message.")
        return data

    def fields_of_run(self) -> dict[str, Any]:
        """What was given of the run's settings, as on the wire."""
        data = self.cleaned_data
        given = {name: data[name] for name in PLAIN if data[name] not in (None, "")}
        for name in ("tools", "metadata"):
            if data[name] is not None:
                given[name] = data[name]
        if data["response_format"]:
            kind = data["response_format"]
            given["response_format"] = kind if kind == "auto" else {"type": kind}
        if not data["parallel_tool_calls"]:
            given["parallel_tool_calls"] = False
        return given

    def message(self) -> dict[str, str] | None:
        """The message as on the wire; None if none was typed."""
        text = line_feeds(self, "text")
        return {"role": "user", "content": text} if text.strip() else None


class NameForm(forms.Form):
    """A name for a project or a key."""

    name = forms.CharField(max_length=100)


def choose_assistant(form: forms.Form, project: Project) -> None:
    """Fill the choice of assistants with the project's newest."""
    rows = Assistant.objects.for_project(project).order_by("-number")[:SHOWN_ASSISTANTS]
    choices = [("", "No assistant"), *((row.id, f"{row} · {row.model}") for row in rows)]
    given = form.data.get("assistant") if form.is_bound else form.initial.get("assistant")
    if given and all(given != key for key, _ in choices):
        older = with_id(Assistant.objects.for_project(project), given).first()
        if older is not None:
            choices.append((older.id, f"{older} · {older.model}"))
    cast(forms.ChoiceField, form.fields["assistant"]).choices = choices


def line_feeds(form: forms.Form, name: str) -> str:
    """A text as typed: browsers send line breaks as CR LF."""
    text: str = form.cleaned_data[name]
    return text.replace("\r\n", "\n")
