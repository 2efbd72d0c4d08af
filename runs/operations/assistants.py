"""Operations on assistants."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from runs.contract.errors import NotFound
from runs.models import ApiKey, Assistant, AssistantVersion, Project
from runs.models.database import now

Author = User | ApiKey | None

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


class Outdated(Exception):
    """Somebody has changed the assistant since it was read; ``assistant`` is as it is now."""

    def __init__(self, assistant: Assistant):
        super().__init__(assistant.id)
        self.assistant = assistant


def create_assistant(project: Project, fields: dict[str, Any], by: Author = None) -> Assistant:
    """Create an assistant, with its first version. ``model`` must be among the fields."""
    given = {name: fields[name] for name in COLUMNS if fields.get(name) is not None}
    given.setdefault("tool_resources", default_resources(given.get("tools", [])))
    made = Assistant(project=project, created_at=now(), version=1, **given)
    with transaction.atomic():
        made.save(force_insert=True)
        keep_version(made, by)
    return made


def update_assistant(
    assistant: Assistant, fields: dict[str, Any], by: Author = None, over: int | None = None
) -> Assistant:
    """Change the fields that are given; ``tools`` and ``metadata`` replace, not merge.

    What really changes becomes the next version, and what was there before stays as the one
    before it.

    Args:
        over: the version that the change was made to; any, if it is not said.

    Raises:
        Outdated: it has another version by now.
    """
    with transaction.atomic():
        hold(assistant)
        if over is not None and over != assistant.version:
            raise Outdated(assistant)
        before = settings_of(assistant)
        wanted = before | {name: fields[name] for name in COLUMNS if name in fields}
        after = {name: settled(name, value, before) for name, value in wanted.items()}
        if after == before:
            return assistant
        if assistant.version == 0:
            assistant.version = 1
            keep_version(assistant, None)
        for name, value in after.items():
            setattr(assistant, name, value)
        assistant.version += 1
        assistant.save(update_fields=[*COLUMNS, "version"])
        keep_version(assistant, by)
    return assistant


def hold(assistant: Assistant) -> None:
    """Read the row anew, and keep others from changing it until the transaction ends.

    Raises:
        NotFound: it was deleted.
    """
    try:
        assistant.refresh_from_db(from_queryset=Assistant.objects.select_for_update())
    except Assistant.DoesNotExist as gone:
        raise NotFound("assistant", assistant.id) from gone


def settled(name: str, value: Any, before: dict[str, Any]) -> Any:
    """What a column holds once its field was given as ``value``. A model cannot be taken away."""
    if value is not None:
        return value
    return before[name] if name == "model" else EMPTY[name]() if name in EMPTY else None


def settings_of(assistant: Assistant) -> dict[str, Any]:
    """The settings of an assistant, by name."""
    return {name: getattr(assistant, name) for name in COLUMNS}


def keep_version(assistant: Assistant, by: Author) -> None:
    """Write down the settings as they are now."""
    AssistantVersion.objects.create(
        project_id=assistant.project_id,
        assistant_id=assistant.id,
        version=assistant.version,
        settings=settings_of(assistant),
        created_at=now(),
        user=by if isinstance(by, User) else None,
        key=by if isinstance(by, ApiKey) else None,
    )


def delete_assistant(assistant: Assistant) -> None:
    """Delete an assistant. Its runs keep what they took from it and go on; its versions stay."""
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
