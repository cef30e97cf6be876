"""Engines that turn requests into completions, with their prompts and model references."""
