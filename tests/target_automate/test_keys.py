"""Idempotency keys: the same for each attempt, trusted only when an answer has proved them."""

from __future__ import annotations

import re
import typing as t

import pytest
from support.intents import AT, TENANT, intent, journal_at

from target_automate.sending.keys import Keys

if t.TYPE_CHECKING:
    from pathlib import Path

    from target_automate.journal.journal import Journal

DAY: t.Final = 86_400.0


def keys_of(journal: Journal, policy: str = "auto", **changes: t.Any) -> Keys:  # noqa: ANN401 - settings
    settings: dict[str, t.Any] = {"header": "Idempotency-Key", "quoted": False, "lifetime": DAY}
    return Keys(journal, TENANT, policy=policy, **settings | changes)


def key_of(keys: Keys, **changes: t.Any) -> str:  # noqa: ANN401 - attributes
    (value,) = keys.headers(intent(**changes)).values()
    return value


def test_by_default_keys_are_not_trusted_until_an_answer_proves_them(journal: Journal) -> None:
    keys = keys_of(journal)
    known = [keys.honoured]
    keys.prove()
    known.append(keys.honoured)
    assert known == [False, True]
    assert keys_of(journal).honoured, "the next run has to know it, too"


def test_a_setting_that_says_they_are_ignored_stands_against_any_proof(journal: Journal) -> None:
    keys_of(journal).prove()
    keys = keys_of(journal, "ignored")
    keys.prove()
    assert not keys.honoured


def test_a_setting_that_says_they_are_honoured_needs_no_proof(journal: Journal) -> None:
    assert keys_of(journal, "honoured").honoured
    assert not keys_of(journal).honoured, "a setting proves nothing"


@pytest.mark.parametrize(
    ("first_sent_at", "settles"),
    [(None, False), (AT, True), (AT - DAY + 1, True), (AT - DAY, False), (AT + 60, False)],
)
def test_a_key_settles_an_outcome_while_the_server_keeps_it(
    journal: Journal, first_sent_at: float | None, *, settles: bool
) -> None:
    sent = intent(first_sent_at=first_sent_at)
    assert keys_of(journal, "honoured").settles(sent, AT) is settles
    assert not keys_of(journal, "ignored").settles(sent, AT)


def test_a_key_is_the_same_for_every_attempt_and_run(journal: Journal) -> None:
    first = key_of(keys_of(journal))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first)
    assert key_of(keys_of(journal), id=7, attempts=3, first_sent_at=AT) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"business_key": "crm-2"},
        {"content_hash": "b" * 64},
        {"sequence": 2},
        {"generation": 1},
        {"object_name": "deals"},
    ],
    ids=str,
)
def test_another_write_has_another_key(journal: Journal, changes: dict[str, t.Any]) -> None:
    keys = keys_of(journal)
    assert key_of(keys, **changes) != key_of(keys)


def test_after_a_lost_journal_a_create_keeps_its_key_and_an_upsert_gets_another(
    tmp_path: Path,
) -> None:
    keys = []
    for name in ("first", "second"):
        with journal_at(tmp_path / name) as journal:
            made = keys_of(journal)
            keys.append([key_of(made, object_name=name) for name in ("deals", "customers")])
    (deal, customer), (same_deal, other_customer) = keys
    assert deal == same_deal
    assert customer != other_customer


def test_header_and_quotes_are_as_the_settings_say(journal: Journal) -> None:
    plain = key_of(keys_of(journal))
    quoted = keys_of(journal, header="X-Key", quoted=True).headers(intent())
    assert quoted == {"X-Key": f'"{plain}"'}
