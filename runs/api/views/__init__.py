"""One module per kind of object; ``live`` has the views that wait or stream."""
