"""Figures, measured by hand against a live server: ``python -m bench.poll``, ``bench.cancel``."""
