"""Names of downloads: no path, no device, no hidden file, and one folder for one record."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_automate.downloads.names import LONGEST, file_name, folder_name, photo_name, suffix_of

NAMES = st.text(st.characters(codec=None), max_size=300) | st.text(
    st.sampled_from('./\\ ~CONcomnul1:*?"<>|%#\u202e\u0000\ud800é'), max_size=40
)


@given(NAMES)
def test_any_name_becomes_one_component_that_every_file_system_takes(name: str) -> None:
    made = file_name(name, "application/pdf")
    assert 1 <= len(made.encode()) <= LONGEST
    assert not set(made) & set('<>:"|?*%#/\\')
    assert made.isprintable()
    assert not made.startswith((".", " "))
    assert not made.endswith((".", " "))
    device = made.partition(".")[0].rstrip().upper()
    assert device not in {"CON", "NUL", "COM1", "LPT9", "AUX", "PRN"}
    assert unicodedata.normalize("NFC", made) == made
    assert file_name(made, None) == made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("window sticker.pdf", "window sticker.pdf"),
        ("契約書.pdf", "契約書.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "file.pdf"),
        ("..", "file.pdf"),
        ("", "file.pdf"),
        (None, "file.pdf"),
        ("  . ", "file.pdf"),
        (".downloads.json", "downloads.json"),
        ("report.pdf. ", "report.pdf"),
        ("nul.txt", "_nul.txt"),
        ("CON .txt", "_CON .txt"),
        ("COM\u00b9", "_COM\u00b9"),
        ("100%?#.pdf", "100___.pdf"),
        ("evil\u202efdp.exe", "evil_fdp.exe"),
        ("line\nbreak\x00.pdf", "line_break_.pdf"),
        ("Ame\u0301lie.pdf", "Am\u00e9lie.pdf"),
    ],
)
def test_a_name_stays_as_near_to_the_dmss_as_it_can(name: str | None, expected: str) -> None:
    assert file_name(name, "application/pdf") == expected


def test_a_long_name_keeps_its_end_and_no_half_character() -> None:
    made = file_name("ü" * 400 + ".pdf", None)
    assert made.endswith("ü.pdf")
    assert len(made.encode()) in {LONGEST, LONGEST - 1}


def test_names_that_differ_only_in_their_unicode_form_are_one() -> None:
    assert file_name("Ame\u0301lie", None) == file_name("Am\u00e9lie", None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("image/jpeg", "2.jpg"),
        ("image/png; charset=binary", "2.png"),
        ("image/webp", "2.webp"),
        ("no/such", "2.bin"),
        ("../x", "2.bin"),
        (None, "2.bin"),
    ],
)
def test_a_photo_is_named_by_its_place_and_type(kind: str | None, expected: str) -> None:
    assert photo_name(2, kind) == expected
    assert suffix_of(kind) == expected[1:]


@pytest.mark.parametrize("key", ["att_9fa201", "veh-1", "1"])
def test_a_plain_id_is_its_own_folder(key: str) -> None:
    assert folder_name([key]) == key


@given(NAMES, NAMES)
def test_two_records_never_share_a_folder_also_where_case_does_not_count(
    one: str, other: str
) -> None:
    folders = {folder_name([one]), folder_name([other])}
    assert len({name.casefold() for name in folders}) == len({one, other})
    for name in folders:
        assert file_name(name, None) == name
        assert len(name) <= 100


def test_an_id_that_is_a_path_or_a_device_gets_a_folder_of_its_own() -> None:
    for key in ("../..", "/etc", "con", "ATT_1", "", "a/b", "att_1 "):
        made = folder_name([key])
        assert made != key
        assert "/" not in made
