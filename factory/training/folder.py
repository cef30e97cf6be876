"""The folder of a trained model: what it says of itself beside weights, config and tokenizer.

Guarantees: `training.json` holds everything that the weights depend on and what the training did; it is read
with the types of this format, or refused. `trained_on.parquet` lists every problem that the model, or one
it started from, was trained on, each once and in one order. Left out: how a model is trained (`run.py`), its
card (`factory/loop/model_card.py`), and whether the weights are still those that were trained, for which
somebody takes their digest again (`factory/loop/fine_tuning.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factory.errors import CheckFailed

FORMAT: Final = 1
RECORD: Final = "training.json"
TRAINED_ON: Final = "trained_on.parquet"
CURVE: Final = "loss.png"

ASKED: Final = pa.schema([("problem_id", pa.string()), ("prompt", pa.string())])
"""A problem that is trained on, as its source words it."""

Kind = Literal["trained", "new"]


class _Typed(BaseModel):
    """Keys with their types; further ones are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Named(_Typed):
    reference: str


class _Base(_Typed):
    hub: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")] | None


class _Earlier(_Typed):
    """A model in a lineage."""

    kind: Kind
    name: str
    release: _Named


class _Record(_Typed):
    """What every training.json of this format has."""

    factory_model: Literal[1]
    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=300)]
    training_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    weights: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    identity: dict[str, Any]
    lineage: list[_Earlier]
    release: _Named
    base: _Base | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A model that this program made: `trained` on a release, or `new` with random weights.

    `training_id` is the id of all that its weights depend on (`identity`), `weights` the digest of what they
    became; `content` is all of training.json, `lineage` in it the models it started from, the nearest first.
    """

    folder: Path
    kind: Kind
    name: str
    training_id: str
    weights: str
    identity: Mapping[str, Any]
    content: Mapping[str, Any]


def read(folder: Path) -> TrainedModel | None:
    """The model in `folder`, or None where no training of this program wrote it.

    Raises CheckFailed when its training.json cannot be read, or is of another format.
    """
    path = folder / RECORD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckFailed(
            f"{path} cannot be read ({error}), so nobody can tell what this model was trained on. Put a good "
            "copy in its place, or remove the folder and train again"
        ) from error
    if not isinstance(content, dict) or "factory_model" not in content:
        return None  # another program's file of that name
    try:
        found = _Record.model_validate(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CheckFailed(
            f"{path}: {place}: {error.errors()[0]['msg']}; this factory reads format {FORMAT}. Use the "
            "factory that trained it, or remove the folder and train again"
        ) from None
    return TrainedModel(
        folder, found.kind, found.name, found.training_id, found.weights, found.identity, content
    )


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write training.json: sorted, indented, strict JSON; the same content gives the same bytes."""
    text = json.dumps(
        {"factory_model": FORMAT, **content}, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def check(base: Path) -> None:
    """Raise CheckFailed where the folder of a base says something of its training that cannot be read."""
    read(base)
    if (base / TRAINED_ON).is_file():
        _check(base / TRAINED_ON)


def lineage(base: TrainedModel | None) -> list[dict[str, Any]]:
    """What training.json of a model that starts from `base` says of the models before it."""
    if base is None:
        return []
    told = {
        key: base.content.get(key) for key in ("kind", "name", "training_id", "weights", "release", "base")
    }
    return [told, *base.content["lineage"]]


def write_trained_on(asked: Path, base: Path | None, target: Path) -> int:
    """Write `target`: the problems of `asked` (a Parquet file of ASKED) and those of the folder `base`.

    Each problem stands once, in the order of the ids. Returns how many there are. Raises CheckFailed where
    the list of the base cannot be read.
    """
    sources = [asked]
    if base is not None and (base / TRAINED_ON).is_file():
        _check(base / TRAINED_ON)
        sources.append(base / TRAINED_ON)
    listed = ", ".join(_quoted(path) for path in sources)
    query = (
        f"SELECT problem_id, min(prompt) AS prompt FROM read_parquet([{listed}])"
        " GROUP BY problem_id ORDER BY problem_id"
    )
    number = 0
    with duckdb.connect() as connection, pq.ParquetWriter(target, ASKED, compression="zstd") as writer:
        connection.execute(f"SET temp_directory = {_quoted(asked.parent / 'spill')}")
        for batch in connection.sql(query).to_arrow_reader(10_000):
            writer.write_table(pa.Table.from_batches([batch]).cast(ASKED))
            number += batch.num_rows
    return number


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _check(path: Path) -> None:
    try:
        found = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise CheckFailed(
            f"{path} is not a whole Parquet file ({error}), so nobody can tell what the base was trained on. "
            "Put a good copy in its place"
        ) from error
    if not found.equals(ASKED):
        raise CheckFailed(
            f"{path} has the columns {', '.join(f'{one.name} {one.type}' for one in found)}, expected "
            f"{', '.join(f'{one.name} {one.type}' for one in ASKED)}. Put a good copy in its place"
        )
