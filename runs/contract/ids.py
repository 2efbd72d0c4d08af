"""Ids of the API: a prefix that names the kind, then 24 random letters and digits."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits
LENGTH = 24  # 143 bits; the length of the original service's ids

ASSISTANT = "asst"
THREAD = "thread"
MESSAGE = "msg"
RUN = "run"
STEP = "step"
CALL = "call"
PROJECT = "proj"
KEY = "key"
REQUEST = "req"
CLEANUP = "cleanup"


def new_id(prefix: str) -> str:
    """A new id such as ``run_9aZ…``. Unguessable and without order."""
    return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"
