"""SQL over a store: tables, views, and the closed-in process that a query runs in."""
