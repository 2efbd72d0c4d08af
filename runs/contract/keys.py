"""API keys: how they are made, checked without a database, stored and shown.

Shape: ``rsk_live_`` + 32 random letters and digits (190 bits) + 6 that hold a CRC32 of
what stands before, so that a mistyped key, or a string found by a secret scanner, is told
apart offline. Only the SHA-256 is stored: a random input of this size needs no slow hash.
"""

import hashlib
import secrets
import zlib

from runs.contract.ids import ALPHABET

PREFIX = "rsk_live_"
RANDOM = 32
CHECK = 6
OWN_KEY_LENGTH = 32  # characters a key of the operator's own making must have


def checksum(text: str) -> str:
    """CRC32 of ``text`` as six letters and digits, most significant first."""
    rest = zlib.crc32(text.encode())
    digits = []
    for _ in range(CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def make_key() -> str:
    """A new key. It is shown to a person once and then only its digest is kept."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return body + checksum(body)


def looks_wrong(key: str) -> bool:
    """Whether ``key`` has our prefix but not its checksum: no need to ask the database."""
    if not key.startswith(PREFIX):
        return False
    return len(key) != len(PREFIX) + RANDOM + CHECK or checksum(key[:-CHECK]) != key[-CHECK:]


def digest(key: str) -> str:
    """SHA-256 of the key as 64 hex digits: all that is stored of it."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def mask(key: str) -> str:
    """The key as it may be shown: its first characters and its last four."""
    if len(key) < 16:
        return "*" * len(key)
    return f"{key[:6]}***{key[-4:]}"
