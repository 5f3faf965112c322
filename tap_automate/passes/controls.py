"""Control rows of accounting periods: what the entries of a period came to, in four figures.

Pure. A period's row in the state has how many entries are in the books, their debits and credits,
and a sum of hashes of what they say, which is the same in whatever order they come. Since posted
lines never change and corrections are new entries, the next row of a period follows from the last
one, from the entries that were made since, and from those that were voided since. Where it does
not, the period was restated.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import operator
import typing as t
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import UNSET

from automate_api.errors import ConfigError
from tap_automate.instants import to_microseconds

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STATE_KEY: t.Final = "periods"

ENTRY_FIELDS: t.Final = (
    "journalEntryId",
    "companyId",
    "rooftopId",
    "fiscalYear",
    "fiscalPeriod",
    "accountingDate",
    "status",
    "createdAt",
    "postedAt",
    "lines",
)
TOTALS: t.Final = ("totalDebit", "totalCredit")

LINE_FIELDS: t.Final = (
    "lineId",
    "debit",
    "credit",
    "amount",
    "accountNumber",
    "controlNumber",
    "control2Number",
    "departmentCode",
    "unitCount",
)
"""What the hash is of; where a line has a debit or a credit, its signed amount is not."""

NUMBERS: t.Final = frozenset({int, Decimal})

MOST_DIGITS: t.Final = 4
"""Of a year, or of a period's number, that comes as text."""

MODULUS: t.Final = 2**64
NOTHING: t.Final = Decimal("0.00")

# The hook is for what a struct has in place of a field that did not come.
_encoder: t.Final = msgspec.json.Encoder(decimal_format="number", enc_hook=lambda _: None)


class Facts(t.NamedTuple):
    """What matters of a journal entry.

    Attributes:
        key: Its id.
        books: The company, or where it has none the rooftop, whose entry it is.
        year: Fiscal; None where the entry has none that can be read.
        number: Of the period, 1 to 13; None where the entry has none that can be read.
        is_unclear: Whether it has a year or number that cannot be read.
        date: Its accounting date; empty where it has none.
        status: In lower case; empty where it has none.
        born: Microseconds since 1970 when it came into the books: made, or posted later.
        was_posted: Whether it says when it was posted.
        debit: Sum of the lines, or what the entry says where it has none.
        credit: The same.
        digest: Hash of what it says, below `MODULUS`.
    """

    key: str
    books: str
    year: int | None
    number: int | None
    is_unclear: bool
    date: str
    status: str
    born: int
    was_posted: bool
    debit: Decimal
    credit: Decimal
    digest: int


@dataclasses.dataclass(slots=True)
class Control:
    """What entries come to.

    Attributes:
        count: How many there are.
        debit: Their sum.
        credit: Their sum.
        hash: Sum of their digests, modulo `MODULUS`.
    """

    count: int = 0
    debit: Decimal = NOTHING
    credit: Decimal = NOTHING
    hash: int = 0

    def plus(self, other: Control, sign: int = 1) -> Control:
        """Return what both come to; with -1 for a sign, this without the other."""
        return Control(
            self.count + sign * other.count,
            self.debit + sign * other.debit,
            self.credit + sign * other.credit,
            (self.hash + sign * other.hash) % MODULUS,
        )

    def is_as_much_as(self, other: Control) -> bool:
        """Tell whether number and sums are the same, whatever the entries say."""
        return dataclasses.replace(self, hash=other.hash) == other

    def include(self, facts: Facts) -> None:
        """Add an entry."""
        self.count += 1
        self.debit += facts.debit
        self.credit += facts.credit
        self.hash = (self.hash + facts.digest) % MODULUS

    def to_state(self) -> dict[str, t.Any]:
        """Return what Singer state holds: about 110 bytes with the period's name."""
        return {
            "count": self.count,
            "debit": str(self.debit),
            "credit": str(self.credit),
            "hash": f"{self.hash:016x}",
        }

    def __str__(self) -> str:
        """Say it in a message."""
        return f"{self.count:,} entries, debits {self.debit:,}, credits {self.credit:,}"


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """The control rows of the run before.

    Attributes:
        until: Microseconds since 1970 up to which they count; None where there are none.
        rows: Name of a period to its row.
    """

    until: int | None = None
    rows: Mapping[str, Control] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_state(cls, state: Mapping[str, t.Any], *, name: str) -> Kept:
        """Read them from a stream's (or partition's) state.

        Args:
            state: What Singer state holds for it.
            name: The stream, for the message.

        Raises:
            ConfigError: When a person edited them into another form.
        """
        if STATE_KEY not in state:
            return cls()
        try:
            kept = state[STATE_KEY]
            rows = {period: _row(values) for period, values in kept["rows"].items()}
            return cls(to_microseconds(kept["until"]), rows)
        except (AttributeError, InvalidOperation, KeyError, TypeError, ValueError):
            msg = (
                f"State of stream '{name}': `{STATE_KEY}` must be control rows as this version of "
                "tap-automate writes them. Use the version that wrote the state, or remove "
                f"`{STATE_KEY}`: then the next run makes them anew."
            )
            raise ConfigError(msg) from None


