"""The certificates of a store, and those that a release carries.

Guarantees: a certificate is kept whole or not at all, under the exact version of its verifier, by the name
and hash of its cases. A release carries all that the store has for the versions of its verifiers; for
`math` also one on answers made from the release's own references, which is made once and kept.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

from factory import certifying
from factory.atomic import write_atomically
from factory.certifying import Wanted
from factory.errors import CheckFailed
from factory.planning import Plan, Verifier
from factory.progress import Progress
from factory.records import canonical_json
from factory.store import Store
from factory.verifiers import labelled

OWN: Final = "own golds"
"""What stands for the name of a file in a certificate on the references of a release."""

MOST_GOLDS: Final = 500
SEED: Final = 0


def keep(certificate: Mapping[str, Any], wanted: Wanted, store: Store) -> Path:
    """Write a certificate into the store; what was asked beside the file is part of its name."""
    asked = [
        "-mutate" if wanted.mutate else "",
        "-skip-noted" if wanted.skip_noted else "",
        f"-limit-{wanted.limit}" if wanted.limit else "",
    ]
    name = f"{wanted.cases.name}{''.join(asked)}-{certificate['cases_sha256'][:12]}.json"
    path = _folder(store, f"{certificate['verifier']}@{certificate['version']}") / name
    _write(path, certificate)
    return path


def of_release(
    store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, progress: Progress
) -> list[dict[str, Any]]:
    """The certificates of the plan's verifiers. Raises CheckFailed for a damaged one."""
    found = []
    for verifier in (plan.decides, *plan.also):
        paths = sorted(_folder(store, verifier.written).glob("*.json"))
        found += [one for one in map(_read, paths) if one["cases_file"] != OWN]
        if verifier.name == "math":
            found += _on_own_golds(store, connection, plan, verifier, progress)
    return found


def _on_own_golds(
    store: Store, connection: duckdb.DuckDBPyConnection, plan: Plan, verifier: Verifier, progress: Progress
) -> list[dict[str, Any]]:
    """The certificate on answers made from the references that were asked, at most MOST_GOLDS of them."""
    rows = connection.execute(
        "SELECT DISTINCT answer FROM asked WHERE reason = 'asked' AND answer IS NOT NULL ORDER BY answer"
    ).fetchall()
    golds = [str(answer) for (answer,) in rows]
    if len(golds) > MOST_GOLDS:
        golds = sorted(random.Random(SEED).sample(golds, MOST_GOLDS))
    options = verifier.config.options
    cases = list(labelled.from_golds(golds, options, SEED))
    if not cases:
        return []
    told = canonical_json([[case.item.reference, case.item.completion, case.expected] for case in cases])
    digest = hashlib.sha256(told.encode()).hexdigest()
    path = _folder(store, verifier.written) / f"own-golds-{digest[:12]}.json"
    if not path.exists():
        made = certifying.certificate(verifier.name, options, cases, progress, plan.recipe.verify.workers)
        _write(path, made | {"cases_file": OWN, "cases_sha256": digest, "mutated": True})
    return [_read(path)]


def _folder(store: Store, written: str) -> Path:
    return store.root / "certificates" / written


def _write(path: Path, certificate: Mapping[str, Any]) -> None:
    text = json.dumps(certificate, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def _read(path: Path) -> dict[str, Any]:
    try:
        certificate = json.loads(path.read_text(encoding="utf-8"))
        if {"verifier", "version", "cases_file", "accuracy"} <= set(certificate):
            return dict(certificate)
    except (ValueError, TypeError):
        pass
    raise CheckFailed(
        f"{path} is no certificate: it was damaged or changed after it was written. Move it away, and make "
        "it again with `factory certify`"
    )
