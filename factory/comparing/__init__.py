"""Generators or releases side by side at equal cost."""
