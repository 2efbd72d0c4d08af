"""The seam between runs and whatever carries the hint "drive run X"."""

from typing import Protocol


class Engine(Protocol):
    """Carries hints; it may lose or double them. The run row decides what happens."""

    @property
    def running(self) -> bool:
        """Whether this process executes runs, and its parts are alive."""
        ...

    def kick(self, run_id: str) -> None:
        """Have a run driven. Called inside the transaction that made it drivable; nothing
        happens if that is rolled back."""
        ...

    def signal_cancel(self, run_id: str) -> None:
        """Tell whoever drives the run to look at its row at once. Takes effect on commit."""
        ...

    async def start(self) -> None:
        """Begin to execute, on the running loop. Starting twice does nothing."""
        ...

    async def stop(self, grace: float) -> None:
        """Take no more runs, give those under way ``grace`` seconds, then release them for
        others and end."""
        ...
