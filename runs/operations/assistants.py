"""Operations on assistants."""

from typing import Any

from runs.contract.errors import NotFound
from runs.models import Assistant, Project
from runs.models.database import now

COLUMNS = (
    "name",
    "description",
    "model",
    "instructions",
    "tools",
    "tool_resources",
    "metadata",
    "temperature",
    "top_p",
    "response_format",
    "reasoning_effort",
)
#: What a column holds when its field is given as null.
EMPTY: dict[str, type] = {"tools": list, "tool_resources": dict, "metadata": dict}


def create_assistant(project: Project, fields: dict[str, Any]) -> Assistant:
    """Create an assistant. ``model`` must be among the fields."""
    given = {name: fields[name] for name in COLUMNS if fields.get(name) is not None}
    given.setdefault("tool_resources", default_resources(given.get("tools", [])))
    return Assistant.objects.create(project=project, created_at=now(), **given)


def update_assistant(assistant: Assistant, fields: dict[str, Any]) -> Assistant:
    """Change the fields that are given; ``tools`` and ``metadata`` replace, not merge."""
    changed = [name for name in COLUMNS if name in fields]
    for name in changed:
        value = fields[name]
        if value is None and name in EMPTY:
            value = EMPTY[name]()
        setattr(assistant, name, value)
    if fields.get("model", "") is None:
        changed.remove("model")
        assistant.refresh_from_db(fields=["model"])
    if changed and not Assistant.objects.filter(id=assistant.id).update(
        **{name: getattr(assistant, name) for name in changed}
    ):
        raise NotFound("assistant", assistant.id)
    return assistant


def delete_assistant(assistant: Assistant) -> None:
    """Delete an assistant. Its runs keep what they took from it and go on."""
    assistant.delete()


def find_assistant(project: Project, assistant_id: str) -> Assistant:
    """The project's assistant of this id.

    Raises:
        NotFound: there is none.
    """
    found = Assistant.objects.for_project(project).filter(id=assistant_id).first()
    if found is None:
        raise NotFound("assistant", assistant_id)
    return found


def default_resources(tools: list[dict[str, Any]]) -> dict[str, Any]:
    """``tool_resources`` when none are given (recorded answers of the original)."""
    kinds = {tool.get("type") for tool in tools}
    return {"code_interpreter": {"file_ids": []}} if "code_interpreter" in kinds else {}
