"""What was spent, read from the store: costs of samples, charges, what is left, and what cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from factory.amounts import NOTHING, Amounts
from factory.errors import UsageError
from factory.planning import PlannedGenerator
from factory.recipe import HumanGenerator
from factory.records import LEDGER
from factory.sampling import spending
from factory.store import Store
from tests.support.budgets import GENERATOR, JUDGE, candidates, plan, request, served, stored


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Store, duckdb.DuckDBPyConnection]]:
    store = Store(tmp_path / "store")
    with store.lock("test"), store.connect() as connection:
        candidates(connection, store)
        yield store, connection


def charge(number: int, kind: str, generator: PlannedGenerator = GENERATOR, **more: Any) -> dict[str, Any]:
    row = {"charge_id": f"{number:032}", "kind": kind, "generator_id": generator.generator_id, "run_id": "r"}
    costs = {"prompt_tokens": 5, "completion_tokens": 10, "flops": 3.0e7, "usd": 25.0, "engine_seconds": 1.0}
    return row | {"sample_id": "s", "samples": 1, "recipe": "spent"} | costs | more


def charged(store: Store, *rows: dict[str, Any]) -> None:
    store.append("ledger", pa.Table.from_pylist(list(rows), schema=LEDGER))


def test_samples_cost_tokens_times_price_and_parameters(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, *(served(request(f"s{n}"), written=n) for n in range(4)))
    candidates(connection, store)
    assert spending.spent(connection, plan())[GENERATOR.generator_id] == Amounts(
        samples=4, tokens=4 * 5 + 6, flops=2e6 * 26, usd=20 + 12, seconds=1.0
    )


def test_charges_of_the_same_recipe_count_and_of_others_do_not(place: tuple[Store, Any]) -> None:
    store, connection = place
    charged(
        store,
        charge(1, "presumed"),
        charge(2, "lost", completion_tokens=1, usd=7.0),
        charge(3, "failed", samples=0),
        charge(4, "presumed", recipe="another"),
        charge(5, "judge", JUDGE),
    )
    candidates(connection, store)
    found = spending.spent(connection, plan())
    assert found[GENERATOR.generator_id].tokens == 15 + 6 + 15
    assert found[GENERATOR.generator_id].samples == 2
    assert found[JUDGE.generator_id].usd == 25.0
    assert spending.total(found.values()).usd == 25 + 7 + 25 + 25


def test_what_is_not_known_is_not_nothing(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, served(request("a"), written=3))
    candidates(connection, store)
    silent = plan(generator={"price": None, "active_parameters": None})
    found = spending.spent(connection, silent)[GENERATOR.generator_id]
    assert (found.tokens, found.flops, found.usd) == (8.0, None, None)


@pytest.mark.parametrize(
    ("change", "budget", "named"),
    [
        ({"price": None}, {"match": "usd", "amount": 3}, "generators.scripted.price: {input"),
        (
            {"active_parameters": None},
            {"match": "flops", "amount": 3},
            "generators.scripted.active_parameters",
        ),
        ({"price": None}, {"total": {"usd": 3}, "per_problem": {"samples": 1}}, "generators.scripted.price"),
    ],
)
def test_a_currency_that_cannot_be_told_names_the_key_to_write(
    change: dict[str, Any], budget: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError) as raised:
        spending.check(plan(generator=change, **budget))
    assert named in str(raised.value)


@pytest.mark.parametrize("match", ["samples", "tokens", "seconds"])
def test_currencies_that_every_engine_tells_need_no_key(match: str) -> None:
    spending.check(plan(generator={"price": None, "active_parameters": None}, match=match, amount=3))


def test_stored_samples_that_do_not_tell_are_refused(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, served(request("a"), written=1), served(request("b"), written=1))
    candidates(connection, store)
    asked = plan(match="seconds", amount=3)
    spending.check(asked, connection)
    connection.execute(
        "CREATE OR REPLACE VIEW candidates AS SELECT * REPLACE (NULL AS engine_seconds) FROM samples"
    )
    with pytest.raises(UsageError, match=r"seconds of the engine are limited, and stored samples"):
        spending.check(asked, connection)


def test_the_bound_of_a_sample_is_its_prompt_and_max_tokens(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, served(request("a"), written=1))
    candidates(connection, store)
    config = plan(most=10).recipe.generators["scripted"]
    bounds = spending.bound_sql(config, GENERATOR)
    (row,) = connection.execute(f"SELECT {', '.join(bounds.values())} FROM candidates").fetchall()
    assert dict(zip(bounds, row, strict=True)) == Amounts(1, 15, 3e7, 25, 0).as_dict()


def test_worked_solutions_cost_nothing() -> None:
    people = PlannedGenerator("people", "human", None, {"reserved": "human"}, sampled=False)
    config = HumanGenerator(engine="human")
    assert set(spending.cost_sql(config, people).values()) == {"0.0"}
    assert set(spending.bound_sql(config, people).values()) == {"0.0"}


def test_sums_do_not_depend_on_the_order_of_rows(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, *(served(request(f"s{n}", tokens=n % 7), written=n % 10) for n in range(500)))
    odd = plan(generator={"price": {"input": 0.1, "output": 0.7}})
    found = set()
    for order in ("sample_id", "sample_id DESC", "completion_tokens"):
        store.refresh(connection)
        connection.execute(f"CREATE OR REPLACE VIEW candidates AS FROM samples ORDER BY {order}")
        found.add(spending.spent(connection, odd)[GENERATOR.generator_id].usd)
    assert len(found) == 1


def test_a_summary_says_what_was_planned_realised_lost_and_left(place: tuple[Store, Any]) -> None:
    store, connection = place
    stored(store, served(request("a"), written=5))
    charged(store, charge(1, "presumed"), charge(2, "judge", JUDGE), charge(3, "judge", JUDGE))
    candidates(connection, store, problems=3)
    budget: dict[str, Any] = {
        "match": "tokens",
        "amount": 100.0,
        "total": {"usd": 90.0},
        "per_problem": {"samples": 2},
    }
    found = spending.summary(connection, plan(**budget))
    entry = found["generators"]["scripted"]
    assert entry["planned"] == {"samples": 6.0, "tokens": 100.0}
    assert entry["realised"]["tokens"] == 10
    assert (entry["presumed"]["tokens"], entry["lost"], entry["failed"]) == (
        15,
        NOTHING.as_dict(),
        NOTHING.as_dict(),
    )
    assert entry["left"] == 75
    assert found["judges"]["strict"]["realised"]["samples"] == 2
    assert found["all"]["realised"]["usd"] == 15 + 50
    assert found["all"]["left"] == {"usd": 0.0}, "15 + 25 + 50 of 90"
    assert (found["match"], found["amount"], found["total"]) == ("tokens", 100.0, {"usd": 90.0})


def test_a_summary_needs_no_budget(place: tuple[Store, Any]) -> None:
    store, connection = place
    candidates(connection, store, problems=2)
    found = spending.summary(connection, plan())
    assert found["generators"]["scripted"]["planned"] == {"samples": 2.0}
    assert found["generators"]["scripted"]["left"] is None
    assert found["all"]["left"] is None
