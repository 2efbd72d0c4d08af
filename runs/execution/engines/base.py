"""The seam between runs and whatever carries the hint "drive run X"."""

from typing import Protocol


class Engine(Protocol):
    """Carries hints; it may lose or double them. The run row decides what happens."""

    @property
    def running(self) -> bool:
        """Whether this process's part of the work is done: nothing of it has died."""
        ...

    @property
    def executing(self) -> bool:
        """Whether runs are executed in this process."""
        ...

    @property
    def unattended(self) -> bool:
        """Whether runs wait because nobody anywhere executes them, as far as is known."""
        ...

    def kick(self, run_id: str) -> None:
        """Have a run driven. Called inside the transaction that made it drivable; nothing
        happens if that is rolled back."""
        ...

    def signal_cancel(self, run_id: str) -> None:
        """Tell whoever drives the run to look at its row at once. Takes effect on commit."""
        ...

    async def start(self) -> None:
        """Begin what a serving process does, on the running loop. Starting twice does nothing."""
        ...

    async def work(self) -> None:
        """Begin to execute runs in a process that does nothing else."""
        ...

    async def stop(self, grace: float) -> None:
        """Take no more runs, give those under way ``grace`` seconds, then release them for
        others and end."""
        ...
