"""Log lines: one JSON object a line, with the request's id, and without secrets."""

import json
import logging
import re
import time
from contextvars import ContextVar
from typing import Any

#: The id of the request being answered, as in its ``x-request-id``; empty outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

FIELD_LENGTH = 1000  # characters of one value
REDACTED = "[redacted]"

#: Keys of ours and of upstreams, wherever they stand.
SECRET_VALUE = re.compile(r"\b(?:rsk_|sk-|whsec_)[A-Za-z0-9_\-]{6,}")
#: A value that follows one of these names: in headers, JSON, reprs and query strings.
SECRET_NAME = re.compile(
    r"""(?ix)
    (?P<name> ["']? [\w-]*
        (?: authorization | cookie | password | secret | token | api[_-]?key | credential
          | private[_-]?key )
        ["']? \s* [:=,] \s* )
    (?P<value> (?!\[redacted\]) (?: b?["'][^"']*["'] | (?:(?:bearer|basic)\s+)? [^\s,;&"'}\])]+ ) )
    """
)
BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")

#: What a LogRecord has by itself; all else was given as ``extra``.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(line: str) -> str:
    """``line`` without anything that looks like a key, a password or a cookie."""
    line = SECRET_VALUE.sub(REDACTED, line)
    line = BEARER.sub(REDACTED, line)
    return SECRET_NAME.sub(rf"\g<name>{REDACTED}", line)


class ContextFilter(logging.Filter):
    """Gives every record, those of libraries too, the id of the current request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ``request_id``; keep the record."""
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True


class DefectFilter(logging.Filter):
    """Of Django's lines about answers keeps those about defects: a 503 is none of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep the record."""
        return getattr(record, "status_code", None) != 503


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``, plus the request's id; empty values are left out."""
    return {
        name: value if isinstance(value, int | float) else redact(str(value))[:FIELD_LENGTH]
        for name, value in vars(record).items()
        if name not in STANDARD and not name.startswith("_") and value not in (None, "")
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Line breaks inside values are escaped by JSON itself."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "event": redact(record.getMessage()),
            **fields(record),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


class HumanFormatter(logging.Formatter):
    """For a terminal: time, level, text, and the extra fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, with its traceback below."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        extra = "".join(f" {name}={value}" for name, value in fields(record).items())
        text = redact(record.getMessage()).replace("\r", "\\r").replace("\x1b", "\\x1b")
        line = f"{moment} {record.levelname.lower():7} {text}{extra}"
        if record.exc_info:
            line += "\n" + redact(self.formatException(record.exc_info))
        return line
