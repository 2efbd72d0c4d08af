"""The words of the API in plain Python: statuses, event names, ids, keys, errors, limits."""
