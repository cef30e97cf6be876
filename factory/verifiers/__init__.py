"""Verifiers decide about a completion; the pool runs them where they can be killed."""
