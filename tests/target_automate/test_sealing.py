"""What is personal is kept as it is without a key, and encrypted with one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_automate.journal.sealing import SALT_BYTES, KeySeal, NoSeal, WrongKeyError

SALT = bytes(range(SALT_BYTES))
OTHER_SALT = bytes(SALT_BYTES)
KEY = "a long enough key"
TEXT = b'{"lastName":"Quorndon"}'


def test_without_a_key_texts_stay_as_they_are() -> None:
    assert NoSeal().close(TEXT) == TEXT
    assert NoSeal().open(TEXT) == TEXT


@given(st.binary(max_size=300))
def test_what_is_closed_opens_with_the_same_key_and_salt(text: bytes) -> None:
    assert KeySeal(KEY, SALT).open(KeySeal(KEY, SALT).close(text)) == text


def test_a_closed_text_shows_nothing_and_is_another_each_time() -> None:
    closed = [KeySeal(KEY, SALT).close(TEXT) for _ in range(2)]
    assert closed[0] != closed[1]
    assert not any(b"Quorndon" in text for text in closed)


@pytest.mark.parametrize(("key", "salt"), [("another long key", SALT), (KEY, OTHER_SALT)])
def test_another_key_or_salt_opens_nothing_and_compares_with_nothing(key: str, salt: bytes) -> None:
    closed = KeySeal(KEY, SALT).close(TEXT)
    with pytest.raises(WrongKeyError):
        KeySeal(key, salt).open(closed)
    assert KeySeal(key, salt).digest("customers", "crm-1") != KeySeal(KEY, SALT).digest(
        "customers", "crm-1"
    )


@pytest.mark.parametrize("damage", [b"", TEXT, b"\x00"])
def test_a_damaged_text_does_not_open(damage: bytes) -> None:
    with pytest.raises(WrongKeyError):
        KeySeal(KEY, SALT).open(damage)


parts = st.lists(st.text(), min_size=1, max_size=3)


@given(parts, parts)
def test_digests_are_equal_for_the_same_parts_alone(left: list[str], right: list[str]) -> None:
    for seal in (NoSeal(), KeySeal(KEY, SALT)):
        assert (seal.digest(*left) == seal.digest(*right)) is (left == right)


def test_a_keyed_digest_is_not_the_plain_one() -> None:
    assert KeySeal(KEY, SALT).digest("customers", "crm-1") != NoSeal().digest("customers", "crm-1")
