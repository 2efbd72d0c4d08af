"""The process that runs the local model: ``python local_model_child.py GGUF_FILE``.

Started by ``runs.providers.local_model`` and by nobody else. The first line on standard input is
the key to ask for; the second is never written: that input ends when the parent does, however it
ends, and so does this process. Once the model is loaded one line says ``ready http://...``.
"""

import os
import sys
import threading

import xllamacpp  # type: ignore[import-not-found, import-untyped, unused-ignore]

CONTEXT_TOKENS = 4096  # of prompt and answer together; the key-value cache takes 23 kB for each
PARALLEL = 2  # answers at the same time; further ones wait
MAX_ANSWER_TOKENS = 1024  # a model this small that has said so much only repeats itself
HTTP_THREADS = 32  # each answer, waiting or not, holds one
NICENESS = 5  # the server that streams the answers goes first


def end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def serve(model_file: str, key: str) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = model_file
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.api_keys = [key]
    params.n_ctx = CONTEXT_TOKENS * PARALLEL
    params.n_parallel = PARALLEL
    params.n_predict = MAX_ANSWER_TOKENS
    params.n_threads_http = HTTP_THREADS
    params.cache_ram_mib = 0  # not 8 GiB of old prompts
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_props = False
    params.verbosity = 1  # errors only
    return xllamacpp.Server(params)


def main() -> None:
    key = sys.stdin.readline().strip()
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    server = serve(sys.argv[1], key)
    sys.stdout.write(f"ready {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
