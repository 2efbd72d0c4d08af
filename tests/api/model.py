"""What a model says of the statuses of runs, and the callers that change them by the API."""

from dataclasses import dataclass, field

from hypothesis.stateful import RuleBasedStateMachine, initialize

from runs.contract.limits import RUNS_IN_LINE
from runs.contract.status import TERMINAL
from runs.models import Run
from tests.api.client import Api, error_of, ok
from tests.factories import WEATHER, make_project

THREADS = 2


@dataclass
class Seen:
    """What the model knows of a run."""

    id: str
    thread: str
    status: str = "queued"
    in_line: bool = False
    calls: list[str] = field(default_factory=list)  # that wait for outputs
    sent: list[dict[str, str]] = field(default_factory=list)  # the latest outputs
    metadata: dict[str, str] = field(default_factory=dict)
    claims: int = 0
    rounds: int = 0
    driver: Run | None = None  # the row as its driver has it
    lapsed: bool = False

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


class Model(RuleBasedStateMachine):
    """What is known of all runs; callers call the API, and it has to answer as the model says."""

    @initialize()
    def begin(self):
        self.project = make_project()
        self.api = Api(self.project)
        self.assistant = ok(self.api.post("/v1/assistants", {"model": "m", "tools": [WEATHER]}))
        self.threads = [self.new_thread() for _ in range(THREADS)]
        self.runs: dict[str, Seen] = {}
        for which in range(THREADS):
            self.create(which, "reject")

    def teardown(self):
        self.project.delete()

    def new_thread(self) -> str:
        return str(ok(self.api.post("/v1/threads"))["id"])

    # --- what the model says ---

    def of_thread(self, thread: str) -> list[Seen]:
        """Its runs that have not ended: the one that it is busy with, then those in line."""
        unended = [run for run in self.runs.values() if run.thread == thread and not run.ended]
        return sorted(unended, key=lambda run: run.in_line)

    def pick(self, which: int, *statuses: str) -> Seen | None:
        """One of the runs in these statuses."""
        fitting = [run for run in self.runs.values() if not statuses or run.status in statuses]
        return fitting[which % len(fitting)] if fitting else None

    def end(self, run: Seen, status: str) -> None:
        """It ends, and the next in line begins."""
        run.status, run.in_line, run.calls, run.lapsed = status, False, [], False
        waiting = self.of_thread(run.thread)
        if waiting and waiting[0].in_line:
            waiting[0].in_line = False

    def path(self, run: Seen) -> str:
        return f"/v1/threads/{run.thread}/runs/{run.id}"

    def driven(self) -> list[Seen]:
        """Runs that a living driver works on."""
        return [run for run in self.runs.values() if run.status == "in_progress" and not run.lapsed]

    def waiting_for_a_driver(self) -> list[Seen]:
        """Runs that the next driver that comes would take."""
        return [
            run
            for run in self.runs.values()
            if (run.status == "queued" and not run.in_line) or run.lapsed
        ]

    # --- callers ---

    def create(self, which, policy):
        thread = self.threads[which]
        unended = self.of_thread(thread)
        body = {"assistant_id": self.assistant["id"], "on_active_run": policy}
        answer = self.api.post(f"/v1/threads/{thread}/runs", body)
        if unended and policy in (None, "reject"):
            words = f"Thread {thread} already has an active run {unended[0].id}."
            assert error_of(answer, 400)["message"] == words
            return
        if policy == "queue" and len(unended) > RUNS_IN_LINE:
            assert "in line" in error_of(answer, 400)["message"]
            return
        run = Seen(ok(answer)["id"], thread)
        for other in unended if policy == "cancel" else ():
            if other.status in ("in_progress", "cancelling"):
                other.status = "cancelling"
            else:
                other.status, other.in_line, other.calls = "cancelled", False, []
        run.in_line = any(not other.ended for other in unended)
        self.runs[run.id] = run

    def add_message(self, which):
        thread = self.threads[which]
        answer = self.api.post(
            f"/v1/threads/{thread}/messages", {"role": "user", "content": "Hello"}
        )
        if unended := self.of_thread(thread):
            words = f"Can't add messages to {thread} while a run {unended[0].id} is active."
            assert error_of(answer, 400)["message"] == words
        else:
            ok(answer)

    def cancel(self, run):
        answer = self.api.post(f"{self.path(run)}/cancel")
        if run.ended or run.status == "cancelling":
            words = f"Cannot cancel run with status '{run.status}'."
            assert error_of(answer, 400)["message"] == words
        elif run.status == "in_progress":
            run.status = "cancelling"
        else:
            self.end(run, "cancelled")

    def submit(self, run, how):
        ids = {"short": run.calls[:-1], "other": ["call_x"], "twice": run.calls * 2}
        outputs = [
            {"tool_call_id": call, "output": f"{run.rounds}"} for call in ids.get(how, run.calls)
        ]
        if how == "again":
            outputs = run.sent
        answer = self.api.post(f"{self.path(run)}/submit_tool_outputs", {"tool_outputs": outputs})
        if run.sent and outputs == run.sent:
            ok(answer)  # the same once more changes nothing
        elif run.status != "requires_action":
            words = f'Runs in status "{run.status}" do not accept tool outputs.'
            assert error_of(answer, 400)["message"] == words
        elif how != "right":
            got = [output["tool_call_id"] for output in outputs]
            words = f"Expected tool outputs for call_ids {run.calls}, got {got}"
            assert error_of(answer, 400)["message"] == words
        else:
            run.status, run.calls, run.sent, run.claims = "queued", [], outputs, 0

    def update(self, run, word):
        run.metadata = {"word": word}
        ok(self.api.post(self.path(run), {"metadata": run.metadata}))

    def delete_thread(self, which):
        thread = self.threads[which]
        ok(self.api.delete(f"/v1/threads/{thread}"))
        error_of(self.api.get(f"/v1/threads/{thread}"), 404)
        self.runs = {run.id: run for run in self.runs.values() if run.thread != thread}
        self.threads[which] = self.new_thread()
