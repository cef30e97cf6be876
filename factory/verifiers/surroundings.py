r"""What stands around an answer and denies it, changes it, or makes it a part of something else.

Guarantees: no look goes further than _NEAR characters before or behind an answer, so that each is of constant
cost. A doubt means no answer: `at least 5`, `5 squared`, `\boxed{5}/6`, `5 is wrong`. Read as a whole are
signs and scales in words (`minus 5`, `5 million`). Left out: what an earlier sentence says of the answer.
"""

from __future__ import annotations

import re
from typing import Final

_NEAR: Final = 120
_CLAUSE_END: Final = re.compile(
    r"[.!?;:](?=\s)|,(?=\s)|\n|\b(?:so|then|thus|hence|therefore|because|since|leaving|left|equals?)\b|=",
    re.IGNORECASE,
)
NEGATION: Final = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bcannot|\bno longer|\bfar from|\bnowhere near|\banything but"
    r"|\\not|\\neq?|≠|!=)"
    r"[ \t${}(\\*:\[]*(?:(?:be|equal(?: to)?|exactly|quite|text)[ \t${}(\\*:]*){0,2}$",
    re.IGNORECASE,
)
_DENYING: Final = re.compile(
    r"(?:\b(?:false|untrue|doubt|doubtful|unlikely|impossible|unsure|(?:incorrect|wrong) to \w{2,8})"
    r"|(?:\bnot|n['’]t) (?:true|the case|correct|clear|certain|possible|think|believe|know|mean|say|follow)"
    r"|\b(?:nobody|no one) (?:thinks?|believes?|says?))(?: (?:that|if|whether))?\b",
    re.IGNORECASE,
)
_NOT_REACHED: Final = re.compile(
    r"(?:\bcannot|\bcan not|n['’]t|\bnot|\bnever|\bimpossible to|\bunable to) (?:be |have |get |equal |reach "
    r"|make |give |find |become |obtain |exceed ){1,2}\$?$",
    re.IGNORECASE,
)
_SUPPOSING: Final = re.compile(
    r"\b(?:if|whether|unless|(?:suppos|assum|imagin)(?:e|ing|ed)"
    r"|claims|claimed|thinks|believes|argues|guesses|guessed)\b(?: that)?",
    re.IGNORECASE,
)
_THE: Final = re.compile(r" (?:(?:the|its|our|my|your|final|correct|right) )*$", re.IGNORECASE)
_ABSURD: Final = re.compile(r"\b(?:contradict(?:s|ion|ory)|impossible|absurd)\b", re.IGNORECASE)
_DENIED_BEHIND: Final = re.compile(
    r"""[\s$)}\]*"'”’\\]{0,8}(?:\\text\ ?\{\ ?)?(?:
    [(,]\ ?(?:(?:which|but|and|that)\ (?:is|was)\ )?
       (?:wrong|incorrect|false|not\ (?:right|correct|valid|possible))\b
    |\?\s*(?:no|nope|wrong)\b
    |[.,;:!?–—-]{0,2}\s{0,3}
    (?:(?:but|and|however|although|though|which|that|this|it|the|answer|result|value|number)\b\ ?){0,4}
    (?:(?:is|was|are|were|['’]s|would\ be|would\ have\ been|will\ be|seems|looks|must\ be)\ 
         (?:\w{1,12}ly\ |just\ |also\ )?(?:wrong|incorrect|false|impossible|invalid|mistaken|absurd|extraneous
         |an?\ (?:mistake|error|contradiction)|ruled\ out|rejected)
      |(?:(?:is|was|are|were|would|will|can|could|may|might)(?:\ ?not|n['’]t)|can['’]t|['’]s\ not)
         (?:\ be)?(?:\ (?:quite|exactly|the|a|an|our|my|final|correct|right|valid))*
         (?:\ (?:answer|solution|root|right|correct|valid|possible|true|it|so|allowed|acceptable))\b
      |(?:cannot|can\ not|can['’]t|could\ not|couldn['’]t)\ be(?=[\s"'”’)]*(?:[.,;!?]|\Z))
      |(?:does\ not|doesn['’]t|do\ not|don['’]t)\ (?:work|fit|satisfy)
      |(?:gives|yields|leads\ to|a)\ (?:a\ )?contradiction)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_CHANGED_BEFORE: Final = re.compile(
    r"(?:\b(?:(?:less|greater|more|fewer|larger|smaller|higher|lower|bigger|longer|shorter|older|younger|other"
    r"|rather) than|at (?:most|least)|under|over|below|above|exceeds?|exceeding|between|except(?: for)?"
    r"|(?<!round )(?<!rounds )(?<!rounded )(?<!add )(?<!adds )(?<!come )(?<!comes )(?<!sums )up to"
    r"|half(?: of)?|twice|thrice|double|triple|(?:root|square|cube|factorial|log|logarithm|reciprocal|inverse"
    r"|negative|opposite|absolute value|multiples?|factors?|divisors?|powers?|third|quarter) of"
    r"|(?:square )?root|divisible by|multiplied by|divided by|times|plus|minus|mod|modulo|base"
    r"|sine?|cosine|cos|tan|log|ln"
    r"|(?:hundred|thousand|million|billion|trillion|dozen)(?: and)?)[ -](?:the |a |an |about |exactly )?"
    r"|\\(?:leq?|geq?|neq?|lt|gt|sqrt|pm|mp|times|cdot|div|sin|cos|tan|log|ln)(?![A-Za-z])"
    r"|(?<![=>-])[<>](?:=|(?!=))|[√∛±∓≤≥≠×÷·])[ \t$({\\]{0,4}$",
    re.IGNORECASE,
)
_CHANGED_BEHIND: Final = re.compile(
    r"[ \t]?[$)}]?[ \t]?(?:(?:(?:\w{1,9} )?(?:below|under) (?:zero|freezing)|squared|cubed|factorial"
    r"|plus|minus|mod(?:ulo)?|choose|raised|(?:in )?base"
    r"|to the (?:power|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|nth))\b|to the [0-9]"
    r"|(?:times|or|to) [-0-9$\\]|[≤≥≠]|[<>]=?[ \t]?[A-Za-z]\b"
    r"|\\(?:cdot|times|div|pm|sqrt|[dt]?frac|pi)(?![A-Za-z]))",
    re.IGNORECASE,
)
_PART: Final = re.compile(  # of a sum, a function, a list, a span, a measure in two units
    r"(?:[\w)]\(|(?<!text)(?<!bf)(?<!rm)(?<!it)(?<!line)(?<!boxed)\{|\||[÷×·√–—]|\w[ \t]?[–—−][ \t]?"
    r"|[0-9][%°]?(?:[,;]|,? (?:of|or|and|to|by|x|choose))?[ \t]+[$€£]?)$",
    re.IGNORECASE,
)
_UNIT: Final = (
    r"(?:hours?|hrs?|h|minutes?|mins?|seconds?|secs?|days?|weeks?|months?|years?|feet|foot|ft|inch(?:es)?|in|yards?"
    r"|pounds?|lbs?|ounces?|oz|dollars?|euros?|cents?|pence|degrees?|km|kilometers?|m|meters?|cm|centimeters?|kg|kilograms?|g|grams?)"
)
_FIRST_UNIT: Final = re.compile(rf"[0-9][ \t]?{_UNIT}\b,? (?:and )?$", re.IGNORECASE)
_SECOND_UNIT: Final = re.compile(rf"[ \t]?{_UNIT}\b", re.IGNORECASE)
_SIGN_WORD: Final = re.compile(
    r"(?:\b(?:is|be|get|gets|got|gives?|equals?|equal to|becomes?|was|of|have)|[=:]|^)[ \t]*"
    r"((?:minus|negative)[ \t]+)$",
    re.IGNORECASE,
)
_SCALE: Final = re.compile(
    r"[ \t](?:hundred|thousand|million|billion|trillion|dozen)\b"
    r"|[ \t]and[ \t](?:a|one)[ -](?:half|third|quarter)\b"
)
_IN_WORDS: Final = re.compile(r"(?:minus|negative)[ \t]+(?=[$0-9.\\])", re.IGNORECASE)


def before(text: str, position: int, start: int = 0) -> str:
    return text[max(start, position - _NEAR) : position]


def behind(text: str, position: int, end: int | None = None) -> str:
    return text[position : position + _NEAR][: None if end is None else max(end - position, 0)]


def denied(text: str, mark: int, end: int) -> bool:
    """Whether an answer is denied or only supposed: by its clause before the mark, or right behind it."""
    after = behind(text, end)
    if text[mark - 1 : mark] == "\n":  # a line of its own: nothing stands before it
        return _DENIED_BEHIND.match(after) is not None
    said = before(text, mark)
    ends = list(_CLAUSE_END.finditer(said))
    clause = said[ends[-1].end() :] if ends else said
    if _DENYING.search(clause) or _NOT_REACHED.search(said) or _DENIED_BEHIND.match(after):
        return True
    supposed = _SUPPOSING.search(clause)
    return supposed is not None and bool(_THE.fullmatch(clause, supposed.end()) or _ABSURD.search(after))


def changed(text: str, start: int, end: int, first: int = 0, last: int | None = None) -> bool:
    """Whether the words beside a number, from `first` to `last`, make it another number or a bound."""
    said, after = before(text, start, first), behind(text, end, last)
    return bool(_CHANGED_BEFORE.search(said) or _CHANGED_BEHIND.match(after))


def part_of_more(text: str, start: int, end: int) -> bool:
    """Whether a number in prose is one operand, one item of a list, or the second of two units."""
    said = before(text, start)
    return bool(_PART.search(said) or (_FIRST_UNIT.search(said) and _SECOND_UNIT.match(behind(text, end))))


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A number with its sign and its scale, where they are words: `minus 5`, `5 million`."""
    sign = _SIGN_WORD.search(before(text, start))
    scale = _SCALE.match(text, end)
    return start - len(sign[1]) if sign else start, scale.end() if scale else end


def signed(answer: str) -> str:
    """`minus 5` as -5."""
    return _IN_WORDS.sub("-", answer, count=1) if _IN_WORDS.match(answer) else answer


_OPERAND: Final = r"(?:[0-9)}\]]|(?<![A-Za-z])[A-Za-z])[ \t]?"
_BOX_PART_BEFORE: Final = re.compile(
    rf"(?:[0-9]|{_OPERAND}(?:[-−–/_^]|(?<!\*)\*)[ \t]?|[\w)}}\]][ \t]?[+×÷·][ \t]?|(?<![A-Za-z])[A-Za-z0-9]\("
    r"|[√±∓|]|[\^_]\{?|\}[ \t]?\{|\\[dt]?frac\{|\\boxed\{[^{}]{1,20}\}:"
    r"|\\(?:sqrt|cdot|times|div|pm|mp|sin|cos|tan|log|ln)(?:\[[0-9]\])?[ \t]?[{(]?)$"
)
_BOX_PART_BEHIND: Final = re.compile(
    r"[ \t]?(?:\^(?!\{? ?(?:\\circ|°))|_[0-9{]|![$\\]|/[ \t]?[\w\\({]|(?:[×÷·]|(?<!\*)\*(?!\*))[ \t]?[\w\\(]"
    r"|[-+−][ \t]?(?:[0-9\\(]|[B-HJ-Zb-z](?![A-Za-z]))|\\(?:cdot|times|div|pm|sqrt|[dt]?frac|pi)(?![A-Za-z])"
    r"|\}[ \t]?\{)|[0-9xyzn](?![A-Za-z])|\([ \t]?[0-9]|:[0-9]|\|"
    r"|[ \t$]*(?:\\text ?\{ ?)?(?:hundred|thousand|million|billion|trillion|dozen|squared|cubed|factorial)\b"
)
OR_ANOTHER: Final = re.compile(r"[\s*]*\}?[ \t$*]*\bor[ \t$]+[-0-9]")
_BULLET: Final = re.compile(r"(?:^|\n)[ \t]*[-−–*+] $")
_SIGN: Final = re.compile(r"(?:(?<=[=(,$])[ \t]?[-−][ \t]|[-−])$")
_BOXED_NUMBER: Final = re.compile(r"[0-9][0-9.,]*(?:/[0-9]+)?|\\[dt]?frac ?\{[0-9]+\}\{[0-9]+\}")
_BOX_END: Final = re.compile(r"[\s*]*\}")


def boxed_whole(text: str, mark: int, start: int, end: int) -> tuple[int, int, str] | None:
    """(start, end, what it says) of a box with its sign, or None where it is an operand of a formula."""
    contents = text[start:end]
    close = _BOX_END.match(text, end) if text[mark:start].endswith("{") or "{" in text[mark:start] else None
    limit = close.end() if close else end
    if _BOX_PART_BEHIND.match(text, limit):
        return None
    said = before(text, mark)
    if _BULLET.search(said):
        return start, end, contents
    if _BOX_PART_BEFORE.search(said):
        return None
    sign = _SIGN.search(said)
    if sign is None:
        return start, end, contents
    if not _BOXED_NUMBER.fullmatch(contents):
        return None
    return mark - len(sign[0].lstrip()), limit, "-" + contents
