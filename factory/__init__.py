"""A dataset factory: a recipe of problems, generators and verifiers becomes a versioned release."""

__version__ = "0.3.0"
