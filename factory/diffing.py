"""What changed between two releases, wherever they are; and which version a draft may have.

Guarantees: the delta of a metric is paired by problem and its interval resamples problems, with a fixed seed.
A draft is released only under a version that is large enough for what it changes, below the releases above
it too. Left out: the comparison of rows (`release/row_changes.py`), the rule (`release/versions.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from factory import measuring, references
from factory.errors import CheckFailed
from factory.metrics.estimators import diversity_at_k_array, pass_at_k_array
from factory.metrics.intervals import bootstrap_mean
from factory.metrics.majority import majority_at_k_array
from factory.metrics.measure import NO_ANSWERS
from factory.release import diff, reading, row_changes, versions
from factory.release.findings import refusal
from factory.release.row_changes import Side
from factory.store import Store

RESAMPLES: Final = 1000
SEED: Final = 0
DIGITS: Final = 10
_AT_K: Final = re.compile(r"(pass|coverage|maj|diversity)@([1-9]\d{0,8})")


def compare(store: Store, old: str, new: str) -> dict[str, Any]:
    """The comparison of two releases by their references, in the shape of `release/diff.py`, with `sql`.

    Raises UsageError for a reference that names no release, CheckFailed for releases that cannot be read.
    """
    before, after = _opened(_folder(store, old)), _opened(_folder(store, new))
    with row_changes.connect() as connection:
        found = diff.compare(connection, before, after)
        metrics = _metrics(before.folder), _metrics(after.folder)
        found["metrics"] = deltas(connection, before, after, *metrics)
    return found | {"sql": _sql(store, before, after, found)}


def _folder(store: Store, text: str) -> Path:
    reference = references.parse(text)
    if isinstance(reference, references.OnHub):
        from factory import hub

        return hub.fetch(reference)
    return references.local_folder(reference, store)


def _opened(folder: Path) -> Side:
    found, findings = reading.read(folder)
    if found is None:
        raise CheckFailed(
            f"{folder} cannot be compared: {refusal(findings)}. `factory release check` says more; a release "
            "of an older factory that stands in the way of a new one can be moved out of the store"
        )
    return Side(folder, found.content)


def _metrics(folder: Path) -> Mapping[str, Any]:
    """What metrics.json holds; nothing where there is none, as in a release that somebody else made."""
    path = folder / "metrics.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise CheckFailed(f"{path} is no JSON: {error}. `factory release check` says more") from error
    return content if isinstance(content, Mapping) else {}


def _value(metrics: Mapping[str, Any], metric: str) -> float | None:
    entry = metrics.get(metric)
    value = entry.get("value") if isinstance(entry, Mapping) else None
    return value if isinstance(value, int | float) else None


def _why(metrics: Mapping[str, Any], metric: str) -> object:
    entry = metrics.get(metric)
    return entry.get("why") if isinstance(entry, Mapping) else None


def _sql(store: Store, old: Side, new: Side, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """SQL for the rows of two releases that `factory sql` knows by their names."""
    if any(side.folder.resolve() != (store.releases / side.id).resolve() for side in (old, new)):
        return None
    return {
        config: queries
        for config, entry in found["configs"].items()
        if (queries := row_changes.queries(old, new, config, entry))
    }


# --- metrics -----------------------------------------------------------------------------------------


def deltas(
    connection: duckdb.DuckDBPyConnection,
    old: Side,
    new: Side,
    old_metrics: Mapping[str, Any],
    new_metrics: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Every metric at k that either release has, with its delta over the problems that both have."""
    wanted = [one for one in old_metrics if _AT_K.fullmatch(one)]
    wanted += [one for one in new_metrics if _AT_K.fullmatch(one) and one not in old_metrics]
    why = diff.without_samples(old, new)
    first = old_metrics.get("m"), new_metrics.get("m")
    pairs = None if why else _pairs(connection, (old, new), first)
    shown = []
    for metric in wanted:
        values = {"old": _value(old_metrics, metric), "new": _value(new_metrics, metric)}
        silent = NO_ANSWERS in (_why(old_metrics, metric), _why(new_metrics, metric))
        unknown = dict.fromkeys(("delta", "low", "high"))
        unknown |= {"n_problems": 0, "why": NO_ANSWERS if silent else why}
        told = unknown if pairs is None or silent else _delta(pairs, metric)
        shown.append({"metric": metric, **values, **told})
    return shown


def _pairs(
    connection: duckdb.DuckDBPyConnection,
    sides: tuple[Side, Side],
    first: tuple[Mapping[str, int] | None, Mapping[str, int] | None],
) -> pl.DataFrame:
    """The counts of both releases, of the problems that both have samples of.

    `first` is the `m` of both metrics.json: how many draws of each problem count.
    """
    before, after = (
        measuring.by_problem(connection, f"FROM {row_changes.all_rows(side, 'samples')}", m)
        for side, m in zip(sides, first, strict=True)
    )
    return before.join(after, on="problem_id", suffix="_new").sort("problem_id")


