"""Events to frames: all that the socket sends to a run's page is made here.

A frame is JSON ``{"after", "number", "content"}``. The page stands at event ``after``; once it
has swapped ``content`` in, it stands at ``number``. A page that stands elsewhere drops the frame.
``content`` is HTML of htmx partials: each names the element it is for and how it is put there.

A state event says *what* has changed; what is shown of it is read from the rows, through the same
templates as the page itself, so page and frames cannot drift apart. Rows may be newer than the
event; the events that follow make up for it. Only deltas are shown from the event alone.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from runs.console.desk import Desk
from runs.console.pages import Seat
from runs.console.run_query import PAGE, Paging, RunQuery
from runs.console.steps import all_steps, fill_steps, message_text
from runs.console.text import verbatim
from runs.console.timeline import RunView, StepView, slowest_of
from runs.contract.events import (
    MESSAGE_DELTA,
    RUN_CREATED,
    STEP_CREATED,
    STEP_DELTA,
    THREAD_CREATED,
)
from runs.contract.roles import Role
from runs.contract.status import AT_REST, TERMINAL
from runs.events.log import Event
from runs.execution.upstreams import warnings
from runs.models import Project, Run

SNAPSHOT_EVENTS = 500  # more at once than this are not replayed: the page's regions are replaced
DELTAS = frozenset({MESSAGE_DELTA, STEP_DELTA})


@dataclass(frozen=True, slots=True)
class Frame:
    """What takes the page from event ``after`` to event ``number``."""

    after: int
    number: int
    content: str

    def text(self) -> str:
        """The frame as it goes through the socket."""
        return json.dumps({"after": self.after, "number": self.number, "content": self.content})


def view_of(
    project: Project,
    run: Run,
    role: Role,
    events: Sequence[Event] = (),
    query: RunQuery | None = None,
) -> RunView:
    """A run as its page shows it to a role after ``events``; as the log has it without any."""
    query = query or RunQuery()
    upto = events[-1].number if events else run.last_number
    steps = all_steps(project, run)
    listed = [step for step in steps if step.broke] if query.errors else steps
    paging = Paging.of(len(listed), page_number(run, listed, query, live=bool(events)))
    shown = listed[paging.start : paging.end]
    on_page = {step.row.id for step in shown}
    slowest = slowest_of(steps)  # the head of the page names it
    told = [step for step in steps if step.ended_at is None or step is slowest]
    others = [step for step in told if step.row.id not in on_page]
    fill_steps(project, run, [*others, *shown], upto, events, query.step)
    return RunView(run, role, steps, warnings(run), query, paging, shown)


def page_number(run: Run, listed: Sequence[StepView], query: RunQuery, *, live: bool) -> int:
    """The page of the list that is asked for: by its number, or by a step on it. Frames are for
    a page that shows the end."""
    if query.page:
        return query.page
    for place, step in enumerate(listed):
        if step.row.id == query.step:
            return place // PAGE + 1
    return 1 if run.status in TERMINAL and not live else len(listed)


def only_deltas(events: Sequence[Event]) -> bool:
    """Whether frames of ``events`` need no database."""
    return len(events) <= SNAPSHOT_EVENTS and all(event.name in DELTAS for event in events)


def frames(seat: Seat, run_id: str, after: int, events: Sequence[Event]) -> list[Frame]:
    """The frames of ``events``, of which at least one is a state event.

    Reads the database. Empty if the run was deleted.
    """
    project, role = seat.project, seat.role
    run = Run.objects.for_project(project).filter(id=run_id).first()
    if run is None:
        return []
    if len(events) > SNAPSHOT_EVENTS:
        number = events[-1].number
        return [Frame(after, number, snapshot(view_of(project, run, role, events)))]
    made = []
    for deltas, group in itertools.groupby(events, lambda event: event.name in DELTAS):
        part = list(group)
        number = part[-1].number
        content = (
            delta_content(part)
            if deltas
            else state_content(view_of(project, run, role, part), part)
        )
        made.append(Frame(after, number, content))
        after = number
    return made


def delta_frame(after: int, events: Sequence[Event]) -> Frame:
    """The frame of events that are all deltas."""
    return Frame(after, events[-1].number, delta_content(events))


def partial(target: str, swap: str, html: str) -> SafeString:
    """HTML for the elements that match ``target``. Nothing happens where none do.

    Targets are looked up before anything of the frame is swapped in: an element that the
    frame itself brings cannot be a target in it.
    """
    return format_html(
        '<hx-partial hx-target="{}" hx-swap="{}">{}</hx-partial>', target, swap, html
    )


# --- deltas ---


def delta_content(events: Sequence[Event]) -> str:
    """Text appended to the messages and calls that are being written."""
    texts: dict[str, str] = defaultdict(str)
    calls: dict[str, dict[int, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        wire = json.loads(event.data)
        if event.name == MESSAGE_DELTA:
            texts[wire["id"]] += message_text(wire)
        else:
            for piece in wire["delta"]["step_details"]["tool_calls"]:
                calls[wire["id"]][piece["index"]].append(piece["function"])
    parts = [partial(f"#{key}-text", "beforeend", verbatim(text)) for key, text in texts.items()]
    for key, pieces in calls.items():
        parts += [call_part(key, index, pieces[index]) for index in sorted(pieces)]
    return "".join(parts)


def call_part(step_id: str, index: int, pieces: Sequence[dict[str, str]]) -> SafeString:
    """Pieces of one call: a new block if they open it, else more of its arguments."""
    arguments = "".join(piece.get("arguments", "") for piece in pieces)
    place = f"{step_id}-call-{index}"
    if "name" in pieces[0]:
        block = render_to_string(
            "console/_call_writing.html",
            {"place": place, "name": pieces[0]["name"], "arguments": arguments},
        )
        return partial(f"#{step_id}-body:not(:has(#{place}))", "beforeend", block)
    return partial(f"#{place}-arguments", "beforeend", verbatim(arguments))


# --- states ---


def state_content(view: RunView, events: Sequence[Event]) -> str:
    """What state events have changed. At rest, all of the run: whatever came before, the page
    ends with exactly what is stored."""
    if view.run.status in AT_REST and any(is_of_run(event) for event in events):
        return snapshot(view)
    parts = [*head(view), *desk(view)]
    changed = [json.loads(event.data)["id"] for event in events]
    new = {json.loads(event.data)["id"] for event in events if event.name == STEP_CREATED}
    for step in view.shown:
        if step.row.id in new:
            parts.append(new_step(view, step))
        if step.row.id in changed:
            parts += step_parts(view, step)
        if step.row.message_id in changed:
            parts.append(
                partial(f"#{step.row.message_id}", "outerMorph", part_html("message", view, step))
            )
    return "".join(parts)


def is_of_run(event: Event) -> bool:
    """Whether an event tells the status of the run, not of a step or message."""
    of_part = event.name.startswith(("thread.run.step.", "thread.message."))
    return not of_part and event.name not in (THREAD_CREATED, RUN_CREATED)


def new_step(view: RunView, step: StepView) -> SafeString:
    """A step at the end of the timeline, unless it is there already."""
    where = f"#steps:not(:has(#{step.row.id}))"
    return partial(where, "beforeend", part_html("step", view, step))


def step_parts(view: RunView, step: StepView) -> list[SafeString]:
    """A step's line, and its calls; a message has events of its own."""
    parts = [partial(f"#{step.row.id}-line", "outerMorph", part_html("step_line", view, step))]
    if not step.writes and step.stored:
        parts.append(partial(f"#{step.row.id}-body", "outerMorph", part_html("calls", view, step)))
    return parts


