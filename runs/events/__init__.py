"""The event log of a run: append, deliver, flush, follow. SSE and console read it alike."""
