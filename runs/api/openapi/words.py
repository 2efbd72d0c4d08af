"""The document's prose: what the API is, what its groups are, and what each field means."""

from runs.contract import limits

ABOUT = f"""\
Assistants, threads, messages, runs and run steps: the Assistants v2 API. Point an SDK at this
server by its `base_url` and leave the rest of your code as it is.

- **Key**: `Authorization: Bearer KEY`. A key belongs to a project and sees nothing of another.
- **Bodies** are JSON objects in UTF-8 of at most {limits.BODY_BYTES // 2**20} MiB, nested at most
  {limits.JSON_DEPTH} levels deep, of at most {limits.JSON_TOKENS:,} values. NUL characters and
  halves of surrogate pairs are refused anywhere in them. `null` counts as not given; a field that
  an operation does not know is refused, and so is `60.0` for an integer.
- **Query parameters**: an unknown one is ignored, and one that may be empty (`allowEmptyValue`)
  counts as not given if it is.
- **Errors** have one shape, on every path. A method that a path does not have is 405.
- **Streams**: with `"stream": true` a run answers with server-sent events; a frame is
  `id: 7`, `event: thread.message.delta`, `data: {{…}}`.
- **Runsite's own** marks what the original service does not have.
"""

TAGS = (
    ("Assistants", "A model with instructions and tools."),
    ("Threads", "Conversations."),
    ("Messages", "What is said in a thread."),
    ("Runs", "The work of an assistant on a thread: polled or streamed."),
    ("Run steps", "What a run did, step by step."),
)

OWN = "**Runsite's own.**"

#: By name: a name means the same wherever it stands.
WORDS: dict[str, str] = {
    "additional_instructions": "Appended to the instructions that result, after a blank line.",
    "additional_messages": "Messages that enter the thread before the run starts.",
    "arguments": "Arguments of the call, as the model wrote them: JSON, mostly.",
    "assistant_id": "The assistant whose model, instructions and tools are taken.",
    "attachments": "Files for the built-in tools: kept and shown, without effect.",
    "content": "A text, or parts: words and images.",
    "created_at": "Unix seconds, as all times.",
    "description": "What it is for.",
    "expires_at": "When it ends by itself; null once it has ended.",
    "has_more": "Whether there is more in the direction of travel.",
    "instructions": "The system message.",
    "last_messages": "How many of the thread's last messages, where `type` says so.",
    "max_completion_tokens": "The most tokens that the model may write in the whole run.",
    "max_prompt_tokens": "The most tokens of prompts in the whole run.",
    "messages": "Its first messages.",
    "metadata": "Pairs of your own.",
    "model": "Any name that the upstream knows; `runsite/demo` is the built-in demo model.",
    "name": "What it is called.",
    "output": "What the call came to; no output is an empty one.",
    "parallel_tool_calls": "Whether the model may call several functions at once.",
    "reasoning_effort": "How much the model should think, handed to the upstream as it is.",
    "response_format": "The form of the model's answers.",
    "role": "Who says it.",
    "status": "Where it is.",
    "stream": "Whether to answer with server-sent events.",
    "temperature": "Sampling temperature.",
    "thread": "The new thread; an empty one if not given.",
    "tool_call_id": "The `id` of a pending call.",
    "tool_choice": "Whether, or which, function the model must call.",
    "tool_outputs": "One for each pending call.",
    "tool_resources": "What the built-in tools may use: kept and shown, without effect.",
    "tools": "Functions that the model may call; built-in tools are kept and shown only.",
    "top_p": "Nucleus sampling.",
    "truncation_strategy": "How much of the thread the model is given.",
    "usage": "Tokens, once it has ended.",
    "on_active_run": (
        f"{OWN} What to do if a run of the thread is active: `reject` (400; so if not given), "
        f"`queue` (wait in line, with up to {limits.RUNS_IN_LINE - 1} others, and start when the "
        "thread is free), `cancel` (cancel the active run and those in line, then start)."
    ),
    "expires_in": f"{OWN} Seconds until the run expires, from its creation.",
    "action_expires_in": f"{OWN} Seconds that each wait for tool outputs may take. If not given: "
    "the server's setting, else the run's own clock.",
}
