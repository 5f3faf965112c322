"""Which files a record names, whatever a vendor sends in their place."""

from __future__ import annotations

import copy
import typing as t

import msgspec
import pytest

from automate_api import contract
from automate_api.contract import stream_schema
from tap_automate.downloads.fields import (
    DOWNLOADED_TO,
    has_place,
    holders,
    named,
    put,
    wanted,
    with_place,
    without_place,
)
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec
from tap_automate.streams import STREAMS, Files

VEHICLES, ATTACHMENTS = (each for each in STREAMS if each.files)
PHOTOS, DOCUMENT = t.cast("Files", VEHICLES.files), t.cast("Files", ATTACHMENTS.files)


def test_the_schema_has_the_field_where_a_file_is_named_and_the_contract_stays_as_it_is() -> None:
    for declaration, files in ((VEHICLES, PHOTOS), (ATTACHMENTS, DOCUMENT)):
        schema = contract.load().resource(declaration.path).record_schema
        before = copy.deepcopy(schema)
        extended = with_place(schema, files)
        assert schema == before
        assert not has_place(schema, files)
        assert has_place(extended, files)
        assert has_place(stream_schema(extended, key=("updatedAt",)), files)
        assert without_place(extended, files) == schema
        assert without_place(schema, files) is schema
        assert has_place(extended, files)


def test_every_field_that_a_declaration_names_is_in_the_contract() -> None:
    for declaration, files in ((VEHICLES, PHOTOS), (ATTACHMENTS, DOCUMENT)):
        schema = contract.load().resource(declaration.path).record_schema["properties"]
        if files.within:
            schema = schema[files.within]["items"]["properties"]
        fields = (files.url, files.name, files.content_type, files.size, files.sha256, files.ends)
        assert {name for name in fields if name} <= schema.keys()


def test_settings_say_which_files_are_wanted() -> None:
    assert wanted(None, {"download_to": "x"}) is None
    assert wanted(DOCUMENT, {}) is None
    assert wanted(DOCUMENT, {"download_to": "x", "download_photos": False}) is DOCUMENT
    assert wanted(PHOTOS, {"download_to": "x", "download_photos": True}) is PHOTOS
    assert wanted(PHOTOS, {"download_to": "x", "download_photos": False}) is None


@pytest.mark.parametrize(
    ("photos", "expected"),
    [
        ([{"url": "https://a/1"}, {"url": "https://a/2"}], [1, 2]),
        ([None, {"url": None}, {}, {"url": ""}, {"url": "https://a/5"}], [5]),
        (["https://a/1", {"url": "https://a/2"}], [2]),
        ([{"url": 7}, {"url": ["x"]}], []),
        ([], []),
        (None, []),
        ("https://a/1", []),
        ({"url": "https://a/1"}, []),
    ],
)
def test_photos_are_found_in_records_as_the_codec_reads_them(
    photos: object, expected: list[int]
) -> None:
    schema = with_place(contract.load().resource(VEHICLES.path).record_schema, PHOTOS)
    codec = Codec(schema, Privacy({}, None, frozenset()))
    record = {"vehicleId": "veh_1", "updatedAt": "2026-01-20T13:45:00Z", "photos": photos}
    page = {"items": [record, record], "page": 1, "pageSize": 2, "total": 2}
    # The second page is read with what the first has taught.
    for _ in range(2):
        for found in codec.normalise(codec.decode(msgspec.json.encode(page)).items):
            parts = holders(found, PHOTOS)
            files = [
                named(part, position, PHOTOS)
                for position, part in enumerate(parts, 1)
                if part is not None
            ]
            assert [file.position for file in files if file] == expected
            for part in parts:
                if part is not None:
                    put(part, "here")
            emitted = msgspec.to_builtins(found)
            if expected:
                assert emitted["photos"][expected[0] - 1][DOWNLOADED_TO] == "here"


def test_what_does_not_fit_a_file_counts_as_unknown() -> None:
    odd: dict[str, t.Any] = {
        "downloadUrl": " https://a/1 ",
        "fileName": None,
        "contentType": 5,
        "size": -1,
        "sha256": "no digest",
        "urlExpiresAt": "soon",
    }
    file = named(odd, 1, DOCUMENT)
    assert file is not None
    assert (file.url, file.name) == ("https://a/1", "")
    assert (file.content_type, file.size, file.sha256, file.ends) == (None,) * 4
    digest = "AB" * 32
    file = named(odd | {"size": True, "sha256": digest}, 1, DOCUMENT)
    assert file is not None
    assert (file.size, file.sha256) == (None, digest.lower())
