"""Token limits of a run: how they end it."""

import pytest

from tests.execution.scene import START, check_sane, story

pytestmark = pytest.mark.slow


def test_max_completion_tokens_counts_over_all_turns(scene):
    """The scripted upstream reports a token per delta: 3 for a call."""
    run = scene.drive(scene.create("tools-1-then-text-3", max_completion_tokens=10))
    run = scene.answer(run)
    assert run.status == "completed"
    asked = [request.body["max_completion_tokens"] for request in scene.upstream.requests]
    assert asked == [10, 7]


def test_a_budget_that_is_used_up_ends_the_run_without_asking(scene):
    run = scene.drive(scene.create("tools-1-then-text-3", max_completion_tokens=3))
    assert run.status == "requires_action"
    run = scene.answer(run)
    assert (run.status, run.incomplete_reason) == ("incomplete", "max_completion_tokens")
    assert len(scene.upstream.requests) == 1
    assert story(run).endswith("run.queued run.in_progress run.incomplete")
    assert run.usage["completion_tokens"] == 3
    check_sane(run)


def test_a_question_over_the_prompt_budget_ends_the_run(scene):
    run = scene.drive(scene.create(max_prompt_tokens=1))
    assert (run.status, run.incomplete_reason) == ("incomplete", "max_prompt_tokens")
    assert story(run) == f"{START} run.incomplete"
    assert not scene.upstream.requests
