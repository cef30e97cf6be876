"""Whether the problems of a plan can be released in the splits that their sources give them.

Guarantees: a recipe is refused before anything is sampled when a split's name is one that loaders refuse,
or when a group (`group_id`: problems that may not be parted) stands in two splits. A problem that repeats
an earlier one is asked in the earlier one's split alone, so it parts no group. Left out: recipes that make
their own splits (`release.splits`), which take whole groups by a hash (`formats.py`).
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from factory.errors import UsageError
from factory.recipe import Recipe

LOADABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}", re.ASCII)

_NAMED: Final = 5
"""Groups that an error names."""

_OWN_SPLITS: Final = "let the release make its own with `release: splits: {test: 0.05}`"


def check(recipe: Recipe, problems: pa.Table) -> None:
    """Raise UsageError when the sources' splits cannot be those of the release.

    `problems` has the columns of PROBLEMS and `mark`, which is empty for those that repeat no other.
    """
    if recipe.release.splits:
        return
    named: dict[str, str] = {}
    for row in problems.group_by(["source", "split"]).aggregate([]).to_pylist():
        _check_name(row["source"], row["split"])
        other = named.setdefault(row["split"].lower(), row["split"])
        if other != row["split"]:
            raise UsageError(
                f"problems stand in the splits {other!r} and {row['split']!r}, whose files are one where "
                f"case does not count. Nothing was sampled. Correct `split` of a source, or {_OWN_SPLITS}"
            )
    asked = problems.filter((pc.field("mark") == "") & pc.field("group_id").is_valid())
    groups = asked.group_by("group_id").aggregate([("split", "distinct")])
    parted = sorted(
        (group, sorted(splits))
        for group, splits in zip(*(column.to_pylist() for column in groups.columns), strict=True)
        if len(splits) > 1
    )
    if parted:
        told = "; ".join(f"{group!r} in {' and '.join(splits)}" for group, splits in parted[:_NAMED])
        more = f"; and {len(parted) - _NAMED} more" if len(parted) > _NAMED else ""
        raise UsageError(
            f"{recipe.id}: {len(parted)} group(s) of problems stand in two splits ({told}{more}), and a "
            "group must stand in one: what is trained on would be tested on. Nothing was sampled. "
            f"{_OWN_SPLITS[0].upper()}{_OWN_SPLITS[1:]}, which takes whole groups, or correct "
            "`columns.group_id` or `split` of the sources"
        )


def _check_name(source: str, split: str) -> None:
    if LOADABLE.fullmatch(split) and split != "all":
        return
    raise UsageError(
        f"problems of {source} stand in the split {split!r:.80}, which loaders refuse; a split's name is "
        "made of letters, digits and '_', '_' is not the first, and 'all' is taken. Nothing was sampled. "
        f"Correct `split` of the source, or {_OWN_SPLITS}"
    )
