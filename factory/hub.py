"""Fetches a release from the Hub, at exactly the commit that its tag names.

Guarantees: what `fetch` returns is the whole release at one commit: the tag is resolved to a commit id, the
files come from that commit, and each is compared with the manifest, so that a folder half fetched is an error
and never a smaller dataset. Where the Hub cannot be reached, the commit that the tag was last seen at serves,
if all of it is there. Errors of the client become one sentence with the next step. HF_ENDPOINT, HF_HOME and
the token of `hf auth login` are respected. Left out: publishing, and reading rows (`loading.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from factory.errors import CheckFailed, FactoryError, OutsideError, UsageError
from factory.references import OnHub
from factory.release import answers, check, reading
from factory.release.check import Remote
from factory.release.findings import refusal

_DOCUMENTS: Final = ("manifest.json", "README.md")


def fetch(reference: OnHub, *, cache: Path | None = None) -> Path:
    """The folder of a release on the Hub, whole and as its manifest lists it; named by the commit id.

    `cache` is a cache of the Hub's client, by default the user's own. Raises UsageError for what is not
    there, OutsideError when the Hub fails, CheckFailed when the files are not those of the release named.
    """
    folder = download(reference, cache=cache)
    found, findings = reading.read(folder)
    if found is not None:
        findings += check.identity(found, named(reference))
        findings += check.files(folder, found, found.configs)[0]
    if told := refusal(findings):
        raise CheckFailed(
            f"{_text(reference)} is not the release that its manifest lists: {told}. If only this copy is "
            f"damaged, remove {folder} and the files it links to, and fetch it again"
        )
    return folder


def named(reference: OnHub) -> dict[str, str]:
    """What the manifest must say: the version of the tag, less -rc.1 and the like; of a commit, nothing."""
    if not reference.revision.startswith("v"):
        return {}
    return {"version": reference.revision[1:].partition("-")[0]}


def download(reference: OnHub, *, cache: Path | None = None) -> Path:
    """The files at the commit that `reference` names, whatever they are; the folder is named by it."""
    from huggingface_hub import HfApi, snapshot_download

    with _told(reference):
        commit = HfApi().resolve_revision(
            reference.repo, repo_type="dataset", revision=reference.revision, cache_dir=cache
        )
        folder = snapshot_download(
            reference.repo, repo_type="dataset", revision=commit.resolved, cache_dir=cache
        )
    if not (Path(folder) / "manifest.json").exists():
        raise OutsideError(
            f"{_text(reference)} holds no manifest.json here ({folder}): either it is no release of "
            "factory, or the cache does not hold all of it. Try again online"
        )
    return Path(folder)


def documents(reference: OnHub, *, cache: Path | None = None) -> tuple[Path, Remote]:
    """The files of the release that are small, and what the Hub says of the large ones: bytes and sha256."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.hf_api import RepoFile

    with _told(reference):
        api = HfApi()
        commit = api.resolve_revision(
            reference.repo, repo_type="dataset", revision=reference.revision, cache_dir=cache
        ).resolved
        tree = api.list_repo_tree(reference.repo, repo_type="dataset", revision=commit, recursive=True)
        there = [one for one in tree if isinstance(one, RepoFile)]
        large = {one.path: (one.lfs.size, one.lfs.sha256) for one in there if one.lfs is not None}
        folder = snapshot_download(
            reference.repo,
            repo_type="dataset",
            revision=commit,
            cache_dir=cache,
            allow_patterns=[*_DOCUMENTS, *(one.path for one in there if one.lfs is None)],
        )
    return Path(folder), {path: told for path, told in large.items() if path not in _DOCUMENTS}


@contextlib.contextmanager
def _told(reference: OnHub) -> Iterator[None]:
    """Errors of the client as ours."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except (errors.HFValidationError, errors.HfHubHTTPError) as error:
        raise _answered(reference, error) from error
    except (
        errors.RevisionResolutionError,
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        httpx2.HTTPError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise OutsideError(
            f"{_text(reference)} cannot be fetched: the Hub cannot be reached ({type(error).__name__}), and "
            "the cache does not hold all of it. Try again online; HF_HUB_OFFLINE and HF_ENDPOINT decide "
            "where the client looks"
        ) from error
    except (OSError, RuntimeError) as error:
        if answers.of_xet(error):  # a RuntimeError, as a rule
            raise _answered(reference, error) from error
        if isinstance(error, RuntimeError):
            raise
        raise OutsideError(f"{_text(reference)} cannot be kept in the cache: {error}") from error


def _answered(reference: OnHub, error: Exception) -> FactoryError:
    """What the Hub's answer means."""
    from huggingface_hub import errors

    text = _text(reference)
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{text}: {reference.repo} can be no repository: {error}")
    if isinstance(error, errors.GatedRepoError):
        return OutsideError(f"{text} is gated: ask for access on its page, then `hf auth login`")
    if isinstance(error, errors.RepositoryNotFoundError):
        return UsageError(
            f"{text}: the Hub shows no dataset {reference.repo}; look at the name, and if it is private, "
            "`hf auth login` with an account that may read it"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return UsageError(
            f"{text}: {reference.repo} has no {reference.revision}; its tags stand on its page under Files"
        )
    status = answers.status(error)
    if status in (401, 403) and not answers.of_storage(error):
        return OutsideError(
            f"{text}: the Hub refuses the token ({status}); `hf auth login` with one that may read"
        )
    return OutsideError(f"{text} cannot be fetched: {answers.describe(error)}; try again later")


def _text(reference: OnHub) -> str:
    return f"{reference.repo}@{reference.revision}"
