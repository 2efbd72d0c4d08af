"""The models outside: one adapter per kind of upstream, no database, no web framework."""
