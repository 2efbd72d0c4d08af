"""Views: fetch, operate, render."""
