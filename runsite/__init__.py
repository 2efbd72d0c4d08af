"""The project: settings, wiring, and the server. No logic of runs."""

__version__ = "0.1.0"
