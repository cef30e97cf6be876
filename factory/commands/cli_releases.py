"""The commands on releases: list, check, diff, publish.

Guarantees: as in `cli.py`. What they do stands in modules of their own; here are arguments and output.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from factory.commands import display
from factory.commands.terminal import (
    DEFAULT_STORE,
    JsonOption,
    QuietOption,
    StoreOption,
    progress,
    say,
    say_json,
)
from factory.errors import CheckFailed

app = typer.Typer(
    help="List, check, compare and publish releases.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """The releases of the store, with their rows.

    Example: factory release list
    """
    from factory import references
    from factory.release import reading
    from factory.release.findings import refusal
    from factory.store import Store

    opened = Store(store)
    found: list[dict[str, Any]] = []
    for name in references.released(opened):
        one, findings = reading.read(opened.releases / name)
        read = (
            {"error": refusal(findings)}
            if one is None
            else {"release_id": one.release_id, "rows": {key: it.rows for key, it in one.configs.items()}}
        )
        found.append({"release": name, **read, "folder": str(opened.releases / name)})
    if as_json:
        say_json(found)
        return
    rows = [
        (
            one["release"],
            f"cannot be read: {one['error']}"
            if "error" in one
            else ", ".join(f"{config} {number:,}" for config, number in one["rows"].items()),
        )
        for one in found
    ]
    say(display.table(f"Releases of {store}", ("release", "rows"), rows))


@app.command("check")
def check_(
    reference: Annotated[
        str,
        typer.Argument(metavar="RELEASE", help="NAME@X.Y.Z, ORG/NAME@vX.Y.Z, or a path from /, ./ or ../"),
    ],
    remote: Annotated[
        bool, typer.Option("--remote", help="on the Hub: compare hashes, and leave the rows there")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a release as a stranger would: from its files alone, against its manifest and each other.

    Example: factory release check gsm8k-rft@1.0.0
    """
    from factory import checking
    from factory.commands import display_checks
    from factory.release.findings import refusal
    from factory.store import Store

    folder, found = checking.by_reference(
        reference, Store(store), remote=remote, progress=progress(as_json, quiet)
    )
    if as_json:
        say_json(display_checks.plain(reference, str(folder), found))
    else:
        for one in display_checks.findings(found):
            say(one)
    if told := refusal(found):
        raise CheckFailed(f"{reference}: {display_checks.summary(found)}. {told}")
    if not as_json:
        say(f"{reference} is whole: {display_checks.summary(found)}")


@app.command("diff")
def diff_(
    old: Annotated[str, typer.Argument(metavar="OLD", help="NAME@X.Y.Z, ORG/NAME@vX.Y.Z or ./FOLDER")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the release to compare with it")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="only the SQL that lists the rows, for `factory sql`")
    ] = False,
) -> None:
    """What changed between two releases: rows, columns, verdicts, metrics, recipe; and the version it takes.

    Example: factory release diff sums@1.0.0 sums@1.1.0
    """
    from factory import diffing
    from factory.commands import display_diff
    from factory.store import Store

    found = diffing.compare(Store(store), old, new)
    if as_json:
        say_json(found)
        return
    for one in display_diff.sql(found) if sql else display_diff.lines(found):
        say(one)


@app.command("publish")
def publish_(
    reference: Annotated[str, typer.Argument(metavar="NAME@X.Y.Z", help="a release of the store")],
    repo: Annotated[str, typer.Option("--repo", metavar="ORG/NAME", help="a dataset repository")],
    private: Annotated[bool, typer.Option("--private", help="a new repository is private")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="overwrite edits made by hand")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be sent")] = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Publish a release to the Hugging Face Hub: one commit and the tag vX.Y.Z; again, it changes nothing.

    Example: factory release publish gsm8k-rft@1.0.0 --repo acme/gsm8k-rft --dry-run
    """
    from factory import publishing
    from factory.commands import display_publish
    from factory.store import Store

    opened, asked = Store(store), publishing.Asked(private=private, overwrite=overwrite)
    with progress(as_json, quiet) as shown:
        want = publishing.wanted(publishing.folder_of(reference, opened), repo, shown)
        if dry_run:
            found = publishing.plan(want, asked, shown.say)
        else:
            found = asdict(publishing.send(opened, want, asked, shown))
    if as_json:
        say_json(found)
        return
    for one in display_publish.plan(found) if dry_run else display_publish.published(found):
        say(one)
