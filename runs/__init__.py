"""Runsite: assistants, threads, messages, runs and run steps."""
