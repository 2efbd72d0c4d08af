"""What cleaning up can do."""

from enum import StrEnum


class Verb(StrEnum):
    """What a cleanup does to the rows it is about."""

    ERASE = "erase"  # threads, with all that belongs to them
    COMPACT = "compact"  # the logs of ended runs
