"""How an audit stands: how many items have labels, whose, and how far people agree.

Guarantees: the last word of each annotator counts, and every item of the audit is counted once a label.
Left out: what the labels say of all accepted samples, which a run estimates (`metrics/false_positives.py`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from factory.auditing import labels
from factory.auditing.subject import Subject
from factory.metrics.agreement import LABELS, agreement
from factory.store import Store


def of(subject: Subject, store: Store) -> dict[str, Any]:
    """{target, accepted, items, labelled, annotators: {name: {label: items}}, agreement, waiting}.

    `labelled` items have a word of somebody; `agreement` is as `metrics.agreement` gives it.
    """
    words = labels.last_words(store, (one.sample_id for one in subject.items))
    counts = Counter((who, said["label"]) for (_, who), said in words.items())
    people = sorted({who for _, who in words})
    return {
        "target": subject.target,
        "accepted": subject.accepted,
        "items": len(subject.items),
        "labelled": len({sample for sample, _ in words}),
        "annotators": {who: {label: counts[who, label] for label in LABELS} for who in people},
        "agreement": agreement((sample, who, said["label"]) for (sample, who), said in words.items()),
        "waiting": labels.waiting(store),
    }
