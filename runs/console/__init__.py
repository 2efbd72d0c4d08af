"""The browser console: pages, forms, and the socket that keeps a run's page live."""
