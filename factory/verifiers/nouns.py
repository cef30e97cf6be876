"""Whether two English nouns after equal numbers name the same things.

Guarantees: number and case tell nothing apart (`boxes`, `Box`); a noun alone is the same as that noun with
more words before it (`apples`, `red apples`), and two nouns whose words say different things are not. Left
out: synonyms (`kids`, `children`); they are different nouns.
"""

from __future__ import annotations

from typing import Final

_IRREGULAR: Final = {
    "people": "person", "persons": "person", "children": "child", "men": "man", "women": "woman",
    "mice": "mouse", "geese": "goose", "teeth": "tooth", "feet": "foot", "oxen": "ox", "dice": "die",
    "knives": "knife", "wives": "wife", "lives": "life", "leaves": "leaf", "loaves": "loaf",
    "shelves": "shelf", "wolves": "wolf", "thieves": "thief", "calves": "calf", "scarves": "scarf",
    "elves": "elf", "hooves": "hoof", "buses": "bus", "gases": "gas", "lenses": "lens", "quizzes": "quiz",
    "vertices": "vertex", "matrices": "matrix", "indices": "index", "cacti": "cactus", "radii": "radius",
    "potatoes": "potato", "tomatoes": "tomato", "heroes": "hero", "mangoes": "mango", "echoes": "echo",
    "cookies": "cookie", "movies": "movie", "brownies": "brownie", "calories": "calorie",
    "smoothies": "smoothie", "zombies": "zombie", "hoodies": "hoodie", "selfies": "selfie",
    "caches": "cache", "headaches": "headache", "aches": "ache", "axes": "axis", "bus": "bus", "gas": "gas",
    "lens": "lens", "series": "series", "species": "species", "news": "news", "cactus": "cactus",
    "radius": "radius", "axis": "axis", "ms": "ms",
}  # fmt: skip
_HISSED: Final = ("xes", "ches", "shes", "zzes", "sses")


def singular(word: str) -> str:
    """The singular of an English noun in lower case, by rule where it is not irregular."""
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(_HISSED):
        return word[:-2]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def same_noun(one: str, other: str) -> bool:
    """Whether two noun phrases have one head, and the words before it do not contradict each other."""
    (head, first), (other_head, second) = _head(one), _head(other)
    return head == other_head and (first <= second or second <= first)


def _head(phrase: str) -> tuple[str, frozenset[str]]:
    """The head of a phrase (the last word before `of`), and its other words."""
    words = [singular(word) for word in phrase.replace("-", " ").split()] or [""]
    at = words.index("of") - 1 if "of" in words[1:] else len(words) - 1
    return words[at], frozenset(words[:at] + words[at + 1 :]) - {"of", "the"}