def facts_of(entry: t.Any, updated: int) -> Facts:  # noqa: ANN401 - a struct or a dict
    """Take from a journal entry what matters.

    Args:
        entry: As the codec has read it, numbers with a point as `Decimal`.
        updated: Its `updatedAt`, microseconds since 1970.
    """
    key, company, rooftop, year, number, date, status, created, posted, found = _values(
        entry, ENTRY_FIELDS
    )
    lines = [_line(line) for line in found] if isinstance(found, list) else []
    if lines:
        debit = sum([line[1] for line in lines], NOTHING)
        credit = sum([line[2] for line in lines], NOTHING)
    else:
        debit, credit = map(_amount, _values(entry, TOTALS))
    lines.sort(key=_identity)
    text = _encoder.encode([key, date, debit.normalize(), credit.normalize(), lines])
    return Facts(
        key=str(key),
        books=str(company or rooftop or ""),
        year=_whole(year),
        number=_whole(number),
        is_unclear=any(each is not None and _whole(each) is None for each in (year, number)),
        date=date if isinstance(date, str) else "",
        status=status.casefold() if isinstance(status, str) else "",
        born=_born(created, posted, updated),
        was_posted=isinstance(posted, str),
        debit=debit,
        credit=credit,
        digest=int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()),
    )


def _row(values: Mapping[str, t.Any]) -> Control:
    count = values["count"]
    if type(count) is not int:
        raise TypeError
    return Control(
        count, Decimal(values["debit"]), Decimal(values["credit"]), int(values["hash"], 16)
    )


def _values(record: t.Any, names: tuple[str, ...]) -> Sequence[t.Any]:  # noqa: ANN401
    """Return fields of a struct or a dict, None where it has none."""
    if isinstance(record, dict):
        return [record.get(name) for name in names]
    return [None if value is UNSET else value for value in _getter(names)(record)]


@functools.cache
def _getter(names: tuple[str, ...]) -> Callable[[t.Any], tuple[t.Any, ...]]:
    return operator.attrgetter(*names)


def _line(line: t.Any) -> tuple[t.Any, ...]:  # noqa: ANN401 - a struct or a dict
    """Return a line's id, debit, credit, and what else it says."""
    if isinstance(line, dict):
        values = tuple([line.get(name) for name in LINE_FIELDS])
    else:
        values = _getter(LINE_FIELDS)(line)
    identity, debit, credit, amount = values[:4]
    if type(debit) in NUMBERS or type(credit) in NUMBERS:
        debit, credit = _amount(debit), _amount(credit)
    else:
        signed = _amount(amount)
        debit, credit = max(signed, NOTHING), max(-signed, NOTHING)
    return identity, debit.normalize(), credit.normalize(), values[4:]


def _identity(line: tuple[t.Any, ...]) -> str:
    return str(line[0])


def _whole(value: object) -> int | None:
    """Return a whole number, also where it came as text; None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= MOST_DIGITS:
        return int(value)
    return value if type(value) is int else None


def _amount(value: object) -> Decimal:
    return value if type(value) is Decimal else Decimal(value) if type(value) is int else NOTHING


def _born(created: object, posted: object, updated: int) -> int:
    """Return when an entry came into the books; its last change where it does not say."""
    texts = {each for each in (created, posted) if isinstance(each, str)}
    known = map(_instant, texts)
    return max([each for each in known if each is not None], default=updated)


def _instant(text: str) -> int | None:
    try:
        return to_microseconds(text)
    except ValueError:
        return None
