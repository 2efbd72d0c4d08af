"""A stream, checked event by event: its frames, the order of its events, what each holds.

Sources: the grammar of the original service's streams (recorded traffic and the examples of
its OpenAPI file), and the rules that openai-node 7.57.0 enforces (lib/AssistantStream), the
strictest of the SDKs: one open step and one open message at a time, deltas for these alone,
no id twice, no ``id`` inside a delta, a resting run before the end.
"""

import re

from runs.contract import events as known
from runs.contract.status import RunStatus, StepStatus
from tests.api.sse import DONE, Frame, parse
from tests.api.stream_objects import Objects

NAMES = frozenset(
    {
        known.THREAD_CREATED,
        known.RUN_CREATED,
        known.STEP_CREATED,
        known.STEP_DELTA,
        known.MESSAGE_CREATED,
        known.MESSAGE_IN_PROGRESS,
        known.MESSAGE_DELTA,
        known.MESSAGE_COMPLETED,
        known.MESSAGE_INCOMPLETE,
        *map(known.run_event, RunStatus),
        *map(known.step_event, StepStatus),
    }
)

# The order of events. Names are without ``thread.``, ``step.`` stands for ``run.step.``, and
# each is followed by a space.
OPEN = "step.created step.in_progress "
WRITING = OPEN + "message.created message.in_progress "
MESSAGE = WRITING + "(message.delta )+message.completed step.completed "
PAUSE = f"({MESSAGE})?{OPEN}(step.delta )+run.requires_action "
RESUME = "step.completed run.queued "
#: What a lost attempt leaves; the turn then begins again.
LOST = (
    f"({WRITING}(message.delta )*message.incomplete step.failed |{OPEN}(step.delta )*step.failed )*"
)


def cut(status: str, step: str, told: str = "") -> str:
    """A run that ends with nothing, a message or calls under way; ``told`` comes first."""
    message = f"{WRITING}(message.delta )*{told}message.incomplete step.{step} "
    return f"({message}|{OPEN}(step.delta )*{told}step.{step} |{told})run.{status} "


ENDS = "|".join(
    [
        f"({MESSAGE})?run.completed ",
        f"{WRITING}(message.delta )*message.incomplete step.completed run.incomplete ",
        f"({OPEN}(step.delta )*step.failed )?run.incomplete ",
        cut("failed", "failed"),
        cut("expired", "expired"),
        cut("cancelled", "cancelled", "run.cancelling "),
        f"{PAUSE}(step.(cancelled run.cancelled|expired run.expired) )?",
    ]
)
ROUNDS = f"(run.in_progress {LOST}{PAUSE}{RESUME})*"
REST = f"{ROUNDS}(run.(cancelled|expired|failed) |run.in_progress {LOST}({ENDS}))"

#: How a stream may begin, and the order of all that follows.
ORDERS = {
    "create": f"run.created run.queued {REST}",
    "create_thread": f"created run.created run.queued {REST}",
    "resume": f"{RESUME}{REST}",
}


def check(raw: bytes, begins: str = "create", *, shown_more: bool = False) -> list[Frame]:
    """The frames of a whole stream, comments left out; fails if anything is wrong with it.

    Args:
        begins: how, one of ``ORDERS``.
        shown_more: the run was taken from its driver, who may have shown more of the open
            message than the log got.
    """
    frames = [frame for frame in parse(raw.decode("utf-8")) if isinstance(frame, Frame)]
    assert frames[-1] == DONE, frames[-1]
    assert DONE not in frames[:-1]
    events = frames[:-1]
    check_numbers(events)
    order = "".join(f"{short(frame.name)} " for frame in events)
    assert re.fullmatch(ORDERS[begins], order), order
    objects = Objects(shown_more)
    for frame in events:
        assert frame.name in NAMES, frame.name
        objects.take(frame.name, frame.wire)
    last = events[-1].name
    assert last in known.RUN_ENDS or last == known.RUN_REQUIRES_ACTION, last
    return frames


def check_numbers(events: list[Frame]) -> None:
    """Each event has a number, above the one before."""
    numbers = [frame.number or 0 for frame in events]
    assert numbers == sorted(set(numbers)), numbers
    assert numbers[0] > 0


def short(name: str) -> str:
    """The name of an event as the orders have it."""
    return name.removeprefix("thread.").replace("run.step.", "step.")


def story(frames: list[Frame]) -> str:
    """The names in order, with how often a delta came in a row; ``done`` too."""
    told = "".join(f"{short(frame.name)} " for frame in frames)
    many = re.sub(
        r"((?:message|step)\.delta )\1+",
        lambda found: f"{found[1][:-1]}*{len(found[0]) // len(found[1])} ",
        told,
    )
    return many.strip()