def _delta(pairs: pl.DataFrame, metric: str) -> dict[str, Any]:
    kind, _, digits = metric.partition("@")
    k = int(digits)
    enough = pairs.filter((pl.col("n") >= k) & (pl.col("n_new") >= k))
    if 1 < len(enough) < len(pairs):
        short = f"{len(pairs) - len(enough):,} of {len(pairs):,} problems have fewer than {k} judged samples"
        unknown = dict.fromkeys(("delta", "low", "high"))
        return {**unknown, "n_problems": len(enough), "why": f"{short} in one of the two"}
    values = _by_problem(enough, "_new", kind, k) - _by_problem(enough, "", kind, k)
    low, high = bootstrap_mean(values, RESAMPLES, SEED)
    why = None
    if len(values) < 2:
        why = f"{len(values)} problem{'' if len(values) == 1 else 's'} with {k} judged samples in both"
    return {
        "delta": _real(float(values.mean())) if len(values) else None,
        "low": _real(low),
        "high": _real(high),
        "n_problems": len(values),
        "why": why,
    }


def _by_problem(counts: pl.DataFrame, suffix: str, kind: str, k: int) -> NDArray[np.float64]:
    n, c, right = (counts[name + suffix].to_numpy() for name in ("n", "c", "right"))
    if kind not in ("diversity", "maj"):
        return pass_at_k_array(n, c, k)
    sizes = counts[("paths" if kind == "diversity" else "answers") + suffix]
    owner = np.repeat(np.arange(len(n)), sizes.list.len().to_numpy())
    size = sizes.explode().drop_nulls().to_numpy()
    if kind == "diversity":
        return diversity_at_k_array(n, owner, size, k)
    return majority_at_k_array(n, right, owner, size, k, SEED)[0]


def _real(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


# --- before a release --------------------------------------------------------------------------------


def before_release(
    store: Store, draft: Path, made: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The comparison of a draft with the highest release of its name below it; None for the first one.

    Raises CheckFailed when the draft's version is too small for what it changes against that release, or
    when the next release above, which stands already, is too near for what it changes against the draft.
    """
    new = Side(draft, made)
    below, above = _neighbours(store, new)
    with row_changes.connect() as connection:
        if above:
            after = diff.compare(connection, new, above)
            if not versions.fits(made["version"], above.manifest["version"], after["bump"]):
                raise CheckFailed(
                    f"{new.id} cannot stand below {above.id}, which is released already: from the one to the "
                    f"other {_told(after)}, and that takes a {after['bump']} version. "
                    + _way_out(store, connection, new)
                )
        if not below:
            return None
        found = diff.compare(connection, below, new)
        if not versions.fits(below.manifest["version"], made["version"], found["bump"]):
            raise CheckFailed(
                f"{new.id} is too small a step from {below.id}: {_told(found)}, and that takes "
                f"a {found['bump']} version. " + _way_out(store, connection, new)
            )
        return found | {"metrics": deltas(connection, below, new, _metrics(below.folder), metrics)}


def allowed(store: Store, draft: Path, made: Mapping[str, Any]) -> str:
    """The smallest version above every release of its name that a draft may have."""
    with row_changes.connect() as connection:
        return _allowed(store, connection, Side(draft, made))


def _allowed(store: Store, connection: duckdb.DuckDBPyConnection, new: Side) -> str:
    highest = _opened(store.releases / f"{new.manifest['name']}@{_versions(store, new)[-1]}")
    bump = diff.compare(connection, highest, new)["bump"]
    return versions.smallest(highest.manifest["version"], "patch" if bump == "none" else bump)


def _way_out(store: Store, connection: duckdb.DuckDBPyConnection, new: Side) -> str:
    version = _allowed(store, connection, new)
    return (
        "No release was made; samples and verdicts are kept. The smallest version allowed is "
        f"{version}: write it in the recipe, or add --set version={version}"
    )


def _versions(store: Store, side: Side) -> list[str]:
    """The versions of the releases of this name, from the lowest."""
    named = (one.partition("@") for one in references.released(store))
    return [version for name, _, version in named if name == side.manifest["name"]]


def _neighbours(store: Store, new: Side) -> tuple[Side | None, Side | None]:
    """The release just below the draft and the one just above."""
    mine = versions.numbers(new.manifest["version"])
    found = _versions(store, new)
    below = [one for one in found if versions.numbers(one) < mine][-1:]
    above = [one for one in found if versions.numbers(one) > mine][:1]
    sides = [
        _opened(store.releases / f"{new.manifest['name']}@{one[0]}") if one else None
        for one in (below, above)
    ]
    return sides[0], sides[1]


def _told(found: Mapping[str, Any]) -> str:
    """The weightiest differences in words."""
    weighty = [sentence for bump, sentence in versions.reasons(found) if bump == found["bump"]]
    return "; ".join(weighty[:6]) + (f"; and {len(weighty) - 6} more" if len(weighty) > 6 else "")
