"""The audit's server as a process: what it answers, to whom, and what is left after a kill."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from factory.auditing import server, standing, subject
from factory.auditing.desk import Desk
from factory.cli import app
from factory.errors import CheckFailed, UsageError
from factory.progress import Silent
from factory.records import LABELS
from factory.store import Store
from tests.support.auditing import (
    GENERATORS,
    HIDDEN,
    MARKUP,
    Answer,
    Audit,
    ask,
    audit,
    copied,
    locked,
    stored,
)


@pytest.fixture(scope="module")
def running(store: Store) -> Iterator[Audit]:
    with audit(store.root.parent, annotator="ann") as one:
        yield one


def label(running: Audit, number: int, word: str, note: str = "") -> dict[str, Any]:
    answer = ask(f"{running.address}items/{number}/label", {"label": word, "note": note})
    assert answer.status == 200, answer.body
    told: dict[str, Any] = answer.json
    return told


def everything(running: Audit) -> list[Answer]:
    """All that the page can be told."""
    number = ask(f"{running.address}state").json["items"]
    paths = ["", "page.js", "page.css", "state", "none", "items/0"]
    paths += [f"items/{place}{more}" for place in range(1, number + 1) for more in ("", "/gold")]
    return [ask(running.address + path) for path in paths]


# --- what is served ------------------------------------------------------------------------------------


def test_an_item_is_its_problem_and_its_steps(running: Audit) -> None:
    items = [ask(f"{running.address}items/{number}").json for number in range(1, 13)]
    assert {one["number"] for one in items} == set(range(1, 13))
    assert set(items[0]) == {"number", "problem", "steps", "code", "has_gold", "label", "note"}
    plain = next(one for one in items if len(one["steps"]) == 3 and "First" in str(one["steps"]))
    assert plain["steps"][0]["number"] == 1
    assert plain["steps"][0]["parts"][0] == ["First ", False]
    assert plain["steps"][0]["parts"][1][1] is True


def test_the_gold_answer_is_told_on_demand_alone(running: Audit) -> None:
    assert ask(f"{running.address}items/1/gold").json["gold"].isdigit()
    assert "gold" not in ask(f"{running.address}items/1").json


def test_hostile_text_goes_out_as_json_with_what_is_unseen_shown(running: Audit) -> None:
    answers = [ask(f"{running.address}items/{number}") for number in range(1, 13)]
    assert {one.headers["content-type"] for one in answers} == {"application/json"}
    shown = "".join(
        "".join(part for part, _ in step["parts"]) for one in answers for step in one.json["steps"]
    )
    assert MARKUP in shown
    assert "⟨U+202E⟩" in shown
    assert not any(sign in shown for sign in "\u202e\u200b\x1b\x07")


def test_nothing_tells_the_model_the_verdict_or_the_stratum(running: Audit, store: Store) -> None:
    tables = [store.dataset(name).to_table().to_pylist() for name in ("samples", "verdicts")]
    ids = {row[key] for rows in tables for row in rows for key in row if key.endswith("_id")}
    told = b"".join(one.body + str(dict(one.headers)).encode() for one in everything(running)).decode()
    told += running.address
    assert not [word for word in (*HIDDEN, *ids, "replay", "verdict") if word in told]


def test_the_page_is_locked_up(running: Audit) -> None:
    for one in everything(running):
        policy = one.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["cache-control"] == "no-store"
        assert one.headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in one.headers
    page = ask(running.address).body.decode()
    assert "http" not in page.replace("http-equiv", "")
    assert "<style" not in page
    assert " style=" not in page
    assert " on" not in page.replace(" on the", "").replace(" only", "").replace(" one", "").replace(
        " on a", ""
    )


# --- who is answered -----------------------------------------------------------------------------------


def test_it_listens_on_this_machine_alone(running: Audit) -> None:
    port = urlsplit(running.address).port
    assert port is not None
    own = socket.gethostbyname_ex(socket.gethostname())[2]
    for address in (one for one in own if not one.startswith("127.")):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port), timeout=5)


@pytest.mark.parametrize(
    "path", ["", "state", "page.js", "x" * 32 + "/", "x" * 32 + "/items/1", "é/", "..;/"]
)
def test_without_the_token_there_is_nothing(running: Audit, path: str) -> None:
    origin = running.address.rsplit("/", 2)[0]
    answer = ask(f"{origin}/{path.encode().hex() if path == 'é/' else path}")
    assert (answer.status, answer.json["error"][:21]) == (404, "there is nothing here")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "[::1]:{port}", ""])
def test_a_page_whose_name_was_pointed_here_is_refused(running: Audit, host: str) -> None:
    port = urlsplit(running.address).port
    answer = ask(f"{running.address}state", Host=host.format(port=port))
    assert answer.status in (400, 421)  # 400: an empty host is no HTTP at all


def test_localhost_is_this_machine_too(running: Audit) -> None:
    port = urlsplit(running.address).port
    assert ask(f"{running.address}state", Host=f"localhost:{port}").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://{host}"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_page_cannot_label(
    running: Audit, store: Store, headers: dict[str, str], status: int
) -> None:
    where = urlsplit(running.address)
    sent = {name: value.format(host=where.netloc, port=where.port) for name, value in headers.items()}
    before = stored(store)
    answer = ask(f"{running.address}items/1/label", {"label": "wrong"}, **sent)
    assert answer.status == status
    assert stored(store) == before


def test_a_label_without_an_origin_is_refused(running: Audit) -> None:
    where = urlsplit(running.address)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=60)
    connection.request("POST", f"{where.path}items/1/label", b"{}", {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]) == (403, "the request comes from another page")
    connection.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("items/1/label", {"label": "maybe"}, 400, "no label: right, wrong or unsure"),
        ("items/1/label", {"note": "x"}, 400, "'label'"),
        ("items/1/label", [1], 400, "that is no label"),
        ("items/1/label", b"{", 400, "that is no label"),
        ("items/1/label", b"[" * 60_000, 400, "that is no label"),
        ("items/1/label", {"label": "right", "note": "x" * 70_000}, 413, "at most 65,536 bytes"),
        ("items/99/label", {"label": "right"}, 404, "there is no such item"),
        ("items/0/label", {"label": "right"}, 404, "there is no such item"),
    ],
)
def test_what_is_no_label_is_refused(
    running: Audit, store: Store, path: str, body: object, status: int, word: str
) -> None:
    before = stored(store)
    answer = ask(running.address + path, body)
    assert (answer.status, word in answer.json["error"]) == (status, True), answer.body
    assert stored(store) == before


@pytest.mark.parametrize(("path", "method"), [("state", "POST"), ("items/1", "DELETE"), ("", "PUT")])
def test_other_methods_do_nothing(running: Audit, path: str, method: str) -> None:
    assert ask(running.address + path, {}, method).status == 405


@pytest.mark.parametrize(
    "path",
    ["items/-1", "items/x", "items/" + "9" * 5000, "static/page.html", "../pyproject.toml", "page.html"],
)
def test_other_paths_are_not_there(running: Audit, path: str) -> None:
    assert ask(running.address + path).status == 404


# --- labels --------------------------------------------------------------------------------------------


def test_two_people_label_the_same_solutions_without_seeing_each_other(tmp_path: Path, judged: Store) -> None:
    own = copied(judged, tmp_path)
    found = subject.find(str(tmp_path / "recipe.yaml"), (), own, None, Silent())
    ann = Desk(own, found.items, "ann", "test")
    for number in range(1, 13):
        ann.label(number, "right" if number < 11 else "wrong", "a note of hers" if number == 1 else "")
    with audit(tmp_path, annotator="bob") as bob:
        order = [ask(f"{bob.address}items/{n}").json["steps"] for n in range(1, 13)]
        assert order != [ann.item(n)["steps"] for n in range(1, 13)]
        assert sorted(map(str, order)) == sorted(str(ann.item(n)["steps"]) for n in range(1, 13))
        told = b"".join(one.body for one in everything(bob)).decode()
        assert '"ann"' not in told
        assert "note of hers" not in told
        assert ask(f"{bob.address}state").json == {"items": 12, "labels": {}, "waiting": 0}
        for number in range(1, 7):
            label(bob, number, "unsure")
        code, out, _ = bob.end(signal.SIGTERM)
    out = " ".join(out.split())
    assert code == 0
    assert "6 labels given by bob." in out
    assert "12 of 12 solutions, drawn from" in out
    assert "Agreement on 6 solutions: 0.000" in out
    assert "Next: factory run recipe.yaml" in out
    assert {(one["annotator"], set(one) == set(LABELS.names)) for one in stored(own)} == {
        ("ann", True),
        ("bob", True),
    }
    now = standing.of(found, own)
    assert now["annotators"]["ann"] == {"right": 10, "wrong": 2, "unsure": 0}
    assert (now["labelled"], now["agreement"]["items"], now["agreement"]["kappa_name"]) == (12, 6, "cohen")


def test_who_labels_again_adds_a_row_and_the_last_word_is_shown(running: Audit, store: Store) -> None:
    before = len(stored(store))
    label(running, 3, "wrong", "step 1")
    told = label(running, 3, "right", " it holds after all ")
    assert (told["label"], told["note"], told["waiting"]) == ("right", "it holds after all", 0)
    assert told["labels"]["3"] == "right"
    assert [one["label"] for one in stored(store)[before:]] == ["wrong", "right"]
    item = ask(f"{running.address}items/3").json
    assert (item["label"], item["note"]) == ("right", "it holds after all")


def test_while_a_run_writes_the_store_labels_wait_and_then_go_in(tmp_path: Path, judged: Store) -> None:
    own = copied(judged, tmp_path)
    with audit(tmp_path) as one:
        with locked(own, "factory run secret-recipe.yaml"):
            assert label(one, 1, "right")["waiting"] == 1
            assert label(one, 2, "wrong")["waiting"] == 2
            told = ask(f"{one.address}state")
            assert told.json == {"items": 12, "labels": {"1": "right", "2": "wrong"}, "waiting": 2}
            assert b"secret" not in told.body  # the command of another may name models
            assert stored(own) == []
        while ask(f"{one.address}state").json["waiting"]:
            pass  # the server tries again by itself; pytest ends a test that waits for ever
        assert [row["label"] for row in stored(own)] == ["right", "wrong"]
        with locked(own, "factory run recipe.yaml"):
            label(one, 3, "unsure")
            code, out, _ = one.end()
    assert code == 0
    assert "3 labels given by ann. 1 of them wait on the disk" in " ".join(out.split())
    assert "is being written by process" in out


def test_a_kill_loses_no_label_that_was_answered(tmp_path: Path, judged: Store) -> None:
    own = copied(judged, tmp_path)
    with audit(tmp_path) as one:
        label(one, 1, "right")
        with locked(own, "factory run recipe.yaml"):
            label(one, 2, "wrong", "on the disk")
            assert one.end(signal.SIGKILL)[0] == -signal.SIGKILL
    found = subject.find(str(tmp_path / "recipe.yaml"), (), own, None, Silent())
    again = Desk(own, found.items, "ann", "test")
    assert again.state() == {"items": 12, "labels": {"1": "right", "2": "wrong"}, "waiting": 1}
    assert again.item(2)["note"] == "on the disk"
    assert again.commit() is None
    assert [row["label"] for row in stored(own)] == ["right", "wrong"]


# --- the command ---------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told() -> None:
    with server.listen(0) as taken:
        address, port = taken.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(UsageError, match=rf"--port {port} cannot be had on 127.* \(address already"):
            server.listen(port)


@pytest.mark.parametrize(
    ("target", "overrides", "error", "word"),
    [
        ("none.yaml", (), UsageError, "none.yaml: there is no such recipe"),
        ("none@1.0.0", (), UsageError, "has no release none@1.0.0"),
        ("none", (), UsageError, "'none' names no release"),
        ("audited@1.0.0", ("version=2.0.0",), UsageError, "a release never changes"),
        ("RECIPE", ("verify.decides=arithmetic",), CheckFailed, "holds no accepted sample of this recipe"),
    ],
)
def test_what_cannot_be_audited_is_told(
    store: Store, target: str, overrides: tuple[str, ...], error: type[Exception], word: str
) -> None:
    named = str(store.root.parent / "recipe.yaml") if target == "RECIPE" else target
    with pytest.raises(error, match=word):
        subject.find(named, overrides, store, None, Silent())


def test_the_group_has_help_of_its_own_and_of_its_default() -> None:
    told = CliRunner().invoke(app, ["audit", "--help"]).output
    assert all(name in told for name in ("page", "status", "export", "import"))
    for arguments in (["audit", "recipe.yaml", "--help"], ["audit", "--port", "1", "--help"]):
        assert "--annotator" in CliRunner().invoke(app, arguments).output


def test_generators_have_names_that_no_text_holds(store: Store) -> None:
    texts = "".join(row["completion"] for row in store.dataset("samples").to_table().to_pylist())
    assert not [name for name in GENERATORS if name in texts]
