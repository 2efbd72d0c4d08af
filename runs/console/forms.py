"""Forms that become the fields of an operation. The same limits as the API's."""

from typing import Any, cast

from django import forms

from runs.console.pages import with_id
from runs.console.text import visible
from runs.contract import limits
from runs.models import Assistant, Project

SHOWN_ASSISTANTS = 100


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


class NameForm(forms.Form):
    """A name for a project or a key."""

    name = forms.CharField(max_length=100)


def choose_assistant(form: forms.Form, project: Project) -> None:
    """Fill the choice of assistants with the project's newest."""
    rows = Assistant.objects.for_project(project).order_by("-number")[:SHOWN_ASSISTANTS]
    choices = [("", "No assistant"), *(choice_of(row) for row in rows)]
    given = form.data.get("assistant") if form.is_bound else form.initial.get("assistant")
    if given and all(given != key for key, _ in choices):
        older = with_id(Assistant.objects.for_project(project), given).first()
        if older is not None:
            choices.append(choice_of(older))
    cast(forms.ChoiceField, form.fields["assistant"]).choices = choices


def choice_of(assistant: Assistant) -> tuple[str, str]:
    """An assistant as an entry of a list to choose from."""
    return assistant.id, visible(f"{assistant} · {assistant.model}")


def line_feeds(form: forms.Form, name: str) -> str:
    """A text as typed: browsers send line breaks as CR LF."""
    text: str = form.cleaned_data[name]
    return text.replace("\r\n", "\n")
