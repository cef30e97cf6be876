"""The check of a release: whatever is altered is found, and by the check whose affair it is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory import checking
from tests.support import forging
from tests.support.forging import Seal, check, edit, failed, file_of, reseal, rows, told

pytestmark = pytest.mark.usefixtures("kept_servers")

Tamper = Callable[[Path], object]


# --- releases that are whole


def test_a_release_is_whole_in_both_forms(made: dict[str, Path]) -> None:
    for folder in made.values():
        found = check(folder)
        assert [one for one in found if one.status != "ok"] == []
        assert {"digest", "keys", "splits", "lineage", "recount", "ids", "golds"} <= {
            one.check for one in found
        }


def test_what_the_hub_adds_is_left_alone(text: Path) -> None:
    (text / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (text / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (text / ".cache" / "huggingface" / "download" / "README.md.metadata").write_text("x")
    assert failed(check(text, rows=False)) == set()


def test_a_snapshot_of_the_hubs_cache_is_made_of_links_into_it(text: Path, tmp_path: Path) -> None:
    repository, shared = tmp_path / "cache" / "datasets--acme--text", tmp_path / "cache" / "blobs" / "ab"
    snapshot, blobs = repository / "snapshots" / ("a" * 40), repository / "blobs"
    snapshot.parent.mkdir(parents=True)
    blobs.mkdir()
    shared.mkdir(parents=True)
    forging.copy(text, snapshot)
    for number, path in enumerate([one for one in snapshot.rglob("*") if one.is_file()]):
        blob = blobs / str(number)
        path.rename(blob)
        path.symlink_to(os.path.relpath(blob, path.parent))
        if path.suffix == ".parquet":  # it came by Xet
            blob.rename(shared / str(number))
            blob.symlink_to(shared / str(number))
    assert failed(checking.check_folder(snapshot, {"version": "1.0.0"}, rows=False)) == set()
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to(text / "README.md")
    found = checking.check_folder(snapshot, {}, rows=False)
    assert told(found, "files") == "README.md: a link, expected a file"


def test_a_release_of_some_configs_is_checked_by_the_laws_they_can_keep(text: Path) -> None:
    kept = ("sft", "kto")

    def leave_out(content: dict[str, Any]) -> None:
        content["configs"] = {name: content["configs"][name] for name in kept}
        content["files"] = [one for one in content["files"] if one["config"] in kept]

    for path in (text / "data").iterdir():
        if path.name not in kept:
            shutil.rmtree(path)
    edit(text, leave_out)
    reseal(text, "id")
    found = check(text)
    assert failed(found) == {"card"}
    assert "configs: sft, preference, kto, rewards, samples, problems, expected sft, kto" in told(
        found, "card"
    )
    assert {one.where for one in found if one.check == "keys"} == {"sft", "kto"}
    assert not {"ids", "golds", "recount"} & {one.check for one in found}


def test_a_consistent_forgery_is_another_release(text: Path, made: dict[str, Path]) -> None:
    """What the check cannot know: who made the release. The release id tells."""

    def polish(some: forging.Rows) -> forging.Rows:
        return [row | {"completion": row["completion"].replace("apples", "pears")} for row in some]

    for config in ("samples", "sft", "kto"):
        rows(text, config, polish)
    rows(
        text,
        "preference",
        lambda some: [
            row | {name: row[name].replace("apples", "pears") for name in ("chosen", "rejected")}
            for row in some
        ],
    )
    reseal(text, "id")
    assert failed(check(text)) == set()
    assert forging.content(text)["release_id"] != forging.content(made["text"])["release_id"]


# --- files


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replaced_by_a_link(folder: Path) -> None:
    path = file_of(folder, "sft")
    outside = folder.parent / "outside.parquet"
    path.rename(outside)
    path.symlink_to(outside)


def folder_replaced_by_a_link(folder: Path) -> None:
    (folder / "data" / "kto").rename(folder.parent / "kto")
    (folder / "data" / "kto").symlink_to(folder.parent / "kto")


def a_link_to_itself(folder: Path) -> None:
    file_of(folder, "sft").unlink()
    file_of(folder, "sft").symlink_to(file_of(folder, "sft"))


def a_pipe(folder: Path) -> None:
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")


def append(path: Path, more: str) -> None:
    path.write_text(path.read_text() + more)


FILES: list[tuple[str, Tamper, set[str], str]] = [
    ("a byte", lambda it: flip(file_of(it, "sft")), {"content"}, "data/sft/train-00000-of-00001.parquet: "),
    ("cut", lambda it: os.truncate(file_of(it, "kto"), 100), {"content"}, "100 bytes, expected "),
    ("emptied", lambda it: file_of(it, "kto").write_bytes(b""), {"content"}, "0 bytes, expected "),
    ("removed", lambda it: file_of(it, "samples").unlink(), {"files"}, "missing, expected a file"),
    (
        "a file more",
        lambda it: shutil.copy(file_of(it, "sft"), it / "data/sft/more.parquet"),
        {"files"},
        "data/sft/more.parquet: file, expected nothing",
    ),
    ("a note more", lambda it: (it / "notes.txt").write_text("x"), {"files"}, "notes.txt: file, expected no"),
    ("a link out", replaced_by_a_link, {"files"}, "a link, expected a file"),
    ("a folder as link", folder_replaced_by_a_link, {"files"}, "data/kto: a link, expected nothing"),
    ("a link to itself", a_link_to_itself, {"files"}, "a link, expected a file"),
    ("a pipe", a_pipe, {"files"}, "metrics.json: no regular file, expected a file"),
    ("the card edited", lambda it: append(it / "README.md", "Better.\n"), {"content"}, "README.md: "),
    ("metrics edited", lambda it: flip(it / "metrics.json"), {"content"}, "metrics.json: "),
]


@pytest.mark.parametrize(
    ("tamper", "checks", "said"), [one[1:] for one in FILES], ids=[one[0] for one in FILES]
)
def test_an_altered_file_is_found(text: Path, tamper: Tamper, checks: set[str], said: str) -> None:
    tamper(text)
    found = check(text, rows=False)
    assert failed(found) == checks
    (name,) = checks
    assert said in told(found, name)


def test_what_rests_on_a_damaged_file_is_told_as_not_checked(text: Path) -> None:
    flip(file_of(text, "samples"))
    found = check(text)
    assert failed(found) == {"content"}
    for name in ("digest", "keys"):
        assert told(found, name) == (
            "config samples: not checked, expected its files as listed; see what failed"
        )
    assert "sft" in {one.where for one in found if one.check == "keys" and one.status == "ok"}


# --- the manifest


def raw(data: bytes) -> Tamper:
    return lambda it: (it / "manifest.json").write_bytes(data)


def put(*keys: str | int, value: Any) -> Tamper:
    """Set one value of the manifest."""

    def change(content: dict[str, Any]) -> None:
        at: Any = content
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value

    return lambda it: edit(it, change)


def manifest_gone(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def manifest_a_folder(folder: Path) -> None:
    manifest_gone(folder)
    (folder / "manifest.json").mkdir()


UNREADABLE: list[tuple[str, Tamper, str]] = [
    ("gone", manifest_gone, "No such file"),
    ("a folder", manifest_a_folder, "it is no file"),
    ("no JSON", raw(b'{"format": 2,'), "a JSON file that can be read"),
    ("empty", raw(b""), "Expecting value"),
    ("no UTF-8", raw(b'{"format": 2, "name": "\xff"}'), "can't decode byte 0xff"),
    ("NaN", raw(b'{"format": NaN}'), "NaN is no number in JSON"),
    ("a key twice", raw(b'{"format": 2, "format": 3}'), "the key format stands twice"),
    ("nested", raw(b"[" * 100_000), "it is nested too deeply"),
    ("a number of 5000 digits", raw(b'{"format": ' + b"9" * 5000 + b"}"), "limit"),
    ("a list", raw(b"[1, 2]"), "[1, 2], expected an object"),
    ("format 1", put("format", value=1), "format: 1, expected format 2"),
    ("format true", put("format", value=True), "format: True, expected format 2"),
    ("format as text", put("format", value="2"), "format: 2, expected format 2"),
    ("rows as text", put("files", 0, "rows", value="20"), "files.0.rows: 20, expected Input should be a"),
    ("rows true", put("files", 0, "rows", value=True), "files.0.rows: True, expected Input should be a"),
    ("rows below 0", put("files", 0, "rows", value=-1), "files.0.rows: -1, expected Input should be gr"),
    ("rows beyond 64 bits", put("files", 0, "rows", value=2**80), "files.0.rows: 12089258196146291747"),
    ("half a row", put("configs", "sft", "rows", value=1.5), "configs.sft.rows: 1.5, expected Input should"),
    ("a short digest", put("files", 0, "sha256", value="abc"), "files.0.sha256: abc, expected String sh"),
    ("no files", put("files", value=[]), "files: [], expected List should have at least 1 item"),
    ("files null", put("files", value=None), "files: None, expected Input should be a valid list"),
    ("no configs", put("configs", value={}), "configs: {}, expected Dictionary should have at least 1 item"),
    ("counts as list", put("counts", value=[]), "counts: [], expected Input should be a valid dictionary"),
    ("version 1.0", put("version", value="1.0"), "version: 1.0, expected String should match"),
    ("a lone surrogate", put("name", value="\ud800"), "name: \\ud800, expected"),
    ("up", put("documents", 0, "path", value="../../secret"), "path: ../../secret, expected a path inside"),
    (
        "up within",
        put("files", 0, "path", value="data/../../x"),
        "path: data/../../x, expected a path inside",
    ),
    ("absolute", put("documents", 0, "path", value="/etc/passwd"), "path: /etc/passwd, expected a path ins"),
    ("empty part", put("documents", 0, "path", value="a//b"), "path: a//b, expected a path inside"),
    ("backslash", put("documents", 0, "path", value="..\\x"), "path: ..\\x, expected a path inside"),
    ("a NUL", put("documents", 0, "path", value="a\0b"), "path: a\\x00b, expected a path inside"),
    ("itself", put("documents", 0, "path", value="manifest.json"), "path: manifest.json, expected a path"),
    ("twice", put("documents", 0, "path", value="metrics.json"), "metrics.json: listed twice, expected each"),
    (
        "another name",
        put("files", 0, "path", value="data/sft/other.parquet"),
        "sft/train: data/sft/other.parquet, expected data/sft/train-00000-of-00001.parquet",
    ),
    (
        "a config without files",
        put("files", 0, "config", value="kto"),
        "files for each config, and none else",
    ),
    ("escapes for terminals", put("documents", 0, "path", value="\x1b[2J"), "path: \\x1b[2J, expected"),
]


@pytest.mark.parametrize(
    ("tamper", "said"), [one[1:] for one in UNREADABLE], ids=[one[0] for one in UNREADABLE]
)
def test_a_manifest_that_is_none_is_told_and_nothing_else_is_tried(
    text: Path, tamper: Tamper, said: str
) -> None:
    tamper(text)
    found = check(text)
    assert {(one.check, one.status) for one in found} == {("manifest", "failed")}
    assert said in told(found, "manifest")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.data(), JSON)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_anywhere_in_a_manifest_gives_findings(text: Path, data: st.DataObject, value: Any) -> None:
    kept = text.parent / "kept.json"
    if not kept.exists():
        shutil.copyfile(text / "manifest.json", kept)
    content = json.loads(kept.read_text())
    at: Any = content
    for _ in range(4):
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = value
    forging.store(text, content)
    found = check(text, rows=False)
    assert found
    assert all(isinstance(one.found, str) and one.found.isprintable() for one in found)


def of_another_release(folder: Path) -> None:
    edit(folder, lambda content: content.update(version="1.0.1"))


CONTENT: list[tuple[str, Tamper, Seal, set[str], str]] = [
    (
        "release id",
        put("release_id", value="0" * 64),
        "nothing",
        {"identity", "mark", "card"},
        "release_id: 0",
    ),
    ("recipe digest", put("recipe_digest", value="0" * 64), "nothing", {"identity"}, "recipe_digest: 000"),
    ("recipe", put("recipe", "description", value="x"), "nothing", {"identity"}, "recipe_digest: "),
    ("recipe's name", put("recipe", "name", value="x"), "id", {"identity"}, "recipe.name: x, expected sums"),
    ("lock", put("lock", "verifiers", value=[]), "nothing", {"identity"}, "release_id: "),
    ("name", put("name", value="other"), "id", {"identity"}, "name: other, expected sums"),
    ("version", of_another_release, "id", {"identity", "card"}, "version: 1.0.1, expected 1.0.0"),
    (
        "schema's meaning",
        put("configs", "sft", "schema", 0, "description", value="x"),
        "nothing",
        {"identity"},
        "release_id: ",
    ),
    (
        "type",
        put("configs", "sft", "schema", 0, "type", value="int32"),
        "id",
        {"schema"},
        "string, expected int32",
    ),
    (
        "nullable",
        put("configs", "sft", "schema", 0, "nullable", value=True),
        "id",
        {"schema"},
        "prompt: string, expected string or null",
    ),
    (
        "a column's name",
        put("configs", "sft", "schema", 0, "name", value="question"),
        "id",
        {"schema"},
        "prompt, completion, sample_id, problem_id, source, generator, expected question, completion",
    ),
    (
        "kept",
        put("counts", "selection", "kept", value=21),
        "nothing",
        {"counts", "recount"},
        "samples selected",
    ),
    (
        "asked",
        put("counts", "problems", "asked", value=13),
        "nothing",
        {"counts", "recount"},
        "rows of problems",
    ),
    ("present", put("counts", "samples", "present", value=95), "nothing", {"counts"}, "samples judged: 96"),
    ("a stage", put("counts", "verdicts", value={}), "nothing", {"counts", "recount"}, "samples judged: 0"),
    (
        "budget",
        put("recipe", "budget", "per_problem", "samples", value=5),
        "id",
        {"counts"},
        "samples planned: 96, expected 120",
    ),
    ("rows of a config", put("configs", "kto", "rows", value=3), "nothing", {"counts"}, "config kto: 3 rows"),
    (
        "rows of a split",
        put("configs", "kto", "splits", value={"train": 1}),
        "nothing",
        {"counts", "card"},
        "splits",
    ),
    (
        "rows of a file",
        put("files", 0, "rows", value=19),
        "nothing",
        {"rows", "counts"},
        "config sft: splits",
    ),
    (
        "content digest",
        put("configs", "sft", "content_digest", value="1" * 64),
        "nothing",
        {"identity", "digest"},
        "release_id: ",
    ),
]


@pytest.mark.parametrize(
    ("tamper", "seal", "checks", "said"), [one[1:] for one in CONTENT], ids=[one[0] for one in CONTENT]
)
def test_a_manifest_that_is_not_true_is_found(
    text: Path, tamper: Tamper, seal: Seal, checks: set[str], said: str
) -> None:
    tamper(text)
    reseal(text, seal)
    found = check(text, rows=bool(checks & {"recount", "digest"}))
    assert failed(found) == checks
    assert said in " / ".join(told(found, name) for name in checks)


def test_a_release_without_a_card_is_none(text: Path) -> None:
    (text / "README.md").unlink()

    def unlist(content: dict[str, Any]) -> None:
        content["documents"] = [one for one in content["documents"] if one["path"] != "README.md"]

    edit(text, unlist)
    found = check(text, rows=False)
    assert failed(found) == {"card"}
    assert told(found, "card") == "README.md: not listed, expected a card, which tells loaders the configs"


def test_the_manifest_of_another_release_is_found(text: Path, made: dict[str, Path]) -> None:
    shutil.copyfile(made["messages"] / "manifest.json", text / "manifest.json")
    found = check(text, rows=False)
    assert "version: 2.0.0, expected 1.0.0" in told(found, "identity")
    assert "data/kto/test-00000-of-00001.parquet: missing, expected a file" in told(found, "files")
    assert failed(found) == {"identity", "files", "content"}
