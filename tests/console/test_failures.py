"""What failed and what to do, in plain words."""

import ssl

import httpx
import pytest

from runs.console.failures import UNKNOWN, failure_of
from runs.contract.status import RunStatus
from runs.execution.commits import GIVEN_UP
from runs.execution.drive import DEFECT
from runs.lifecycle.steps import INTERRUPTED
from runs.providers import faults
from runs.providers.base import UpstreamError
from runs.providers.local_model import ABSENT
from tests.console.pages import says, url
from tests.factories import make_run, make_step, make_thread

UNTRUSTED = httpx.ConnectError("no")
UNTRUSTED.__cause__ = ssl.SSLCertVerificationError("unknown authority")


def lost(error: httpx.TransportError, *, answering: bool = False) -> UpstreamError:
    """The fault of a connection that failed."""
    return faults.fault_of_transport(error, answering=answering, read_seconds=9, secrets=())


def answered(status: int, words: str = "") -> UpstreamError:
    """The fault of an answer that is none."""
    return faults.fault_of_status(status, words, {}, (), "a-model")


def heading(error: UpstreamError) -> str:
    return failure_of({"code": error.code, "message": error.message}).heading


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answered(400), "The model's server refused the request"),
        (answered(401), "The model's server refused the key"),
        (answered(402), "The model's server wants to be paid first"),
        (answered(404), "The model's server does not know the model"),
        (answered(429), "The model's server is limiting requests"),
        (answered(429, "insufficient_quota"), "The model's server wants to be paid first"),
        (answered(302), "The model's server has another address"),
        (answered(503), "The model's server failed"),
        (answered(418), "The model gave no usable answer"),
        (lost(httpx.ConnectError("no")), "The model's server could not be reached"),
        (lost(UNTRUSTED), "The model's server is not trusted"),
        (lost(httpx.ReadTimeout("no")), "The model's server did not answer in time"),
        (lost(httpx.ReadError("no")), "The model's server closed the connection"),
        (lost(httpx.ReadError("no"), answering=True), "The model's server broke off its answer"),
        (
            lost(httpx.ReadTimeout("no"), answering=True),
            "The model's server stopped in the middle of its answer",
        ),
        (UpstreamError(ABSENT), "No model is set up"),
        (UpstreamError("As told.", "invalid_prompt"), "The model's server refused the request"),
    ],
)
def test_faults_have_plain_headings(error, said):
    assert heading(error) == said


@pytest.mark.parametrize("error", [DEFECT, GIVEN_UP, INTERRUPTED])
def test_our_own_faults_are_not_the_model_s(error):
    assert failure_of(error).heading != UNKNOWN[0]


def test_a_failed_run_says_why_and_what_to_do(operator, project):
    error = {"code": "rate_limit_exceeded", "message": "Slow down <b>now</b>."}
    run = make_run(make_thread(project), RunStatus.FAILED, last_error=error)
    assert (
        "The model's server is limiting requests rate_limit_exceeded Slow down <b>now</b>. "
        "Run it again later, or raise the limit there." in says(operator.get(url(run)))
    )
    assert "The model's server is limiting requests" in says(operator.get("/console/"))


def test_a_failed_step_says_why_and_what_to_do(operator, project):
    error = {"code": "server_error", "message": "The upstream fell silent for 60 s."}
    step = make_step(make_run(make_thread(project)), status="failed", last_error=error)
    assert (
        "The model's server stopped in the middle of its answer server_error "
        "The upstream fell silent for 60 s. Run it again later."
        in says(operator.get(url(step.run, f"steps/{step.id}/")))
    )


def test_an_incomplete_run_says_what_to_do(operator, project):
    run = make_run(make_thread(project), RunStatus.INCOMPLETE, max_completion_tokens=9)
    said = says(operator.get(url(run)))
    assert "The answer was cut short max_completion_tokens The answer was cut at" in said
    assert "Start a run with a higher limit" in said
    own = make_run(make_thread(project), RunStatus.INCOMPLETE)
    assert "cut at the upstream's own limit" in says(operator.get(url(own)))
