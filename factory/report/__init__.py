"""The report of a release: its charts and its page, from plain data."""
