"""A plan in a file: what is to be sent, exactly, until a person has it applied."""

from __future__ import annotations

import dataclasses
import secrets
import typing as t

from automate_api import whole_files
from automate_api.errors import ConfigError
from automate_api.exact_json import decode, encode
from target_automate.journal import identity
from target_automate.journal.sealing import SALT_BYTES, KeySeal, WrongKeyError
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from pathlib import Path

VERSION: t.Final = 1
MODE: t.Final = 0o600


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWrite:
    """A write that is planned; the attributes are those of `Intent`.

    Attributes:
        seen: Of the guard: a hash of what the DMS held of the fields that would change. None where
            nothing is changed, or an earlier write of the plan changes the record.
    """

    object: str
    business_key: str = dataclasses.field(repr=False)
    content_hash: str
    sequence: int
    payload: dict[str, t.Any] = dataclasses.field(repr=False)
    seen: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a plan file holds.

    Attributes:
        tenant: Whose DMS it is for.
        journal_id: Of the journal that it was compared with; None when there was none.
        made_at: Seconds since 1970.
        writes: In the order in which their records came.
    """

    tenant: str
    journal_id: str | None
    made_at: float
    writes: list[PlannedWrite]


def write(path: Path, plan: Plan, key: str | None) -> None:
    """Write a plan, readable for this user alone: the whole file or none of it.

    Args:
        path: Of the file.
        plan: What to keep.
        key: `journal_key`; encrypts it when given.

    Raises:
        ConfigError: When it cannot be written.
    """
    text = encode({"version": VERSION, **dataclasses.asdict(plan)})
    if key is not None:
        salt = secrets.token_bytes(SALT_BYTES)
        sealed = KeySeal(key, salt).close(text).decode()
        text = encode({"version": VERSION, "salt": salt.hex(), "sealed": sealed})
    try:
        whole_files.write(path, text, mode=MODE)
    except OSError as error:
        msg = f"The plan {path} cannot be written ({error.strerror})."
        raise ConfigError(msg) from None


def _hash(write: PlannedWrite) -> str:
    return identity.record_hash(by_object(write.object), write.payload)


def read(path: Path, key: str | None) -> Plan:
    """Read a plan.

    Args:
        path: Of the file.
        key: `journal_key`, for one that is encrypted.

    Raises:
        ConfigError: When it cannot be read, is no plan, or the key is wrong.
    """
    try:
        content = decode(path.read_bytes())
        if "sealed" in content:
            if key is None:
                msg = f"The plan {path} is encrypted: give its key with `journal_key`."
                raise ConfigError(msg)
            seal = KeySeal(key, bytes.fromhex(content["salt"]))
            content = decode(seal.open(content["sealed"].encode()))
        if content.pop("version") != VERSION:
            msg = f"The plan {path} was made by another version of automate-dms; plan again."
            raise ConfigError(msg)
        writes = [PlannedWrite(**planned) for planned in content.pop("writes")]
        if any(_hash(kept) != kept.content_hash for kept in writes):
            msg = f"The plan {path} was changed since it was made; plan again."
            raise ConfigError(msg)
        return Plan(writes=writes, **content)
    except OSError as error:
        msg = f"The plan {path} cannot be read ({error.strerror})."
        raise ConfigError(msg) from None
    except WrongKeyError:
        msg = f"`journal_key` is not the key of the plan {path}."
        raise ConfigError(msg) from None
    except (ValueError, TypeError, LookupError, AttributeError):
        msg = f"The file {path} is no plan of `automate-dms push plan`."
        raise ConfigError(msg) from None