def snapshot(view: RunView) -> str:
    """All live regions of the page."""
    steps = "".join(part_html("step", view, step) for step in view.shown)
    return "".join([*head(view), partial("#steps", "innerMorph", SafeString(steps)), *desk(view)])


def head(view: RunView) -> list[SafeString]:
    """The run's status, figures and explanation."""
    html = render_to_string(
        "console/_run_head.html", {"view": view, "run": view.run, "role": view.role}
    )
    return [partial("#run-head", "outerMorph", html)]


def desk(view: RunView) -> list[SafeString]:
    """The form for tool outputs. One that is open for the same calls is not touched: somebody
    may be typing in it."""
    found = Desk.of(view)
    state = render_to_string("console/_desk_state.html", {"desk": found, "run": view.run})
    parts = [partial("#desk-state", "outerMorph", state)]
    if found.calls:
        html = render_to_string("console/_desk.html", {"desk": found, "run": view.run})
        closed = f'#{found.id}:not([data-calls="{found.key}"])'
        parts.append(partial(closed, "outerHTML", html))
    return parts


def part_html(name: str, view: RunView, step: StepView) -> SafeString:
    """The fragment ``_<name>.html`` of a step."""
    return render_to_string(f"console/_{name}.html", {"view": view, "run": view.run, "step": step})
