"""The errors a user can cause or meet, each with the exit code it ends the program with.

Every message names the place, the value found, what is allowed and the next step; `cli.py` prints
it as one paragraph. Programming errors are not here: they stay what they are and show a traceback.
"""

from __future__ import annotations


class FactoryError(Exception):
    """Base of everything the command line turns into one short paragraph."""

    exit_code = 1


class CheckFailed(FactoryError):
    """A check or a requirement does not hold: a taken version, rows that do not add up (exit 1)."""

    exit_code = 1


class NothingToRelease(CheckFailed):
    """A run ended without a release for what its samples are: none is kept, or a requirement is not met."""


class UsageError(FactoryError):
    """The recipe, a file or an argument is wrong; nothing was started (exit 2)."""

    exit_code = 2


class OutsideError(FactoryError):
    """An engine, a server, a disk or a package index failed; what was finished is kept (exit 3)."""

    exit_code = 3


def missing_extra(package: str, extra: str) -> UsageError:
    """The error for an optional package that is not installed, with the line that installs it."""
    return UsageError(f"{package} is not installed; install it with: pip install 'factory[{extra}]'")
