"""Hard stops under kills, and what the account costs a request.

    nice -n 10 python -m tests.benchmarks.hard_stop

Draws with 64 requests at once from a real server on this machine, kills the run with SIGKILL in the middle,
once and three times, and runs on to the end: prints what the server counted beside the amount. Then admits
and settles 20,000 requests and prints microseconds a request. Left out: engines in process.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import deque
from pathlib import Path

from factory.generators.base import Request
from factory.sampling.account import Account
from factory.sampling.claims import Claims
from factory.store import Store
from tests.support.budgets import GENERATOR, Reader, plan, request, served
from tests.support.hard_stops import ScriptedServer, figures, finish, kill_at, write

MOST = 64
REQUESTS = 20_000
UNDER_WAY = 64


def killed(kills: int, match: str, amount: float) -> dict[str, object]:
    """The figures of one run with so many kills."""
    with tempfile.TemporaryDirectory() as name, ScriptedServer(delay=0.3, words=MOST) as server:
        folder = Path(name)
        write(folder, server, problems=200, most=MOST, match=match, amount=amount)
        for _ in range(kills):
            if not kill_at(folder, server, 300):
                raise RuntimeError("the run ended before it was killed")
        finish(folder)
        found = figures(folder, server, match=match, amount=amount)
    return {
        "match": match,
        "amount": amount,
        "kills": kills,
        "most at once": server.most_at_once,
        "counted by the server": found.real,
        "overspent": found.overspent,
        "bounds of calls under way": found.bounds,
        "stored": found.stored,
        "presumed": found.presumed,
        "charges": found.charges,
        "samples": found.rows,
    }


def microseconds() -> dict[str, float]:
    """Wall and processor time of a request: admitted, settled, and its claim removed after a commit."""
    with tempfile.TemporaryDirectory() as name:
        store = Store(name)
        under_way: deque[Request] = deque()
        with store.lock("benchmark"), Claims(store) as claims:
            purse = Account(claims, plan(match="usd", amount=1e9), "r", {}).purse(GENERATOR, Reader())
            wall, cpu = time.perf_counter(), time.process_time()
            for number in range(REQUESTS):
                asked = request(str(number))
                purse.admit(asked)
                under_way.append(asked)
                if len(under_way) > UNDER_WAY:
                    purse.settle(served(under_way.popleft(), 7))
                if number % 1000 == 999:
                    purse.committed(str(one) for one in range(number - 999 - UNDER_WAY, number - UNDER_WAY))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": round(wall / REQUESTS * 1e6, 1), "cpu": round(cpu / REQUESTS * 1e6, 1)}


def main() -> None:
    print(json.dumps({"microseconds a request": microseconds()}), flush=True)
    for kills, match, amount in ((0, "tokens", 200_000.0), (1, "tokens", 200_000.0), (3, "usd", 400_000.0)):
        print(json.dumps(killed(kills, match, amount)), flush=True)


if __name__ == "__main__":
    main()
