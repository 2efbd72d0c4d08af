"""A step's page, its texts whole, and large texts cut with an honest count."""

from datetime import UTC, datetime, timedelta

import pytest

from runs.console.payload import SHOWN, chips, payload_of, size
from runs.contract.status import RunStatus
from tests.console.pages import says, text_of, url
from tests.factories import make_call, make_message, make_run, make_step, make_thread, text_part

START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def run(project):
    return make_run(make_thread(project), RunStatus.COMPLETED, created_at=START)


def test_a_step_has_its_times_its_attempt_and_neighbours(operator, run):
    at = [START + timedelta(seconds=n) for n in range(9)]
    lost = make_step(run, status="failed", interrupted=True, turn=1, created_at=at[1])
    step = make_step(run, turn=1, asked_at=at[4], created_at=at[5], completed_at=at[8])
    said = says(operator.get(url(run, f"steps/{step.id}/")))
    assert "Step 2 of 2" in said
    assert "Turn 1 attempt 2" in said
    assert "Duration 3.0 s" in said
    assert "Model asked 12:00:04 +4 000 ms" in said.replace("\u202f", " ")
    assert "Completed 12:00:08 +8 000 ms" in said.replace("\u202f", " ")
    assert "10 in, 5 out" in said
    assert "Hi!" in said
    assert '"object": "thread.run.step"' in said
    page = operator.get(url(run, f"steps/{step.id}/")).content.decode()
    assert url(run, f"steps/{lost.id}/") in page
    assert "Next step" not in page
    assert "attempt 1, interrupted" in says(operator.get(url(run, f"steps/{lost.id}/")))


@pytest.mark.parametrize("tail", ["step_x/", "0/", "9/", "%00/", "1/x/", "1/output-1/"])
def test_what_a_run_does_not_have(operator, run, tail):
    make_call(make_step(run, "tool_calls"), output="x")
    assert operator.get(url(run, f"steps/{tail}")).status_code == 404


def test_texts_are_given_byte_by_byte(operator, run):
    output = "\r\n é\u2028 <script>" + "x" * 5 * 1024 * 1024
    step = make_step(run, "tool_calls")
    make_call(step, arguments='{"a":\r1}', output=output)
    page = operator.get(url(run))
    assert "Showing 64 KiB of 5.0 MiB." in says(page)
    assert len(page.content) < 200 * 1024
    whole = url(run, f"steps/{step.id}/output-0/")
    assert f'href="{whole}"' in page.content.decode()
    shown = operator.get(whole)
    assert shown.content == output.encode()
    assert shown["content-type"] == "text/plain; charset=utf-8"
    kept = operator.get(f"{whole}?download=1")
    assert kept.content == output.encode()
    assert kept["content-disposition"] == f'attachment; filename="{step.id}-output-0.txt"'
    assert operator.get(url(run, "steps/1/arguments-0/")).content == b'{"a":\r1}'


def test_a_long_message_is_cut_too(operator, run):
    message = make_message(
        run.thread, role="assistant", run=run, content=[text_part("w" * 2 * SHOWN)]
    )
    make_step(run, message_id=message.id)
    page = operator.get(url(run))
    assert "Showing 64 KiB of 128 KiB." in says(page)
    assert operator.get(url(run, "steps/1/message/")).content == b"w" * 2 * SHOWN


def test_data_urls_are_named_by_type_and_size():
    image = "data:image/png;base64," + "A" * 4096
    assert text_of(chips(f'{{"a": "{image}", "b": 1}}')) == '{"a": " image/png · 3.0 KiB ", "b": 1}'
    small = "data:image/png;base64," + "A" * 100
    assert chips(small) == small
    assert "<b>" not in chips("<b>" + image)


def test_json_that_is_shown_whole_has_line_breaks():
    assert payload_of('{"a": [1, 2], "b": "' + "x" * 60 + '"}').text.count("\n") > 3
    cut = payload_of("é" * (SHOWN + 1))
    assert (len(cut.text), cut.shown, cut.total) == (SHOWN, 2 * SHOWN, 2 * SHOWN + 2)


@pytest.mark.parametrize(
    ("number", "words"),
    [(912, "912 B"), (1024, "1.0 KiB"), (65536, "64 KiB"), (1023 * 1024, "1023 KiB"),
     (1048575, "1.0 MiB"), (1468006, "1.4 MiB")],
)  # fmt: skip
def test_sizes(number, words):
    assert size(number) == words
