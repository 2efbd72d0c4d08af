"""The HTTP door: routes, keys, input checks, errors, pages, streams. No rules of its own."""
