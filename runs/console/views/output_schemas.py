"""The schemas of tool outputs, which the desk makes its forms of."""

import json
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from runs import operations
from runs.console.fields import JsonField
from runs.console.forms import choose_assistant
from runs.console.pages import ConsoleRequest, member_only, page, with_id
from runs.console.schema_form import form_of
from runs.contract.errors import BadRequest
from runs.models import Assistant, OutputSchema, Project

SHOWN = 200  # schemas of a project that are listed
EVERY_RUN = "Every run of the project"


class OutputSchemaForm(forms.Form):
    """Which function, in whose runs, and what its outputs look like."""

    function = forms.CharField(max_length=64, help_text="The name of the function.")
    assistant = forms.ChoiceField(label="In runs of", required=False)
    schema = JsonField(
        rows=14,
        required=True,
        help_text="A JSON schema of the outputs. The form is made from it.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any):
        super().__init__(*args, **kwargs)
        choose_assistant(self, project)
        field = cast(forms.ChoiceField, self.fields["assistant"])
        _, *assistants = cast(list[tuple[str, str]], field.choices)
        field.choices = [("", EVERY_RUN), *assistants]


@member_only
@require_http_methods(["GET", "HEAD", "POST"])
def schemas(request: ConsoleRequest, project: Project) -> HttpResponse:
    """The schemas of the project. A POST stores one, in place of the one that was there."""
    if request.method != "POST":
        given = {name: request.GET.get(name, "") for name in ("function", "assistant")}
        return schemas_page(request, project, OutputSchemaForm(project=project, initial=given))
    form = OutputSchemaForm(request.POST, project=project)
    row = store(project, form) if form.is_valid() else None
    if row is None:
        return schemas_page(request, project, form, status=422)
    messages.success(request, f"The schema of {row.function} was saved.")
    return redirect("console:output-schema", row.number)


@member_only
@require_http_methods(["GET", "HEAD", "POST"])
def schema(request: ConsoleRequest, project: Project, schema_number: int) -> HttpResponse:
    """One schema, with the form that it makes. A POST removes it."""
    row = find_schema(project, schema_number)
    if request.method == "POST":
        operations.remove_output_schema(row)
        messages.success(request, f"The schema of {row.function} was removed.")
        return redirect("console:output-schemas")
    given = {"function": row.function, "assistant": row.assistant_id or ""}
    form = OutputSchemaForm(project=project, initial=given | {"schema": indented(row.schema)})
    return schemas_page(request, project, form, row)


def store(project: Project, form: OutputSchemaForm) -> OutputSchema | None:
    """Store what a valid form says; None, with an error in the form, if it is refused."""
    data = form.cleaned_data
    assistants = with_id(Assistant.objects.for_project(project), data["assistant"])
    assistant = assistants.first() if data["assistant"] else None
    try:
        return operations.set_output_schema(project, data["function"], data["schema"], assistant)
    except BadRequest as refusal:
        form.add_error(refusal.param, refusal.message)
        return None


def find_schema(project: Project, number: int) -> OutputSchema:
    """The schema of this number; 404 if it is another project's."""
    row = OutputSchema.objects.for_project(project).filter(number=number).first()
    if row is None:
        raise Http404("No such schema in this project. It may have been removed.")
    return row


def indented(schema: Any) -> str:
    """A schema as it is edited."""
    return json.dumps(schema, indent=2, ensure_ascii=False)


def schemas_page(
    request: ConsoleRequest,
    project: Project,
    form: OutputSchemaForm,
    stored: OutputSchema | None = None,
    status: int = 200,
) -> HttpResponse:
    """The list and the form, with what a stored schema looks like on the desk."""
    rows = OutputSchema.objects.for_project(project).select_related("assistant")
    context = {
        "form": form,
        "rows": rows[:SHOWN],
        "stored": stored,
        "part": form_of(stored.schema, "preview", "preview") if stored else None,
        "every_run": EVERY_RUN,
    }
    return page(request, project, "console/output_schemas.html", context, status=status)
