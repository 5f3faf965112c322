from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import msgspec
import pytest

from automate_api import exact_json

DIGITS: t.Final = b"[1.50,0.1,-0.0,1E-43,1234567890123456789012345678901234567890.12345,7]"


class Price(msgspec.Struct):
    amount: t.Any


def test_every_digit_that_was_read_is_written_again() -> None:
    values = exact_json.decode(DIGITS)
    assert values[:2] == [Decimal("1.50"), Decimal("0.1")]
    assert exact_json.encode(values) == DIGITS
    assert exact_json.encode_lines([values, values]) == (DIGITS + b"\n") * 2
    buffer = bytearray(b"before ")
    exact_json.encode_into(values, buffer, -1)
    assert buffer == b"before " + DIGITS


def test_a_typed_value_has_every_digit() -> None:
    price = exact_json.decoder(Price).decode(b'{"amount":1.10}')
    assert str(price.amount) == "1.10"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"[1.5", msgspec.DecodeError),
        (b'"\xff"', UnicodeError),
        (b"1.0E" + b"9" * 30, ArithmeticError),
    ],
)
def test_what_cannot_be_read_raises_as_documented(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        exact_json.decode(text)


def test_threads_do_not_disturb_each_other() -> None:
    together = threading.Barrier(4)

    def work(number: int) -> bool:
        text = DIGITS[:-1] + b"," + str(number).encode() * 50 + b"]"
        together.wait(10)
        return all(exact_json.encode(exact_json.decode(text)) == text for _ in range(500))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(1, 5)))
