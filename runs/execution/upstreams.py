"""Which model answers a run, and what people are told about it."""

import functools

from django.conf import settings

from runs.models import Run
from runs.providers.base import Provider
from runs.providers.demo import MODEL as DEMO_MODEL
from runs.providers.demo import Demo
from runs.providers.local_model import LocalModel
from runs.providers.openai_compatible import OpenAICompatible


class Upstreams:
    """The models behind one process."""

    def __init__(self, default: Provider, demo: Provider):
        self.default = default
        self.demo = demo

    def provider(self, model: str) -> Provider:
        """Who is asked when a run names ``model``."""
        return self.demo if model == DEMO_MODEL else self.default

    def answers(self, model: str) -> str:
        """Who answers for ``model``, in words for people."""
        return self.provider(model).name

    async def start(self) -> None:
        """Begin to load what has to be loaded; returns at once."""
        if isinstance(self.default, LocalModel):
            await self.default.start()

    async def aclose(self) -> None:
        """Let go of connections and child processes."""
        await self.default.aclose()
        await self.demo.aclose()


def upstreams() -> Upstreams:
    """The models that the settings name; without any, the local one."""
    if settings.RUNSITE_UPSTREAM_URL:
        default: Provider = OpenAICompatible(
            settings.RUNSITE_UPSTREAM_URL,
            settings.RUNSITE_UPSTREAM_KEY or "",
            ca_file=settings.RUNSITE_UPSTREAM_CA_FILE,
        )
    else:
        default = local_model()
    return Upstreams(default, Demo())


@functools.cache
def local_model() -> LocalModel:
    """The model on this machine; one child process per process of ours."""
    return LocalModel()


def answered_locally(model: str) -> bool:
    """Whether the local model stands in for ``model``."""
    return model != DEMO_MODEL and not settings.RUNSITE_UPSTREAM_URL


def warnings(run: Run) -> list[str]:
    """What somebody should know who takes the run's answer for that of its model.

    One sentence each; for the header ``x-runsite-warning`` and the run's page.
    """
    found = []
    functions = [tool for tool in run.tools if tool["type"] == "function"]
    if run.model == DEMO_MODEL:
        found.append(f"answered by the demo script {DEMO_MODEL}, not by a model")
    elif answered_locally(run.model):
        found.append(f"answered by {LocalModel.name}, not by {run.model}")
        if functions:
            found.append(f"{LocalModel.name} cannot call tools")
    if len(functions) < len(run.tools):
        kinds = sorted({tool["type"] for tool in run.tools} - {"function"})
        found.append(f"{' and '.join(kinds)} not offered to the model: not built yet")
    return found
