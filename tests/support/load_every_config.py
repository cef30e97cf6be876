"""Each config of a release, loaded and streamed by `datasets` from its tag on a Hub.

Run as `python -m tests.support.load_every_config REPOSITORY TAG CONFIG...` in a process whose environment
names the Hub; prints {config: {split: [rows loaded, rows streamed, version served]}}.
"""

from __future__ import annotations

import json
import sys


def main(repository: str, tag: str, configs: list[str]) -> dict[str, dict[str, list[object]]]:
    from datasets import load_dataset

    found: dict[str, dict[str, list[object]]] = {}
    for config in configs:
        loaded = load_dataset(repository, config, revision=tag)
        streamed = load_dataset(repository, config, revision=tag, streaming=True)
        found[config] = {
            split: [data.num_rows, sum(1 for _ in streamed[split]), str(data.info.version)]
            for split, data in loaded.items()
        }
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3:])))
