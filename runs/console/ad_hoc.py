"""Assistants for runs that name a model only; one per model and project."""

from runs import operations
from runs.models import Assistant, Project

MARK = {"made_by": "console"}  # their metadata


def ad_hoc_assistant(project: Project, model: str) -> Assistant:
    """The assistant of a model that nobody set up; made on first use."""
    fields = {"model": model, "name": f"Any {model}"[:256], "metadata": MARK}
    return made_before(project, model) or operations.create_assistant(project, fields)


def made_before(project: Project, model: str) -> Assistant | None:
    """It, if there is one yet."""
    if "\0" in model:
        return None
    rows = Assistant.objects.for_project(project).filter(model=model[:256], metadata=MARK)
    return rows.first()


def is_ad_hoc(assistant: Assistant) -> bool:
    """Whether it is one of these, and no settings of anybody."""
    return bool(assistant.metadata == MARK)
