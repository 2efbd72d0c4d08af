"""Numbers with their units and sources. What an operator may change is a setting instead."""

PAGE_DEFAULT = 20  # objects; API reference, list parameters
PAGE_MAX = 100

METADATA_PAIRS = 16  # API reference, metadata
METADATA_KEY = 64  # characters
METADATA_VALUE = 512  # characters
NAME = 256  # characters
DESCRIPTION = 512
INSTRUCTIONS = 256_000
MESSAGE_TEXT = 256_000
TOOLS = 128  # tools of an assistant or run
ID_LENGTH = 256  # characters of an id in a body; ours are shorter
LARGEST = 2**31 - 1  # of a whole number: the width of the columns
#: Values of ``reasoning_effort`` (openai-python, types/shared/reasoning_effort.py).
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FUNCTION_NAME = r"^[a-zA-Z0-9_-]{1,64}$"

BODY_BYTES = 8 * 1024 * 1024  # design: larger bodies are answered 413
JSON_DEPTH = 64  # nested brackets in a request body
JSON_TOKENS = 100_000

TURNS = 50  # turns of one run before it fails: a model that calls tools for ever
CALLS = 128  # tool calls of one turn
CLAIMS = 5  # claims without a committed turn before a run is given up

RUNS_IN_LINE = 16  # behind the run that a thread is busy with
CLOCK_SECONDS = 30 * 24 * 3600  # longest time that a run may ask for

NUMBER_JUMP = 1000  # event numbers skipped when a run is taken from a holder
UNFLUSHED_EVENTS = 500  # a driver delivers no more while this many wait for their commit; < jump
UNFLUSHED_SECONDS = 1.0
#: Nor while this much waits for the next commit: it becomes one row of the log, which every reader
#: that falls behind takes into memory whole.
UNFLUSHED_CHARACTERS = 128 * 1024
FLUSH_SECONDS = 0.04  # longest wait of a delta for its commit to begin

POLL_HOLD_SECONDS = 0.8  # a poll of the SDK's helper is held this long
POLL_AFTER_HELD_MS = 20
POLL_AFTER_MS = 250
SOCKETS = 100  # of the console, of one user in one process: each open page has one or two
#: Silence after which a stream sends a comment. After two of these at the latest a revoked
#: key or an ended session reads no more: 15 s are promised.
KEEP_ALIVE_SECONDS = 7.0
