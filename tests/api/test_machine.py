"""Random operations on runs, against a model of the statuses: the API shows what the model says.

Callers use the API; drivers come, get this far and vanish; time passes; the watchdog looks.
``make fuzz`` plays 500 games of 30 moves.
"""

import os
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from runs.contract.limits import CLAIMS
from runs.contract.status import RunStatus
from runs.events import log
from runs.events.log import StaleRun
from runs.execution import commits, watchdog
from runs.execution.turn import Turn
from runs.models import Run
from runs.providers.base import CallPiece, TextPiece, TurnEnd, TurnRequest
from tests.api.client import ok
from tests.api.model import THREADS, Model

pytestmark = pytest.mark.slow

GAMES = int(os.environ.get("RUNSITE_TEST_GAMES", "15"))
LENGTH = 30  # moves of a game
MOVES = [
    *["drive"] * 9, *["answer"] * 4, *["create"] * 3, "cancel", "expire", "delete", "lapse", "late",
    "message", "look", "update", "hint", "short", "other", "twice", "again",
]  # fmt: skip
FAULT = {"code": "server_error", "message": "It broke."}
ENDINGS = {"answer": "completed", "fail": "failed", "end": "incomplete", "call": "requires_action"}

#: How often a run was seen in each status, in all games together.
SEEN: Counter[str] = Counter()


