"""What a caller should know about a run although it is no error, as a header."""

from runs.execution import upstreams
from runs.models import Run

HEADER = "x-runsite-warning"


def warning_headers(run: Run) -> dict[str, str]:
    """The header of a run's answers; none if there is nothing to say.

    The words hold names that callers chose: all that no header may hold becomes "?".
    """
    words = "; ".join(upstreams.warnings(run))
    clean = "".join(letter if " " <= letter <= "~" else "?" for letter in words)
    return {HEADER: clean} if clean else {}
