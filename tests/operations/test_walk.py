"""A random walk over the operations: whatever is done in whatever order, the invariants hold."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from runs import operations
from runs.contract.errors import (
    ApiError,
    LineFull,
    NotCancellable,
    NotFound,
    ThreadBusy,
    ThreadLocked,
)
from runs.contract.limits import CLAIMS, RUNS_IN_LINE
from runs.contract.status import ACTIVE, DRIVEN, MOVES, TERMINAL, RunStatus
from runs.events import log
from runs.events.log import StaleRun
from runs.execution import commits, watchdog
from runs.execution.turn import Turn
from runs.models import Message, Project, Run, RunStep, Thread
from runs.providers.base import CallPiece, TextPiece, TurnEnd, TurnRequest
from runs.wire.objects import run_object, step_object
from tests.factories import WEATHER, make_assistant, make_project, make_thread

pytestmark = pytest.mark.slow

THREADS = 2
PAST = timedelta(minutes=1)


class Walk(RuleBasedStateMachine):
    """Clients, drivers that come and go, and the watchdog, on two threads with their lines."""

    @initialize()
    def begin(self):
        self.project = make_project()
        self.assistant = make_assistant(self.project, tools=[WEATHER])
        self.threads = [make_thread(self.project) for _ in range(THREADS)]
        self.seen = {}  # run id: status when last looked at
        self.told = {}  # run id: events when last looked at

    def teardown(self):
        Project.objects.all().delete()

    def unended(self, which):
        """The active run, and those in line behind it."""
        runs = Run.objects.filter(thread=self.threads[which], status__in=sorted(ACTIVE))
        return list(runs.order_by("number"))

    def active(self, which):
        return next(iter(self.unended(which)), None)

    @rule(which=st.integers(0, THREADS - 1))
    def create(self, which):
        busy = self.active(which)
        try:
            operations.create_run(self.threads[which], {"assistant_id": self.assistant.id})
        except ThreadBusy:
            assert busy is not None
        else:
            assert busy is None

    @rule(which=st.integers(0, THREADS - 1), policy=st.sampled_from(["queue", "queue", "cancel"]))
    def create_on_a_busy_thread(self, which, policy):
        before = self.unended(which)
        fields = {
            "assistant_id": self.assistant.id,
            "on_active_run": policy,
            "additional_messages": [{"role": "user", "content": "x"}],
        }
        try:
            run = operations.create_run(self.threads[which], fields)
        except LineFull:
            assert (policy, len(before)) == ("queue", 1 + RUNS_IN_LINE)
            return
        after = self.unended(which)
        assert run == after[-1]
        assert run.in_line is (len(after) > 1)
        if policy == "queue":
            assert after[:-1] == before
        else:
            assert [left.status for left in after[:-1]] == ["cancelling"] * (len(after) - 1)

    @rule(which=st.integers(0, THREADS - 1), place=st.integers(1, 3))
    def cancel_in_line(self, which, place):
        for run in self.unended(which)[place : place + 1]:
            assert operations.cancel_run(run).status == "cancelled"

    @rule(which=st.integers(0, THREADS - 1))
    def add_message(self, which):
        busy = self.active(which)
        try:
            operations.add_message(self.threads[which], {"role": "user", "content": "x"})
        except ThreadLocked:
            assert busy is not None
        else:
            assert busy is None

    @rule(which=st.integers(0, THREADS - 1), stale=st.booleans())
    def cancel(self, which, stale):
        run = self.active(which)
        if run is not None:
            if stale:
                run.status = RunStatus.QUEUED  # as it was when somebody read it
            try:
                assert operations.cancel_run(run).status in ("cancelled", "cancelling")
            except NotCancellable:
                assert Run.objects.get(id=run.id).status == "cancelling"

    @rule(which=st.integers(0, THREADS - 1), right=st.booleans())
    def submit(self, which, right):
        run = self.active(which)
        if run is None:
            return
        before = run.status
        calls = [c.id for c in run.tool_calls.filter(output=None)] if right else ["call_x"]
        outputs = [{"tool_call_id": call, "output": "ok"} for call in calls]
        try:
            operations.submit_tool_outputs(run, outputs)
        except ApiError:
            assert not right or before != RunStatus.REQUIRES_ACTION
        else:
            assert right
            assert before == RunStatus.REQUIRES_ACTION

    @rule(
        which=st.integers(0, THREADS - 1),
        does=st.sampled_from(["die", "open", "answer", "call", "fail", "end"]),
    )
    def drive(self, which, does):
        """A driver claims what it can, gets this far, and does not come back."""
        run = self.active(which)
        if run is None:
            return
        written = commits.begin(run.id, "driver", 60, lambda model: "nobody")
        if written is None:
            assert run.status != RunStatus.QUEUED
            return
        assert run.claims < CLAIMS or written.run.status in TERMINAL
        if written.run.status not in TERMINAL:
            self.do_turn(written.run, does)

    def do_turn(self, run, does):
        turn, left = Turn(frozenset(["get_weather"]), set()), []
        if does in ("open", "answer", "fail"):
            written, turn.message_step, turn.message = commits.open_message(run)
            run = written.run
            wire = turn.add_text(turn.message.id, TextPiece("Hi"))
            left = [log.record(run, "thread.message.delta", wire)]
        if does == "call":
            turn.add_call(CallPiece(0, None, "get_weather", "{}"))
        if does in ("answer", "call"):
            outcome = turn.outcome(TurnEnd("stop", None), TurnRequest("m", []))
            commits.commit_turn(run, turn, outcome, left)
        elif does == "fail":
            error = {"code": "server_error", "message": "x"}
            commits.end_driven(run, turn, left, RunStatus.FAILED, error)
        elif does == "end":
            commits.end_incomplete(run, "max_prompt_tokens")

    @rule(which=st.integers(0, THREADS - 1))
    def finish_cancel(self, which):
        """The driver hears of the cancel."""
        run = self.active(which)
        if run is not None and run.status == RunStatus.CANCELLING:
            run.status = RunStatus.IN_PROGRESS  # as its driver has it
            commits.end_driven(run, Turn(frozenset(), set()), [], RunStatus.CANCELLED)

    @rule(which=st.integers(0, THREADS - 1))
    def a_driver_of_an_earlier_epoch_speaks(self, which):
        run = self.active(which)
        if run is not None and run.epoch:
            run.epoch -= 1
            with pytest.raises(StaleRun), transaction.atomic():
                commits.open_message(run)

    @rule(which=st.integers(0, THREADS - 1))
    def lapse(self, which):
        run = self.active(which)
        if run is not None and run.status in DRIVEN:
            Run.objects.filter(id=run.id).update(lease_until=timezone.now() - PAST)

    @rule(which=st.integers(0, THREADS - 1))
    def expire(self, which):
        run = self.active(which)
        if run is not None:
            Run.objects.filter(id=run.id).update(expires_at=timezone.now() - PAST)
            watchdog.look()
            ended = Run.objects.get(id=run.id).status
            assert ended == ("cancelling" if run.status == "cancelling" else "expired")

    @rule(which=st.integers(0, THREADS - 1))
    def delete_thread(self, which):
        thread = self.threads[which]
        operations.delete_thread(thread)
        with pytest.raises(NotFound):
            operations.delete_thread(thread)
        self.threads[which] = make_thread(self.project)

    @rule()
    def delete_assistant(self):
        operations.delete_assistant(self.assistant)
        self.assistant = make_assistant(self.project, tools=[WEATHER])

    @invariant()
    def statuses_move_as_they_may(self):
        for run in Run.objects.all():
            status = RunStatus(run.status)
            before = self.seen.get(run.id)
            if before is not None and before != status:
                assert status in reachable(before), f"{before} became {status}"
            self.seen[run.id] = status

    @invariant()
    def all_but_the_oldest_stand_in_line(self):
        for which in range(THREADS):
            first, *others = [run.in_line for run in self.unended(which)] or [False]
            assert (first, others) == (False, [True] * len(others))

    @invariant()
    def what_is_to_be_said_is_said_in_its_turn(self):
        for thread in Thread.objects.all():
            waiting = thread.runs.filter(in_line=True).values_list("line_messages", flat=True)
            assert all(len(messages) == 1 for messages in waiting)
        assert not Run.objects.filter(in_line=False, line_messages__isnull=False).exists()

    @invariant()
    def logs_only_grow_and_ascend(self):
        for run in Run.objects.all():
            events = log.read_after(run.id, 0, 1000).events
            numbers = [event.number for event in events]
            assert numbers == sorted(set(numbers))
            assert run.last_number == (numbers[-1] if numbers else 0) < run.next_number
            before = self.told.get(run.id, [])
            assert events[: len(before)] == before
            self.told[run.id] = events
            if run.status in TERMINAL:
                assert events[-1].name == f"thread.run.{run.status}"
                assert sum(event.name == events[-1].name for event in events) == 1

    @invariant()
    def what_ended_is_closed(self):
        ended = Run.objects.filter(status__in=sorted(TERMINAL))
        assert not RunStep.objects.filter(run__in=ended, status="in_progress").exists()
        assert not Message.objects.filter(run__in=ended, status="in_progress").exists()
        for run in ended:
            assert (run.lease_owner, run.required_action, run.in_line) == ("", None, False)

    @invariant()
    def waits_are_complete(self):
        for run in Run.objects.filter(status=RunStatus.REQUIRES_ACTION):
            asked = run_object(run)["required_action"]["submit_tool_outputs"]["tool_calls"]
            step = run.steps.get(status="in_progress")
            told = step_object(step, run)["step_details"]["tool_calls"]
            assert [call["id"] for call in asked] == [call["id"] for call in told]

    @invariant()
    def each_turn_has_one_completed_step_at_each_place(self):
        for run in Run.objects.all():
            places = [(s.turn, s.index) for s in run.steps.filter(interrupted=False)]
            assert len(places) == len(set(places))
            assert all(turn <= run.turn + 1 for turn, _ in places)


def reachable(start):
    """Statuses that some path of moves leads to."""
    found, fringe = set(), set(MOVES[start])
    while fringe:
        found |= fringe
        fringe = {to for status in fringe for to in MOVES[status]} - found
    return found


@pytest.mark.django_db(transaction=True)
def test_random_walk():
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # what failed is told step by step; shrinking takes minutes
        ),
    )
