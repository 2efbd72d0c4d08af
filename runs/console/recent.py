"""What was used lately, to be used again: models, and the input of runs."""

from dataclasses import dataclass

from django.db.models import OuterRef, Subquery

from runs.console.text import plain_text
from runs.models import Assistant, Message, Project, Run
from runs.providers.demo import MODEL as DEMO_MODEL

LOOKED_AT = 200  # runs and assistants, newest first
SHOWN = 8  # runs
EXCERPT = 120  # characters of a message


@dataclass(frozen=True, slots=True)
class Recent:
    """A run whose input can be used again, and how its last message begins."""

    run: Run
    excerpt: str


def models_seen(project: Project) -> list[str]:
    """The models of the newest runs and assistants, each once."""
    runs = Run.objects.for_project(project).order_by("-number")
    assistants = Assistant.objects.for_project(project).order_by("-number")
    found = [
        *runs.values_list("model", flat=True)[:LOOKED_AT],
        *assistants.values_list("model", flat=True)[:LOOKED_AT],
        DEMO_MODEL,
    ]
    return list(dict.fromkeys(found))


def recent_runs(project: Project) -> list[Recent]:
    """The newest runs with different messages."""
    said = Message.objects.filter(
        thread_id=OuterRef("thread_id"), role="user", created_at__lte=OuterRef("created_at")
    )
    last = Subquery(said.order_by("-number").values("number")[:1])
    rows = Run.objects.for_project(project).order_by("-number").annotate(said=last)
    runs = list(rows.only("id", "thread_id", "model", "created_at")[: SHOWN * 3])
    numbers = [run.said for run in runs]  # type: ignore[attr-defined]  # annotated
    texts = {
        row.number: plain_text(row.content) for row in Message.objects.filter(number__in=numbers)
    }
    found: dict[str, Recent] = {}
    for run in runs:
        text = " ".join(texts.get(run.said, "")[: EXCERPT * 2].split())  # type: ignore[attr-defined]
        if text:
            found.setdefault(text, Recent(run, text[:EXCERPT]))
    return list(found.values())[:SHOWN]
