"""The OpenAPI document of the API and the page that shows it.

Routes and request bodies are read from the code that serves them (``generator``,
``inputs``); what operations answer is written down here, beside the functions of
``runs.wire`` that make it (``objects``, ``events``, ``answers``).
"""