class Machine(Model):
    """The model beside the server."""

    # --- the moves ---

    @rule(
        move=st.sampled_from(MOVES),
        which=st.integers(0, 99),
        does=st.sampled_from(["call", "call", "call", "answer", "open", "fail", "end"]),
        policy=st.sampled_from([None, "reject", "queue", "queue", "cancel"]),
    )
    def play(self, move, which, does, policy):
        anyone, held = self.pick(which), self.pick(which, "in_progress", "cancelling")
        waits = self.pick(which, "requires_action")
        answered = next((run for run in self.runs.values() if run.sent), None)
        moves = {
            "create": partial(self.create, which % THREADS, policy),
            "message": partial(self.add_message, which % THREADS),
            "delete": partial(self.delete_thread, which % THREADS),
            "look": self.look,
            "update": anyone and partial(self.update, anyone, "ab"[which % 2]),
            "cancel": anyone and partial(self.cancel, held or anyone),
            "expire": anyone and partial(self.expire, anyone),
            "hint": anyone and partial(self.claim, anyone),
            "lapse": held and partial(self.lapse, held),
            "late": held and partial(self.speak_late, held),
            "answer": waits and partial(self.submit, waits, "right"),
            "again": answered and partial(self.submit, answered, "again"),
            "short": anyone and partial(self.submit, waits or anyone, "short"),
            "other": anyone and partial(self.submit, waits or anyone, "other"),
            "twice": anyone and partial(self.submit, waits or anyone, "twice"),
        }
        (moves.get(move) or partial(self.drive, which, does))()

    def drive(self, which, does):
        """A driver comes, or goes on."""
        waiting, driven = self.waiting_for_a_driver(), self.driven()
        if driven and (which % 2 or not waiting):
            self.turn(driven[which % len(driven)], does)
        elif waiting:
            self.claim(waiting[which % len(waiting)])

    def speak_late(self, run):
        """A driver that does not know what became of its run can write nothing."""
        if run.status == "cancelling":
            self.turn(run, "end")
            self.hear_of_the_cancel(run)
        else:
            self.a_driver_of_an_earlier_claim_speaks(run)

    # --- drivers ---

    def claim(self, run):
        """A driver comes, by a hint that may be stale."""
        written = commits.begin(run.id, "driver", 3600, lambda model: "nobody")
        if (run.status != "queued" and not run.lapsed) or run.in_line:
            assert written is None
            return
        assert written is not None
        run.claims, run.lapsed = run.claims + 1, False
        if run.status == "cancelling":
            self.end(run, "cancelled")
        elif run.claims > CLAIMS:
            self.end(run, "failed")
        else:
            run.status, run.driver = "in_progress", written.run

    def turn(self, run, does):
        """A driver does this much of its turn; it may not know yet of a cancel."""
        assert run.driver is not None
        try:
            self.do_turn(run, does)
        except StaleRun:
            assert run.status == "cancelling"
            return
        assert run.status == "in_progress"
        if does == "open":
            self.lapse(run)  # what it opened, the next driver has to close
        elif does == "call":
            run.status, run.rounds, run.claims = "requires_action", run.rounds + 1, 0
            run.calls = [
                call.id for call in Run.objects.get(id=run.id).tool_calls.filter(output=None)
            ]
        else:
            self.end(run, ENDINGS[does])

    def do_turn(self, run, does):
        row, left = run.driver, []
        turn = Turn(frozenset(["get_weather"]), set())
        if does in ("open", "answer", "fail"):
            written, turn.message_step, turn.message = commits.open_message(row)
            row = written.run
            wire = turn.add_text(turn.message.id, TextPiece("Hi"))
            left = [log.record(row, "thread.message.delta", wire)]
            run.driver = written.run
        if does == "call":
            turn.add_call(CallPiece(0, f"call_{run.rounds}_0", "get_weather", "{}"))
            turn.add_call(CallPiece(1, f"call_{run.rounds}_1", "get_weather", "{}"))
        if does in ("answer", "call"):
            outcome = turn.outcome(TurnEnd("stop", None), TurnRequest("m", []))
            commits.commit_turn(row, turn, outcome, left)
        elif does == "fail":
            commits.end_driven(row, turn, left, RunStatus.FAILED, FAULT)
        elif does == "end":
            commits.end_incomplete(row, "max_prompt_tokens")

    def hear_of_the_cancel(self, run):
        commits.end_driven(run.driver, Turn(frozenset(), set()), [], RunStatus.CANCELLED)
        self.end(run, "cancelled")

    def lapse(self, run):
        """A driver falls silent."""
        Run.objects.filter(id=run.id).update(lease_until=timezone.now() - timedelta(minutes=1))
        run.lapsed = True

    def a_driver_of_an_earlier_claim_speaks(self, run):
        earlier = Run.objects.get(id=run.id)
        earlier.epoch -= 1
        with pytest.raises(StaleRun):
            commits.open_message(earlier)

    # --- time ---

    def expire(self, run):
        Run.objects.filter(id=run.id).update(expires_at=timezone.now() - timedelta(minutes=1))
        found = watchdog.look(first=True)
        if run.ended or run.status == "cancelling":
            assert found.expired == {}
        else:
            assert list(found.expired) == [run.id]
            self.end(run, "expired")

    def look(self):
        found = watchdog.look(first=True)
        assert found.expired == {}
        assert {*found.silent, *found.forgotten} == {run.id for run in self.waiting_for_a_driver()}

    # --- the API shows what the model says ---

    @invariant()
    def the_lists_agree(self):
        for thread in self.threads:
            shown = ok(self.api.get(f"/v1/threads/{thread}/runs?limit=100"))["data"]
            expected = [run for run in self.runs.values() if run.thread == thread]
            assert {one["id"]: one["status"] for one in shown} == {
                run.id: run.status for run in expected
            }
            SEEN.update(one["status"] for one in shown)
            for one in shown:
                self.agrees(one, self.runs[one["id"]])

    def agrees(self, shown, run):
        assert shown["metadata"] == run.metadata
        action = shown["required_action"] or {"submit_tool_outputs": {"tool_calls": []}}
        assert [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]] == run.calls
        assert (shown["required_action"] is None) == (run.status != "requires_action")
        assert (shown["expires_at"] is None) == run.ended
        assert (shown["last_error"] is not None) == (run.status == "failed")
        assert (shown["incomplete_details"] is not None) == (run.status == "incomplete")
        for status in ("completed", "failed", "cancelled"):
            if run.status == status:
                assert shown[f"{status}_at"] is not None

    @invariant()
    def the_logs_tell_the_same(self):
        for run in self.runs.values():
            events = log.read_after(run.id, 0, 1000).events
            told = [event.name for event in events if event.name.startswith("thread.run.")]
            told = [name for name in told if not name.startswith("thread.run.step.")]
            # A driver tells of the cancel, together with the end.
            expected = "in_progress" if run.status == "cancelling" else run.status
            assert told[-1] == f"thread.run.{expected}"
            assert sum(event.name == "thread.run.created" for event in events) == 1


@pytest.mark.django_db(transaction=True)
def test_the_api_shows_what_the_model_says():
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=GAMES,
            stateful_step_count=LENGTH,
            deadline=None,
            derandomize="RUNSITE_TEST_GAMES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # what failed is told move by move; shrinking takes minutes
        ),
    )
    assert set(SEEN) == set(RunStatus), SEEN
