r"""Where a text without a mark concludes: before it asks itself a question, checks itself or says goodbye.

Guarantees: linear scans; what is left holds a digit whenever something is cut. A refusal, a thought that was
cut off and a check that fails conclude with nothing. Left out: texts with a mark, whose last mark counts.
"""

from __future__ import annotations

import collections
import re
from typing import Final

NO_SOLUTION: Final = re.compile(
    r"\bno (?:such|real solution|solution|integer solution)|\bnot enough information|\bdo(?:es)? not exist\b"
    r"|\b(?:cannot|can not|can['’]t) be (?:determined|solved|found|answered|known)",
    re.IGNORECASE,
)
QUESTION: Final = re.compile(
    r"^[ \t]*(?:\*\*|#+[ \t]*)?(?:(?:Next )?(?:Question|Problem)|Q|Exercise|Instruction|Input|Human|User)"
    r"[ \t]?[0-9]{0,4}(?:\*\*)?(?::|(?<=[0-9])[ \t]*$)",
    re.MULTILINE | re.IGNORECASE,
)
_REFUSED: Final = re.compile(
    r"(?:\b(?:I|we|you|one) (?:cannot|can not|can['’]t)"
    r"|(?:\b(?:am|are|is)|['’]m) (?:not able|unable) to) (?:\w+ ){0,2}"
    r"(?:solve|answer|determine|tell|see|know|compute|calculate|help)\b"
    r"|\b(?:can['’]t|cannot) work (?:this|it|that) out\b|\bnever (?:says?|tells?|states?|gives?) how\b"
    r"|\b(?:is|are|was|were)(?:n['’]t| not) (?:specified|stated|provided)\b|\bprovide more information\b",
    re.IGNORECASE,
)
_CHECK: Final = re.compile(
    r"(?:^|(?<=[.!?:])[ \t]|\n)[ \t*#(]*(?:(?:Double[- ]?)?Check(?:ing)?\b[^.:\n]{0,20}:|Verification\b"
    r"|(?:Let['’]?s|Let us|Let me|To|Now) (?:\w+ )?(?:double[- ]?check|verify|check|confirm)\b)",
    re.IGNORECASE,
)
_REMARK: Final = re.compile(
    r"(?:(?<=[.!?])[ \t]|\n)(?:\([A-Z][^()\n]{0,300}\)\s*\Z"
    r"|[ \t*#(]*(?:The (?:question|problem) (?:was|asked|asks)|Note|Remark|Hint)\b)",
    re.IGNORECASE,
)
_CLOSING: Final = re.compile(
    r"(?<=[.!?\s])(?:(?:I )?hope (?:this|that|it)|let me know|feel free|if you (?:have|need|want|can)"
    r"|(?:would you|do you) (?:like|want)|thank you"
    r"|thanks)\b",
    re.IGNORECASE,
)
_CONCLUDES: Final = re.compile(
    r"\b(?:so|thus|hence|therefore|answer|total|in all|altogether)\b[^\n]{0,300}[0-9]", re.IGNORECASE
)
_GOES_ON: Final = re.compile(rf"{_CONCLUDES.pattern}|=[ \t]?[$€£]?[0-9]", re.IGNORECASE)
_FAULT: Final = re.compile(r"\b(?:incorrect|wrong|mistaken?)\b", re.IGNORECASE)
_CHECK_FAILS: Final = re.compile(
    r"n['’]t\b|\b(?:not|wrong|incorrect|mistake|error|instead|actually|should (?:be|have)|contradict\w*)\b|≠",
    re.IGNORECASE,
)
_FAULT_AT_END: Final = re.compile(r"\b(?:incorrect|wrong|mistake)\b[^.!?\n]{0,100}[.!?]?\s*\Z", re.IGNORECASE)
_DIGIT: Final = re.compile(r"[0-9]")
MOST_CHECKS: Final = 8
LONGEST_LINE: Final = 1000
"""Characters behind a goodbye in which the text may go on."""


def conclusion(text: str) -> str | None:
    """The beginning of `text` up to where it concludes, or None where it concludes with nothing."""
    if "<think>" in text and "</think>" not in text:
        return None
    text = _before(text, QUESTION.search(text, _after_first_line(text)))
    if NO_SOLUTION.search(text) or _REFUSED.search(text):
        return None
    text = _before(text, _closing(text))
    remark = _REMARK.search(text)
    if remark and not _CONCLUDES.search(text, remark.end()):
        if _FAULT.search(text, remark.end()):
            return None
        text = _before(text, remark)
    said = _DIGIT.search(text)
    for check in collections.deque(_CHECK.finditer(text, said.end() if said else len(text)), MOST_CHECKS):
        failed = _CHECK_FAILS.search(text, check.end())
        if failed and _CONCLUDES.search(text, failed.end()) and not _FAULT_AT_END.search(text):
            return text  # it has mended its fault
        if failed or not _CONCLUDES.search(text, check.end()):
            return None if failed else text[: check.start()]
    return text


def _closing(text: str) -> re.Match[str] | None:
    """The first goodbye that is none in the middle: `If you have 20, you get 8 back. So the change is 8.`"""
    for found in _CLOSING.finditer(text):
        line_end = text.find("\n", found.end(), found.end() + LONGEST_LINE)
        if not _GOES_ON.search(text, found.end(), line_end if line_end >= 0 else found.end() + LONGEST_LINE):
            return found
    return None


def _after_first_line(text: str) -> int:
    """Where the second line begins: a question before anything is said is the question at hand."""
    start = len(text) - len(text.lstrip())
    return text.find("\n", start) + 1 or len(text)


def _before(text: str, cut: re.Match[str] | None) -> str:
    """`text` before a cut, unless nothing was said there."""
    return text[: cut.start()] if cut and _DIGIT.search(text, 0, cut.start()) else text
