"""Runs are worked on here: turns, prompts, engines, the watchdog."""
