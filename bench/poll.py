"""How long openai-python's ``create_and_poll`` takes with an instant model, and how often it asks.

``python -m bench.poll [RUNS]``
"""

import statistics
import sys
import time
import warnings

import httpx2
from openai import DefaultHttpxClient, OpenAI

from tests.live import LiveServer
from tests.upstream import Upstream

warnings.simplefilter("ignore", DeprecationWarning)  # every call of this API gives one


def measure(client: OpenAI, runs: int) -> list[float]:
    """Milliseconds of each ``create_and_poll``, threads apart."""
    assistant = client.beta.assistants.create(model="text-5")
    took = []
    for _ in range(runs):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
        started = time.perf_counter()
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread.id, assistant_id=assistant.id
        )
        took.append((time.perf_counter() - started) * 1000)
        if run.status != "completed":
            sys.exit(f"run ended {run.status}: {run.last_error}")
    return took


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    answers: list[httpx2.Response] = []
    counting = DefaultHttpxClient(event_hooks={"response": [answers.append]})
    with (
        Upstream() as upstream,
        LiveServer(RUNSITE_UPSTREAM_URL=upstream.url) as server,
        OpenAI(base_url=server.base_url, api_key=server.key, http_client=counting) as client,
    ):
        took = measure(client, runs)
    retrieves = sum(answer.request.method == "GET" for answer in answers)
    sys.stdout.write(
        f"create_and_poll of an instant model, {runs} runs: median {statistics.median(took):.0f} "
        f"ms, least {min(took):.0f} ms, most {max(took):.0f} ms; "
        f"{retrieves / runs:.1f} retrieves per run\n"
    )


if __name__ == "__main__":
    main()
