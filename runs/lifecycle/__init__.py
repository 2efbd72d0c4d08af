"""The only writers of status."""
