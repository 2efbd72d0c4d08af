"""Server-sent events, as an upstream sends them: bytes in, the ``data`` of each event out.

Source: WHATWG HTML, section 9.2.6 "Interpreting an event stream". One deviation: an event that
the end of the stream cuts off is given out by ``finish``, because many upstreams forget the blank
line after ``[DONE]``.
"""

import re

from runs.providers import faults

MAX_LINE_BYTES = 1 << 20
MAX_EVENT_BYTES = 4 << 20

# A CR at the very end stays in the buffer: the next chunk may begin with its LF.
LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Puts events together from chunks of bytes, however these were cut.

    A line is decoded only when it is whole, so a character cut in two is no trouble; bytes that
    are not UTF-8 become U+FFFD. Comments and all fields but ``data`` are skipped.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()  # the line that has not ended yet
        self.data: list[str] = []  # the data lines of the event that has not ended yet
        self.size = 0
        self.begun = False

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of every event that ends in ``chunk``.

        Raises:
            UpstreamError: a line or an event is longer than a server of good will ever sends.
        """
        # Without a line end there is nothing to split: a long line costs one append per chunk.
        ends = b"\n" in chunk or b"\r" in chunk or self.buffer[-1:] == b"\r"
        self.buffer += chunk
        lines: list[bytes] = []
        if ends:
            *lines, rest = LINE_END.split(self.buffer)
            self.buffer = bytearray(rest)
        if len(self.buffer) > MAX_LINE_BYTES:
            raise faults.sent_too_much("1 MiB in one line")
        return [data for line in lines if (data := self.line(line)) is not None]

    def finish(self) -> list[str]:
        """Return the data of the event that the end of the stream cut off, if there is one."""
        last = self.line(bytes(self.buffer.removesuffix(b"\r")))
        self.buffer.clear()
        rest = self.line(b"")
        return [data for data in (last, rest) if data is not None]

    def line(self, line: bytes) -> str | None:
        """Take one whole line; return the event's data if the line ends an event that has any."""
        if not self.begun:
            self.begun = True
            line = line.removeprefix(BYTE_ORDER_MARK)
        if len(line) > MAX_LINE_BYTES:
            raise faults.sent_too_much("1 MiB in one line")
        if not line:
            data, self.data, self.size = self.data, [], 0
            return "\n".join(data) if data else None
        self.size += len(line)
        if self.size > MAX_EVENT_BYTES:
            raise faults.sent_too_much("4 MiB in one event")
        name, _, value = line.partition(b":")
        if name == b"data":
            self.data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        return None
