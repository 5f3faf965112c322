"""How alike two names of fields are, for people who name the same thing otherwise."""

from __future__ import annotations

import difflib
import functools
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automate_api.tenant.places import Path

_SYNONYMS: t.Final = (
    ("number", "no", "num", "nbr", "nr"),
    ("date", "on", "day", "dt"),
    ("at", "time", "timestamp", "ts", "datetime"),
    ("update", "updated", "modify", "modified", "change", "changed", "lastmodified", "touched"),
    ("create", "created", "added", "inserted"),
    ("delete", "deleted", "removed"),
    ("identifier", "id", "key", "uid", "guid"),
    ("value", "val"),
    ("quantity", "qty", "count"),
    ("amount", "amt"),
    ("price", "pricing"),
    ("list", "asking", "advertised"),
    ("msrp", "sticker"),
    ("exterior", "ext"),
    ("interior", "int"),
    ("sale", "sales", "selling", "sell", "sold"),
    ("cost", "costs"),
    ("odometer", "mileage", "miles"),
    ("postal", "zip", "postcode", "zipcode"),
    ("region", "state", "province"),
    ("first", "given", "fore"),
    ("last", "family", "surname"),
    ("phone", "telephone", "tel", "mobile", "cell"),
    ("email", "mail"),
    ("customer", "client", "cust", "buyer"),
    ("vehicle", "unit", "car"),
    ("deal", "contract"),
    ("repair", "service"),
    ("order", "ro"),
    ("rooftop", "store", "dealership", "location"),
    ("lot", "yard"),
    ("labor", "labour"),
    ("department", "dept"),
    ("description", "desc", "text"),
    ("note", "remark", "comment"),
    ("status", "state", "stage"),
    ("type", "kind", "class", "category"),
    ("account", "acct"),
    ("general", "gl", "ledger"),
    ("reference", "ref"),
    ("advisor", "writer", "consultant"),
    ("salesperson", "salesman", "seller"),
    ("technician", "tech", "mechanic"),
    ("total", "sum"),
    ("tax", "vat"),
    ("line", "item", "row", "detail"),
    ("journal", "entry"),
    ("external", "foreign", "crm"),
)
"""Words that mean the same in names of fields; the first of each stands for all."""

_WEIGHTS: t.Final[Mapping[str, float]] = {
    "number": 0.5,
    "date": 0.5,
    "at": 0.5,
    "identifier": 0.5,
    "code": 0.5,
    "value": 0.25,
    "general": 0.25,
    "dms": 0.25,
}
"""Words that tell little about what a field is; all others count 1."""

_HOLDER: t.Final = 0.5

_LAST: t.Final = re.compile(r"last_?(?=(modifi|updat|chang))", re.IGNORECASE)

_STEM: t.Final = 5
_ALIKE: t.Final = 0.8
"""Letters that two words begin with alike, and what that is worth beside being the same word; so
much are initials worth."""

_LEAST_INITIALS: t.Final = 2

_MEANINGS: t.Final[Mapping[str, frozenset[str]]] = {
    word: frozenset(group[0] for group in _SYNONYMS if word in group)
    for group in _SYNONYMS
    for word in group
}


@functools.lru_cache(maxsize=65536)
def likeness(mine: Path, theirs: Path) -> float:
    """Tell how alike the names of two fields are, from 0 to 1.

    Words are compared, in whatever order, wherever a path has them: `gross.total` is `totalGross`.
    Initials are like the name that they are of: `dob` is `dateOfBirth`.

    Args:
        mine: Path of the one; what holds both of them alike counts for nothing.
        theirs: Path of the other.
    """
    shared = 0
    while min(len(mine), len(theirs)) > shared + 1 and mine[shared] == theirs[shared]:
        shared += 1
    if _is_initials(mine[-1], theirs[-1]):
        return _ALIKE
    left, right = _weighed(mine[shared:]), _weighed(theirs[shared:])
    alike = both = 0.0
    for word, weight in left:
        best = max(right, key=lambda other: _rank(word, other[0]), default=("", 0.0))
        worth = _same(word, best[0])
        if not worth:
            both += weight
            continue
        right.remove(best)
        heavier = max(weight, best[1])
        alike += worth * heavier
        both += heavier
    both += sum(weight for _, weight in right)
    return alike / both if both else 0.0


def words(path: Path) -> Iterable[str]:
    """Take the words out of names: `lotName` has two, and the first of `lastModified` is none."""
    for name in path:
        for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", _LAST.sub("", name)):
            yield word.lower()


def _weighed(path: Path) -> list[tuple[str, float]]:
    """Give the words of a path; those of what holds a field count half."""
    *holders, name = path
    held = [(word, _HOLDER * _weight(word)) for word in words(tuple(holders))]
    return held + [(word, _weight(word)) for word in words((name,))]


def _is_initials(name: str, short: str) -> bool:
    """Tell whether a name is the initials of another, and no word of its own."""
    initials = "".join(word[0] for word in words((name,)))
    is_other = short.lower() in _MEANINGS
    return len(initials) >= _LEAST_INITIALS and short.lower() == initials and not is_other


def _rank(word: str, other: str) -> tuple[float, bool]:
    return _same(word, other), word == other


def _same(word: str, other: str) -> float:
    if word == other or _meanings(word) & _meanings(other):
        return 1.0
    shorter = min(len(word), len(other))
    begins = word[:_STEM] == other[:_STEM] and shorter >= _STEM
    near = difflib.SequenceMatcher(None, word, other).ratio() >= _ALIKE and shorter >= _STEM - 1
    return _ALIKE if begins or near else 0.0


def _meanings(word: str) -> frozenset[str]:
    return _MEANINGS.get(word) or _MEANINGS.get(word.removesuffix("s")) or frozenset({word})


def _weight(word: str) -> float:
    return min(_WEIGHTS.get(meaning, 1.0) for meaning in _meanings(word))
