"""Which part of the site a path belongs to. Headers, errors and middleware differ by it."""

from typing import Literal

Area = Literal["api", "console", "admin", "static", "page"]

AREAS: dict[str, Area] = {
    "v1": "api",
    "openai": "api",
    "runs": "api",
    "threads": "api",
    "assistants": "api",
    "openapi.json": "api",
    "docs": "api",  # its page brings a policy of its own
    "readyz": "api",
    "healthz": "api",
    "console": "console",
    "admin": "admin",
    "static": "static",
}


def area(path: str) -> Area:
    """The part of the site by the path's first segment; ``page`` for all that has none."""
    return AREAS.get(path.lstrip("/").split("/", 1)[0], "page")


def is_api(path: str) -> bool:
    """Whether answers under ``path`` are JSON for programs, also when they are errors."""
    return area(path) == "api"
