"""The rows of a release as a training reads them: problem, completion, weight; or a pair of completions.

Guarantees: rows stand in one order on every machine, and come in batches, so that a release of any size goes
through. Only samples that the deciding verifier passed or failed are ever weighed: an error and a missing
answer are evidence of nothing; every sample of the split is given or counted under the reason it is left out
for. A row tells which of its completions were cut at max_tokens, where the release has the config `samples`;
without it nobody knows, and none counts as cut. Left out: whether the files are those of the release
(`loading.py`), and tokens (`training_tokens.py`).
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from factory.errors import CheckFailed, UsageError
from factory.recipe import Train
from factory.records import DRAWN
from factory.release.reading import File, Manifest

FAILED: Final = "failed"
NOT_JUDGED: Final = "not_judged"
OTHER_GENERATOR: Final = "other_generator"

CONFIGS: Final[Mapping[str, tuple[str, ...]]] = {
    "sft": ("sft",),
    "dpo": ("preference",),
    "weighted": ("samples", "problems"),
}
"""The configs of a release that each method reads."""

_IDS: Final = frozenset({"sample_id", "problem_id"})
_COLUMNS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "sft": (_IDS | {"prompt", "completion"}, _IDS | {"messages"}),
    "preference": (frozenset({"chosen_id", "rejected_id", "problem_id", "prompt", "chosen", "rejected"}),),
    "samples": (_IDS | {"completion", "finish_reason", "status", "correct", "generator_id"},),
    "problems": (frozenset({"problem_id", "prompt"}),),
}
"""The columns that are read of a config, in each of its forms."""

_WRITERS: Final[Mapping[str, tuple[str, ...]]] = {
    "sft": ("generator",),
    "preference": ("chosen_generator", "rejected_generator"),
    "samples": ("generator",),
}
"""The columns that say which generators wrote a row."""

BATCH: Final = 1000

_MEMORY: Final = "700MB"

# A share needs the samples that could be judged alone; a sample is correct where no verifier failed it. It is
# of draws: worked solutions by people say nothing of how often a model is right. Where nothing was drawn, the
# value of the problem is not known, and its rows have no advantage. Where only some generators are learned
# from, their draws alone say how often they are right.
_WEIGHED: Final = (
    "WITH problems AS (SELECT problem_id, min(prompt) AS prompt FROM read_parquet({problems})"
    " GROUP BY problem_id), drawn AS (FROM read_parquet({samples})),"
    " shares AS (SELECT problem_id, avg(correct::INT) AS share FROM drawn"
    f" WHERE status IN ('pass', 'fail') AND {DRAWN} AND {{mine}} GROUP BY problem_id)"
    " SELECT d.sample_id AS row_id, d.problem_id, p.prompt, d.completion, d.correct,"
    " coalesce(s.share, d.correct::INT) AS share,"
    " CASE d.finish_reason WHEN 'length' THEN ['completion'] ELSE [] END AS cut,"
    f" CASE WHEN {{mine}} THEN coalesce(d.status, '{NOT_JUDGED}') ELSE '{OTHER_GENERATOR}' END AS status"
    " FROM drawn d JOIN problems p USING (problem_id)"
    " LEFT JOIN shares s USING (problem_id) ORDER BY d.sample_id"
)

_CUT: Final = "SELECT sample_id FROM read_parquet({samples}) WHERE finish_reason = 'length'"

Row = dict[str, Any]


def check(found: Manifest, settings: Train, reference: str) -> None:
    """Raise UsageError unless the release has what the method reads, in this split."""
    for config in CONFIGS[settings.method]:
        check_config(found, config, f"train.method {settings.method}", reference)
        splits = found.configs[config].splits
        if config != "problems" and not splits.get(settings.split):
            raise UsageError(
                f"{reference}: {config} has no rows in the split {settings.split!r}; it has "
                f"{', '.join(f'{name} ({rows:,})' for name, rows in splits.items())}. Set train.split"
            )
    _check_generators(found, settings, reference)


def _check_generators(found: Manifest, settings: Train, reference: str) -> None:
    """Raise UsageError where train.generators names one that wrote nothing here, or nobody says who wrote."""
    there = list(found.recipe["generators"]) if isinstance(found.recipe.get("generators"), dict) else []
    for name in settings.generators or ():
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            raise UsageError(
                f"train.generators: {name!r} is none of the generators of {reference}, {', '.join(there)}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
    config = CONFIGS[settings.method][0]
    missing = set(_WRITERS[config]) - {one.name for one in found.configs[config].columns}
    if settings.generators and missing:
        raise UsageError(
            f"{reference}: {config} has no column {', '.join(sorted(missing))}, which train.generators reads;"
            " leave it out, or make the release again with this version"
        )


def check_config(found: Manifest, config: str, reader: str, reference: str) -> None:
    """Raise UsageError unless the release has this config, which `reader` reads, with its columns."""
    if config not in found.configs:
        raise UsageError(
            f"{reference} has no config {config}, which {reader} reads; it has {', '.join(found.configs)}. "
            f"Add {config} to release.configs and release a new version, or take another train.method"
        )
    names = {one.name for one in found.configs[config].columns}
    if not any(needed <= names for needed in _COLUMNS[config]):
        raise UsageError(
            f"{reference}: {config} has the columns {', '.join(sorted(names))}, and training reads "
            f"{', '.join(sorted(_COLUMNS[config][0]))}. Make the release again with this version"
        )


def total(found: Manifest, settings: Train) -> int:
    """Rows of the split that the method reads, those that it leaves out too."""
    return sum(file.rows for file in _files(found, CONFIGS[settings.method][0], settings.split))


def _files(found: Manifest, config: str, split: str | None) -> list[File]:
    return [file for file in found.files_of(config) if split in (None, file.split)]


def read(
    folder: Path, found: Manifest, settings: Train, left_out: Counter[str], spill: Path
) -> Iterator[list[Row]]:
    """Batches of rows: row_id, problem_id, prompt, and completion and weight, or chosen and rejected.

    `cut` names the completions of a row that end where max_tokens cut them, and not where a text ends.
    Counts in `left_out` what is no evidence, or weighs nothing. Weights are those before their mean is made
    1. Sorting may spill into the folder `spill`.
    """
    if settings.method == "weighted":
        yield from _weighed(folder, found, settings, left_out, spill)
        return
    cut, tell = _cut(folder, found, settings), _pair if settings.method == "dpo" else _told
    config = CONFIGS[settings.method][0]
    for file in _files(found, config, settings.split):
        with pq.ParquetFile(folder / file.path) as opened:
            for batch in opened.iter_batches(batch_size=BATCH):
                rows = batch.to_pylist()
                mine = [row for row in rows if _by(row, config, settings)]
                left_out[OTHER_GENERATOR] += len(rows) - len(mine)
                yield [tell(row, cut) for row in mine]


def _by(row: Row, config: str, settings: Train) -> bool:
    """Whether a row is of the generators that are learned from; a pair is where both of its sides are."""
    wanted = settings.generators
    return wanted is None or all(row[column] in wanted for column in _WRITERS[config])


def _cut(folder: Path, found: Manifest, settings: Train) -> frozenset[str]:
    """The ids of the samples of the split that were cut."""
    files = _files(found, "samples", settings.split) if "samples" in found.configs else []
    if not files or "finish_reason" not in {one.name for one in found.configs["samples"].columns}:
        return frozenset()
    with duckdb.connect() as connection:
        asked = connection.sql(_CUT.format(samples=_listed(folder, files)))
        return frozenset(one for (one,) in asked.fetchall())


def _told(row: Row, cut: frozenset[str]) -> Row:
    if "messages" in row:
        prompt, completion = _contents(row["messages"], "user", "assistant")
    else:
        prompt, completion = row["prompt"], row["completion"]
    told = {"row_id": row["sample_id"], "problem_id": row["problem_id"], "weight": 1.0}
    ends = ["completion"] if row["sample_id"] in cut else []
    return told | {"prompt": prompt, "completion": completion, "cut": ends}


def _pair(row: Row, cut: frozenset[str]) -> Row:
    roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
    return {
        "row_id": f"{row['chosen_id']}-{row['rejected_id']}",
        "problem_id": row["problem_id"],
        "cut": [one for one in ("chosen", "rejected") if row[f"{one}_id"] in cut],
        **{
            name: row[name] if isinstance(row[name], str) else _contents(row[name], role)[0]
            for name, role in roles.items()
        },
    }


def _contents(messages: list[Mapping[str, str]], *roles: str) -> list[str]:
    """The texts of a conversation, which must be of these roles."""
    found = [one["role"] for one in messages]
    if found != list(roles):
        raise CheckFailed(
            f"a conversation of the release has the roles {', '.join(found) or 'none'}, where training reads "
            f"{', '.join(roles)}; make the release again with this version of factory"
        )
    return [one["content"] for one in messages]


def _weighed(
    folder: Path, found: Manifest, settings: Train, left_out: Counter[str], spill: Path
) -> Iterator[list[Row]]:
    """Samples that were judged, with their weight before the mean over all rows is made 1."""
    places = {
        config: _listed(folder, _files(found, config, split))
        for config, split in (("samples", settings.split), ("problems", None))
    }
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = {_quoted(spill)}")
        asked = _WEIGHED.format(**places, mine=_mine(settings))
        for batch in connection.sql(asked).to_arrow_reader(BATCH):
            rows = []
            for row in batch.to_pylist():
                judged = row["status"] in ("pass", "fail")
                weight = weight_of(row["correct"], row["share"], settings) if judged else 0.0
                if weight:
                    rows.append(row | {"weight": weight})
                else:
                    left_out[FAILED if judged else row["status"]] += 1
            yield rows


def _mine(settings: Train) -> str:
    """SQL of a sample that is of the generators that are learned from."""
    if settings.generators is None:
        return "true"
    return f"generator IN ({', '.join(map(_quoted, settings.generators))})"


def weight_of(correct: bool, share: float, settings: Train) -> float:
    """The weight of a sample of a problem of which `share` of the judged draws are correct.

    `reward`: r, 1 or 0 (arXiv 2312.06585, the M-step). `advantage`: exp((r - share) / beta), at most clip
    (arXiv 1910.00177, equation 10, with the share of correct samples as the value of the problem).
    """
    reward, weights = float(correct), settings.weights
    if weights.by == "reward":
        return reward
    return math.exp(min((reward - share) / weights.beta, math.log(weights.clip)))


def _listed(folder: Path, files: list[File]) -> str:
    return "[" + ", ".join(_quoted(folder / file.path) for file in files) + "]"


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"
