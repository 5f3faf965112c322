"""Control rows of accounting periods: what the entries of a period came to, in four figures.

Pure. A period's row in the state has how many entries are in the books, their debits and credits,
and a sum of hashes of what they say, which is the same in whatever order they come. Since posted
lines never change and corrections are new entries, the next row of a period follows from the last
one, from the entries that were made since, and from those that were voided since. Where it does
not, the period was restated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from decimal import Decimal, InvalidOperation

import msgspec

from automate_api.errors import ConfigError
from tap_automate.instants import to_microseconds

if t.TYPE_CHECKING:
    from collections.abc import Mapping

STATE_KEY: t.Final = "periods"

FINANCIAL: t.Final = (
    "accountNumber",
    "controlNumber",
    "control2Number",
    "departmentCode",
    "unitCount",
)
"""What a line's hash is of, beside its id and its amounts."""

MODULUS: t.Final = 2**64
NOTHING: t.Final = Decimal("0.00")

_canonical: t.Final = msgspec.json.Encoder(order="sorted", decimal_format="string")


class Facts(t.NamedTuple):
    """What matters of a journal entry.

    Attributes:
        key: Its id.
        books: The company, or where it has none the rooftop, whose entry it is.
        year: Fiscal; None where the entry has none.
        number: Of the period, 1 to 13; None where the entry has none.
        date: Its accounting date; empty where it has none.
        status: In lower case; empty where it has none.
        born: Microseconds since 1970 when it came into the books: made, or posted later.
        debit: Sum of the lines, or what the entry says where it has none.
        credit: The same.
        digest: Hash of what it says, below `MODULUS`.
    """

    key: str
    books: str
    year: int | None
    number: int | None
    date: str
    status: str
    born: int
    debit: Decimal
    credit: Decimal
    digest: int


@dataclasses.dataclass(frozen=True, slots=True)
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

    @classmethod
    def of(cls, facts: Facts) -> Control:
        """Return what one entry comes to."""
        return cls(1, facts.debit, facts.credit, facts.digest)

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


def facts_of(entry: Mapping[str, t.Any], updated: int) -> Facts:
    """Take from a journal entry what matters.

    Args:
        entry: As the API gives it, numbers with a point as `Decimal`.
        updated: Its `updatedAt`, microseconds since 1970.
    """
    found = entry.get("lines")
    lines = [line for line in found if isinstance(line, dict)] if isinstance(found, list) else []
    debit = sum((_debit(line) for line in lines), NOTHING)
    credit = sum((_credit(line) for line in lines), NOTHING)
    if not lines:
        debit, credit = _amount(entry.get("totalDebit")), _amount(entry.get("totalCredit"))
    key = str(entry["journalEntryId"])
    date, status = entry.get("accountingDate"), entry.get("status")
    return Facts(
        key=key,
        books=str(entry.get("companyId") or entry.get("rooftopId") or ""),
        year=_whole(entry.get("fiscalYear")),
        number=_whole(entry.get("fiscalPeriod")),
        date=date if isinstance(date, str) else "",
        status=status.casefold() if isinstance(status, str) else "",
        born=_born(entry, updated),
        debit=debit,
        credit=credit,
        digest=_digest([key, date, debit, credit, sorted(map(_content, lines))]),
    )


def _row(values: Mapping[str, t.Any]) -> Control:
    count = values["count"]
    if type(count) is not int:
        raise TypeError
    return Control(
        count, Decimal(values["debit"]), Decimal(values["credit"]), int(values["hash"], 16)
    )


def _content(line: Mapping[str, t.Any]) -> list[str]:
    amounts = [str(_debit(line).normalize()), str(_credit(line).normalize())]
    return [str(line.get("lineId")), *amounts, *(str(line.get(name)) for name in FINANCIAL)]


def _digest(content: list[t.Any]) -> int:
    text = _canonical.encode(
        [part.normalize() if isinstance(part, Decimal) else part for part in content]
    )
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _debit(line: Mapping[str, t.Any]) -> Decimal:
    return _side(line, "debit", 1)


def _credit(line: Mapping[str, t.Any]) -> Decimal:
    return _side(line, "credit", -1)


def _side(line: Mapping[str, t.Any], field: str, sign: int) -> Decimal:
    """Return one side of a line; from the signed amount where it has no sides."""
    if line.get("debit") is None and line.get("credit") is None:
        return max(NOTHING, sign * _amount(line.get("amount")))
    return _amount(line.get(field))


def _amount(value: object) -> Decimal:
    return Decimal(value) if isinstance(value, int | Decimal) else NOTHING


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _born(entry: Mapping[str, t.Any], updated: int) -> int:
    """Return when an entry came into the books; its last change where it does not say."""
    known = []
    for name in ("createdAt", "postedAt"):
        try:
            known.append(to_microseconds(entry[name]))
        except (KeyError, TypeError, ValueError):
            continue
    return max(known, default=updated)
