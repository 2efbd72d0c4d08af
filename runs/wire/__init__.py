"""Rows to wire objects: the dicts that leave the server. No queries of their own."""
