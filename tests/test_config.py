"""Reading a file as a type: overrides, places, and the words of every kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from factory import config
from factory.errors import UsageError
from factory.sections import NotYet, RecipePath, Section


class Cat(Section):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)] = 9
    home: RecipePath | None = None


class Dog(Section):
    kind: Literal["dog"]
    tricks: tuple[str, ...] = ()
    weight: Annotated[float, Field(gt=0, lt=100)] = 10.0


Animal = Annotated[Cat | Dog, Field(discriminator="kind")]


class Zoo(Section):
    name: str
    open: bool = True
    animals: Annotated[tuple[Animal, ...], Field(min_length=1)]
    by_name: Mapping[str, Animal] = Field(default_factory=dict)
    size: Literal["small", "large"] = "small"
    tickets: NotYet = None


GOOD = """\
name: city
animals:
  - {kind: cat, home: barn/loft}
  - kind: dog
    tricks: [sit, roll]
    weight: 4
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path()


def load(folder: Path, text: str | bytes, *overrides: str) -> Zoo:
    path = folder / "zoo.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.load(path, Zoo, overrides)


def refused(folder: Path, text: str | bytes, *overrides: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(folder, text, *overrides)
    return str(caught.value).splitlines()


def test_lists_paths_and_whole_numbers_are_taken_as_written(folder: Path) -> None:
    zoo = load(folder, GOOD)
    cat, dog = zoo.animals
    assert cat == Cat(kind="cat", home=Path("barn/loft"))
    assert dog == Dog(kind="dog", tricks=("sit", "roll"), weight=4.0)
    assert isinstance(dog, Dog)
    assert type(dog.weight) is float


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "nam: x",
            "zoo.yaml:7: nam is not a key here; did you mean name? Keys allowed: "
            "name, open, animals, by_name, size",
        ),
        ("zebra: x", "zoo.yaml:7: zebra is not a key here; Keys allowed: name, open, animals, by_name, size"),
        ("open: no", "zoo.yaml:7: open: 'no' is not true or false"),
        ("open: 1", "zoo.yaml:7: open: 1 is not true or false"),
        (
            "size: Large",
            "zoo.yaml:7: size: 'Large' is not allowed; did you mean large? Allowed: small, large",
        ),
        ("size: 7", "zoo.yaml:7: size: 7 is not allowed; Allowed: small, large"),
        ("size:\n  tiny", "zoo.yaml:8: size: 'tiny' is not allowed; Allowed: small, large"),
        ("tickets: 3", "zoo.yaml:7: tickets: not yet supported by this version of factory; leave it out"),
        ("by_name: 3", "zoo.yaml:7: by_name: 3 is not a section; write keys and values, as in {key: value}"),
        (
            "by_name: {a: 3}",
            "zoo.yaml:7: by_name.a: 3 is not a section; write keys and values, as in {key: value}",
        ),
        ("by_name: {a: {}}", "zoo.yaml:7: by_name.a.kind is missing; add it with one of: cat, dog"),
        (
            "by_name: {a: {kind: cta}}",
            "zoo.yaml:7: by_name.a.kind: 'cta' is not allowed; did you mean cat? Allowed: cat, dog",
        ),
        (
            "by_name: {cat: {kind: cat, lives: four}}",
            "zoo.yaml:7: by_name.cat.lives: 'four' is not an integer; write a whole number such as 4",
        ),
        (
            "by_name: {a: {kind: cat, lives: true}}",
            "zoo.yaml:7: by_name.a.lives: true is not an integer; write a whole number such as 4",
        ),
        (
            "by_name: {a: {kind: cat, lives: 2.0}}",
            "zoo.yaml:7: by_name.a.lives: 2.0 is not an integer; write a whole number such as 4",
        ),
        (
            "by_name: {a: {kind: cat, lives: 10}}",
            "zoo.yaml:7: by_name.a.lives: 10 is out of range; write at most 9",
        ),
        (
            "by_name: {a: {kind: dog, weight: 0}}",
            "zoo.yaml:7: by_name.a.weight: 0 is out of range; write more than 0",
        ),
        (
            "by_name: {a: {kind: dog, weight: heavy}}",
            "zoo.yaml:7: by_name.a.weight: 'heavy' is not a number; write one such as 0.7",
        ),
        (
            "by_name: {a: {kind: dog, weight: false}}",
            "zoo.yaml:7: by_name.a.weight: false is not a number; write one such as 0.7",
        ),
        (
            "by_name: {a: {kind: dog, tricks: sit}}",
            "zoo.yaml:7: by_name.a.tricks: 'sit' is not a list; write [one, two]",
        ),
        (
            "by_name:\n  a:\n    kind: dog\n    tricks:\n      - sit\n      - 5",
            "zoo.yaml:12: by_name.a.tricks.1: 5 is not text; write text, in quotes "
            "where it looks like something else",
        ),
        (
            "by_name:\n  a:\n    kind: dog\n    triks: []",
            "zoo.yaml:10: by_name.a.triks is not a key here; did you mean tricks? Keys allowed: "
            "kind, tricks, weight",
        ),
    ],
)
def test_an_error_names_place_key_value_and_what_is_allowed(folder: Path, line: str, expected: str) -> None:
    assert refused(folder, GOOD + line) == [expected]


