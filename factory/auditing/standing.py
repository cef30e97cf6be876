"""How an audit stands: how many items have labels, whose, how far people agree, and what that proves.

Guarantees: the last word of each annotator counts; the estimate is the one that a run made now would have in
its metrics, of all accepted samples and all labels on them, also those given in other audits. Left out: how
it is estimated (`metrics/false_positives.py`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from factory.auditing import labels
from factory.auditing.subject import Subject
from factory.metrics.agreement import LABELS, agreement
from factory.metrics.false_positive_summary import Word, summary
from factory.store import Store


def of(subject: Subject, store: Store) -> dict[str, Any]:
    """{target, accepted, items, labelled, annotators: {name: {label: items}}, agreement, false_positives,
    waiting}: `labelled` items have a word of somebody; `agreement` is as `metrics.agreement` gives it, on the
    items; `false_positives` {accepted, kept, labels, said} is of `false_positive_summary.summary`."""
    words = labels.last_words(store)
    items = {one.sample_id for one in subject.items}
    told = [(sample, who, said["label"]) for (sample, who), said in words.items() if sample in items]
    counts = Counter((who, label) for _, who, label in told)
    return {
        "target": subject.target,
        "accepted": len(subject.rows),
        "items": len(items),
        "labelled": len({sample for sample, _, _ in told}),
        "annotators": {
            who: {label: counts[who, label] for label in LABELS} for who in sorted({who for who, _ in counts})
        },
        "agreement": agreement(told),
        "false_positives": _estimated(subject, words),
        "waiting": labels.waiting(store),
    }


def _estimated(subject: Subject, words: labels.Words) -> dict[str, Any]:
    accepted = set(subject.rows["sample_id"])
    about = [Word(*key, said["label"]) for key, said in words.items() if key[0] in accepted]
    found = summary(subject.rows, about, until=None)
    return {name: found[name] for name in ("accepted", "kept", "labels", "said")}
