"""What only an operator does to a run."""

import pytest

from runs import operations
from runs.contract.errors import BadRequest
from runs.contract.status import TERMINAL, RunStatus
from runs.models import Run
from tests.factories import make_message, make_run, make_thread
from tests.operations.scene import names

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "status", [RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION]
)
def test_a_run_can_be_expired_by_hand(status):
    run = operations.expire_run(make_run(status=status))
    assert Run.objects.get().status == RunStatus.EXPIRED
    assert names(run)[-1] == "thread.run.expired"


@pytest.mark.parametrize("status", [*sorted(TERMINAL), RunStatus.CANCELLING])
def test_but_not_one_that_ends_or_has_ended(status):
    with pytest.raises(BadRequest, match=f"status '{status}'"):
        operations.expire_run(make_run(status=status))


def test_what_can_be_driven_can_be_kicked():
    for status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.CANCELLING):
        operations.kick_run(make_run(status=status))
    for run in (make_run(status=RunStatus.REQUIRES_ACTION), make_run(in_line=True)):
        with pytest.raises(BadRequest):
            operations.kick_run(run)


def test_a_thread_as_plain_data():
    thread = make_thread()
    message = make_message(thread)
    run = make_run(thread, RunStatus.REQUIRES_ACTION)
    wire = operations.export_thread(thread)
    assert [found["id"] for found in wire["messages"]] == [message.id]
    (found,) = wire["runs"]
    assert (found["id"], found["status"]) == (run.id, "requires_action")
    (step,) = found["steps"]
    assert step["step_details"]["tool_calls"][0]["function"]["name"] == "get_weather"