def test_errors_are_told_together_in_the_order_of_the_file(folder: Path) -> None:
    text = "size: tiny\nanimals:\n  - {kind: cat, lives: 0}\n  - {kind: fox}\nopne: true\n"
    assert [line.partition(";")[0] for line in refused(folder, text)] == [
        "zoo.yaml:1: name is missing",
        "zoo.yaml:1: size: 'tiny' is not allowed",
        "zoo.yaml:3: animals.0.lives: 0 is out of range",
        "zoo.yaml:4: animals.1.kind: 'fox' is not allowed",
        "zoo.yaml:5: opne is not a key here",
    ]


def test_an_empty_list_and_a_list_of_mistakes_are_two_things(folder: Path) -> None:
    assert refused(folder, "name: a\nanimals: []") == ["zoo.yaml:2: animals: is empty; write at least 1"]
    assert refused(folder, "name: a\nanimals: [5]") == [
        "zoo.yaml:2: animals.0: 5 is not a section; write keys and values, as in {key: value}"
    ]


def test_of_many_errors_the_first_are_told_and_the_rest_counted(folder: Path) -> None:
    lines = refused(folder, GOOD + "".join(f"key{n}: 1\n" for n in range(config.MAX_ERRORS + 5)))
    assert len(lines) == config.MAX_ERRORS + 1
    assert lines[-1] == "and 5 more; correct these first"


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (("name=town",), {"name": "town"}),
        (("name = 'a=b'",), {"name": "a=b"}),
        (("open=false", "open=true"), {"open": True}),
        (("animals.1.weight=5",), {"animals": ({}, {"weight": 5.0})}),
        (("animals.0={kind: dog, tricks: [beg]}",), {"animals": ({"kind": "dog", "tricks": ("beg",)}, {})}),
        (("by_name.x.kind=cat", "by_name.x.lives=1"), {"by_name": {"x": {"kind": "cat", "lives": 1}}}),
        (
            ("by_name={smol-1.7b: {kind: cat}}", "by_name.smol-1.7b.lives=2"),
            {"by_name": {"smol-1.7b": {"lives": 2}}},
        ),
        (("size=large",), {"size": "large"}),
    ],
)
def test_overrides_change_what_they_name(
    folder: Path, overrides: tuple[str, ...], found: dict[str, object]
) -> None:
    def holds(whole: object, part: object) -> bool:
        if isinstance(part, dict):
            assert isinstance(whole, dict)
            return all(holds(whole[key], value) for key, value in part.items())
        if isinstance(part, tuple) and isinstance(whole, tuple):
            return len(whole) == len(part) and all(map(holds, whole, part))
        return whole == part

    assert holds(load(folder, GOOD, *overrides).model_dump(), found)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("name", "--set name: write it as key.path=value, as in budget.per_problem.samples=8"),
        ("=3", "--set =3: write it as key.path=value, as in budget.per_problem.samples=8"),
        ("a..b=3", "--set a..b=3: write it as key.path=value, as in budget.per_problem.samples=8"),
        ("name.first=x", "--set name.first: there is no first inside 'city'; set the whole section instead"),
        ("animals.2.kind=cat", "--set animals.2.kind: 2 is no place in a list of 2; count from 0 to 1"),
        ("animals.-1.kind=cat", "--set animals.-1.kind: -1 is no place in a list of 2; count from 0 to 1"),
        ("animals.first=cat", "--set animals.first: first is no place in a list of 2; count from 0 to 1"),
        (
            "nmae.first=x",
            "--set nmae.first: nmae is not a key here; did you mean name? Keys allowed: "
            "name, open, animals, by_name, size",
        ),
        (
            "animals.0.lives=no",
            "--set animals.0.lives: 'no' is not an integer; write a whole number such as 4",
        ),
        (
            "animals.0={kind: cat, lifes: 3}",
            "--set animals.0: animals.0.lifes is not a key here; did you mean lives? "
            "Keys allowed: kind, lives, home",
        ),
        (
            "by_name.x.lives=3",
            "--set by_name.x.lives: by_name.x.kind is missing; add it with one of: cat, dog",
        ),
        (
            "animals.0.kind=dog",
            "zoo.yaml:3: animals.0.home is not a key here; Keys allowed: kind, tricks, weight",
        ),
        ("name=!x 1", "--set name: the tag '!x' is not allowed; write plain text, numbers, lists and keys"),
        ("name=>= 0.2", "--set name: this is not YAML: "),
    ],
)
def test_a_wrong_override_is_named_as_it_was_given(folder: Path, override: str, expected: str) -> None:
    (line,) = refused(folder, GOOD, override)
    assert line.startswith(expected)
    assert line == expected or expected.endswith("YAML: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "zoo.yaml: is empty; it needs the keys name, animals"),
        ("# later\n", "zoo.yaml: is empty; it needs the keys name, animals"),
        (
            "\n- a\n",
            "zoo.yaml:2: a list where keys are expected; write key: value, with the keys name, animals",
        ),
        ("text", "zoo.yaml:1: 'text' where keys are expected; write key: value, with the keys name, animals"),
        (b"name: x\n\xff\n", "zoo.yaml:2: is not UTF-8 text; save it as UTF-8"),
        ("name: x\x00", "zoo.yaml:1: the character '\\x00' cannot stand in YAML; take it out"),
        (
            b"#" * (config.MAX_BYTES + 1),
            "zoo.yaml: has more than 1000000 bytes; name a YAML file of keys, not of data",
        ),
        ("name: a\nname: b", "zoo.yaml:2: the key name is given twice, first in line 1; keep one of them"),
    ],
    ids=["empty", "comment", "list", "text", "latin-1", "nul", "large", "duplicate"],
)
def test_a_file_that_holds_no_keys(folder: Path, content: str | bytes, expected: str) -> None:
    assert refused(folder, content) == [expected]


def test_a_byte_order_mark_is_no_part_of_the_text(folder: Path) -> None:
    assert load(folder, b"\xef\xbb\xbf" + GOOD.encode()).name == "city"


def test_a_file_that_is_not_there_names_its_neighbours(folder: Path) -> None:
    def told() -> str:
        with pytest.raises(UsageError) as caught:
            config.load(Path("zoo.yaml"), Zoo)
        return str(caught.value)

    assert told() == "zoo.yaml: there is no such file; check the folder"
    Path("quickstart.yml").touch()
    assert told() == "zoo.yaml: there is no such file; in . there are: quickstart.yml"
    Path("zoos.yaml").touch()
    assert told() == "zoo.yaml: there is no such file; did you mean zoos.yaml?"


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^\.: cannot be read: Is a directory; name a YAML file$"):
        config.load(folder, Zoo)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("temprature", "temperature"), ("TOP_K", "top_k"), ("banana", None), ("", None), ("topk", "top_k")],
)
def test_nearest(word: str, expected: str | None) -> None:
    assert config.nearest(word, ["temperature", "top_p", "top_k"]) == expected
    assert config.nearest(word, []) is None
