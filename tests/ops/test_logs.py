"""Log lines: one per event, with the request's id, without secrets."""

import io
import json
import logging
import sys

import pytest

from runsite import logs

KEY = "rsk_live_0123456789abcdefghijABCDEFGHIJ012345678901"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {KEY}",
        f"got {KEY} from the client",
        "{'Authorization': 'Bearer abcdef-ghijk'}",
        '{"api_key": "canary-abcdef"}',
        "Cookie: runsite_session=canary-abcdef",
        "upstream said: invalid key sk-canary-abcdef",
        "password=canary-abcdef&user=me",
        "RUNSITE_UPSTREAM_KEY token: canary-abcdef",
        "(b'authorization', b'Bearer canary-abcdef')",
    ],
)
def test_secrets_are_taken_out(line):
    kept = logs.redact(line)
    assert "[redacted]" in kept
    assert "abcdef" not in kept
    assert "0123456789" not in kept


@pytest.mark.parametrize(
    "line",
    [
        "run run_abc moved to completed",
        "prompt_tokens=12 completion_tokens=4",
        "keyboard interrupt",
        "skip-list rebuilt",
    ],
)
def test_what_is_no_secret_stays(line):
    assert logs.redact(line) == line


def test_redaction_is_idempotent():
    once = logs.redact(f"Authorization: Bearer {KEY}, password='x'")
    assert logs.redact(once) == once


def record(formatter, message, *args, **options):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(logs.ContextFilter())
    logger = logging.getLogger("tests.logs")
    logger.propagate = False
    logger.handlers = [handler]
    logger.error(message, *args, **options)
    return stream.getvalue()


def test_a_line_is_one_json_object_with_the_request_id():
    token = logs.request_id.set("req_1")
    try:
        line = record(logs.JsonFormatter(), "moved\nto %s", "here", extra={"run_id": "run_1"})
    finally:
        logs.request_id.reset(token)
    assert line.count("\n") == 1
    found = json.loads(line)
    assert found["event"] == "moved\nto here"
    assert found["request_id"] == "req_1"
    assert found["run_id"] == "run_1"
    assert found["level"] == "ERROR"


def test_tracebacks_are_kept_and_redacted():
    try:
        raise ValueError(f"bad key {KEY}")
    except ValueError:
        line = record(logs.JsonFormatter(), "failed", exc_info=sys.exc_info())
    found = json.loads(line)
    assert "ValueError: bad key [redacted]" in found["traceback"]


def test_people_get_text_without_terminal_escapes():
    line = record(logs.HumanFormatter(), "evil \x1b[2J", extra={"status": 200})
    assert "\x1b" not in line
    assert "status=200" in line


def test_long_values_are_cut():
    line = record(logs.JsonFormatter(), "x", extra={"path": "a" * 5000})
    assert len(json.loads(line)["path"]) == logs.FIELD_LENGTH
