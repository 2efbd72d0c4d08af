"""How many streams may be open at once: so many for each API key, and for the process.

A slot is taken before the call that opens the stream has done anything: one that is refused
has changed nothing, and may simply be repeated.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from runs.contract.errors import TooManyStreams
from runs.models import ApiKey

#: Guards the counts: calls are worked on in threads. Reentrant, because a slot may be given
#: back while garbage is collected, which happens anywhere.
lock = threading.RLock()
#: The streams that are open in this process, by the number of their key.
taken: Counter[int] = Counter()


class Slot:
    """One call's right to a stream."""

    def __init__(self) -> None:
        self.key: int | None = None
        self.closed = False

    def take(self, key: ApiKey) -> None:
        """Count one more stream of a key. A second time changes nothing, and so does the call of
        somebody who has left meanwhile.

        Raises:
            TooManyStreams: the key, or the process, has as many as it may.
        """
        with lock:
            if self.closed or self.key is not None:
                return
            if taken[key.number] >= settings.RUNSITE_STREAMS_PER_KEY:
                raise TooManyStreams(
                    f"This API key has {taken[key.number]} streams open, as many as it may. "
                    "Try again once one has ended."
                )
            if taken.total() >= settings.RUNSITE_STREAMS:
                raise TooManyStreams
            self.key = key.number
            taken[self.key] += 1

    def give_back(self) -> None:
        """The stream has ended, or never began. A second time changes nothing."""
        with lock:
            if self.key is not None and not self.closed:
                taken[self.key] -= 1
                if not taken[self.key]:
                    del taken[self.key]
            self.closed = True


@contextmanager
def kept_by_a_stream() -> Iterator[Slot]:
    """A slot that is given back if the call fails, or its caller leaves, before it is answered."""
    slot = Slot()
    try:
        yield slot
    except BaseException:
        slot.give_back()
        raise
