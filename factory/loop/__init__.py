"""Closing the loop: from releases to models, from models to evaluations, and rounds of both."""
