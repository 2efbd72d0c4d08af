"""The time zone in which somebody reads times: chosen in the settings, kept in a cookie."""

import functools
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

COOKIE = "zone"
UTC = ZoneInfo("UTC")


@functools.cache
def zone_names() -> tuple[str, ...]:
    """The names of all zones that this machine knows, UTC first."""
    places = (name for name in available_timezones() if "/" in name)
    return ("UTC", *sorted(name for name in places if not name.startswith(("Etc/", "posix/"))))


def zone_of(cookies: Mapping[str, str]) -> ZoneInfo:
    """The zone of a browser; UTC unless it has chosen one that there is."""
    chosen = cookies.get(COOKIE, "")
    return ZoneInfo(chosen) if chosen in zone_names() else UTC


def exact(at: datetime) -> str:
    """Date, time and zone: ``2026-11-28 21:52:07 CET``, in the zone of who reads."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S %Z")


def time_of_day(at: datetime) -> str:
    """The time with its zone: ``21:52:07 CET``."""
    return timezone.localtime(at).strftime("%H:%M:%S %Z")
