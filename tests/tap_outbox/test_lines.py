"""Files of JSON lines: what is read, with which schema, and what is said of lines that are none."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_api.errors import ConfigError, TryLaterError
from tap_outbox.lines import Survey, survey

if t.TYPE_CHECKING:
    from pathlib import Path


def surveyed(folder: Path, content: bytes) -> Survey:
    (folder / "things.jsonl").write_bytes(content)
    (found,) = survey(folder)
    return found


def types(found: Survey) -> dict[str, list[str]]:
    return {name: rule["type"] for name, rule in found.schema["properties"].items()}


def test_numbers_keep_every_digit(tmp_path: Path) -> None:
    found = surveyed(tmp_path, b'{"a": 0.1000, "b": 12345678901234567890123, "c": 1e400}\n')
    (record,) = found.records()
    assert [str(value) for value in record.values()] == [
        "0.1000",
        "12345678901234567890123",
        "1E+400",
    ]


def test_a_field_has_the_types_of_all_its_values_and_null(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        b'{"a": 1, "b": true, "c": null, "d": [1], "e": {"x": 1}}\n'
        b'{"a": 2.5, "b": "yes", "f": "late"}\n{"a": null, "d": "none"}\n',
    )
    assert types(found) == {
        "a": ["number", "null"],
        "b": ["boolean", "string", "null"],
        "c": ["string", "null"],
        "d": ["array", "string", "null"],
        "e": ["object", "null"],
        "f": ["string", "null"],
    }
    assert found.schema["properties"]["d"]["items"] == {}


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\n{"a": 2}',
        b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n',
        b'\n\n{"a": 1}\n  \t\n{"a": 2}\n\n',
        b' {"a": 1} \n\t{"a": 2}\n',
    ],
    ids=["plain", "no end", "mark and CR LF", "empty lines", "blanks"],
)
def test_every_way_to_write_lines_gives_the_same_records(tmp_path: Path, content: bytes) -> None:
    found = surveyed(tmp_path, content)
    assert list(found.records()) == [{"a": 1}, {"a": 2}]
    assert found.bad == []


@pytest.mark.parametrize(
    "line",
    [
        b"private text",
        b'{"a": 1',
        b'{"a": 1}{"a": 2}',
        b"[1]",
        b"17",
        b"null",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": ' + b"[" * 100_000,
        b"\xef\xbb\xbf{}",
        b'{"a": 1e' + b"9" * 40 + b"}",
    ],
)
def test_a_line_that_is_no_object_is_counted_and_all_others_are_read(
    tmp_path: Path, line: bytes
) -> None:
    found = surveyed(tmp_path, b'{"a": 1}\n\n' + line + b'\n{"b": 2}\n')
    assert list(found.records()) == [{"a": 1}, {"b": 2}]
    assert (found.bad, found.cut) == ([3], False)


def test_a_last_line_that_is_cut_is_told_from_one_that_is_wrong(tmp_path: Path) -> None:
    cut = surveyed(tmp_path, b'wrong\n{"a": 1}\n{"a":')
    assert (cut.bad, cut.cut) == ([1, 3], True)
    whole = surveyed(tmp_path, b'wrong\n{"a": 1}')
    assert (whole.bad, whole.cut) == ([1], False)


def test_what_is_appended_after_the_first_reading_is_left_to_the_next(tmp_path: Path) -> None:
    found = surveyed(tmp_path, b'{"a": 1}\n{"a": 2}\n')
    with found.path.open("ab") as file:
        file.write(b'{"a": 3, "new": true}\n')
    assert list(found.records()) == [{"a": 1}, {"a": 2}]
    (next_,) = survey(tmp_path)
    assert [record["a"] for record in next_.records()] == [1, 2, 3]


@pytest.mark.parametrize("content", [b'{"b": 1}\n{"a": 2}\n', b'{"a": 1}\nno object at all\n'])
def test_a_file_that_is_rewritten_between_the_readings_is_not_taken(
    tmp_path: Path, content: bytes
) -> None:
    found = surveyed(tmp_path, b'{"a": 1}\n{"a": 2222222222}\n')
    found.path.write_bytes(content)
    with pytest.raises(TryLaterError, match=r"things\.jsonl was changed"):
        list(found.records())


def test_a_file_that_is_removed_between_the_readings_is_named(tmp_path: Path) -> None:
    found = surveyed(tmp_path, b'{"a": 1}\n')
    found.path.unlink()
    with pytest.raises(ConfigError, match=r"things\.jsonl cannot be read"):
        list(found.records())


def test_other_files_hidden_ones_and_folders_are_left_alone(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", ".hidden.jsonl", "c.json", "d.jsonl.tmp", "README"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder.jsonl").mkdir()
    assert [found.name for found in survey(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_has_neither_fields_nor_records(tmp_path: Path, content: bytes) -> None:
    found = surveyed(tmp_path, content)
    assert not found.has_fields
    assert list(found.records()) == []


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "outbox"
    if kind == "a file":
        place.touch()
    with pytest.raises(ConfigError, match=r"outbox cannot be read.*`path`"):
        survey(place)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4), max_size=8))
def test_any_objects_are_read_as_they_are_and_fit_the_schema(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, t.Any]]
) -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    folder = tmp_path_factory.mktemp("any")
    found = surveyed(folder, b"\n".join(map(encode, records)))
    came = list(found.records())
    assert came == records
    validator = jsonschema.Draft202012Validator(found.schema)
    for record in came:
        assert [error.json_path for error in validator.iter_errors(_plain(record))] == []


def _plain(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """Make decimals what a validator takes for a number that is no integer."""
    if isinstance(value, dict):
        return {name: _plain(child) for name, child in value.items()}
    return 0.5 if isinstance(value, Decimal) else value
