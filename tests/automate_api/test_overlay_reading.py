"""An overlay's file is read whole, or refused with the line and key of all that is wrong."""

from __future__ import annotations

import json
import re
import textwrap
import typing as t
from pathlib import Path

import pytest
import yaml
from support.papers import ROOT

from automate_api import contract
from automate_api.errors import ConfigError
from automate_api.tenant.operations import operations_of
from automate_api.tenant.overlay import CallOverlay, ResourceOverlay
from automate_api.tenant.reading import CALL_KEYS, RESOURCE_KEYS, from_text, read
from tap_automate.streams import STREAMS
from target_automate.sinks.entities import ENTITIES

WHOLE = """
resources:
  vehicles:
    path: /inventory/units
    parameters: {updatedFrom: modifiedSince}
    fields: {stockNumber: stockNo, lot.name: location.title}
    add:
      tenantTag: {type: string, pii: true, description: Of the dealer.}
      lot.row: {type: integer}
      stickers: {type: array, items: {type: object, properties: {code: {type: string}}}}
    values: {status: {demo: null, on_lot: in_stock}}
    pii: [comments]
  parts: {offered: false}
  repair_orders:
    fields: {"lines[].laborSale": labor.sale, "lines[].parts[].unitCost": cost.each}
calls:
  changeDealStatus: {path: "/deals/{id}/move", fields: {expectedStatus: fromStatus}}
  createDeal:
    add: {channel: {type: string, enum: [web, walk_in]}}
"""


def problems(text: str) -> list[str]:
    """List what is said of a file: without its first line, and each without its dash."""
    with pytest.raises(ConfigError) as caught:
        from_text(textwrap.dedent(text), Path("tenant.yaml"))
    first, *lines = str(caught.value).split("\n  - ")
    assert first == "The overlay tenant.yaml cannot be used."
    return lines


def problem(text: str) -> str:
    """Give the one thing that is said of a file."""
    (found,) = problems(text)
    return found


def of_vehicles(text: str) -> str:
    """Put one line about vehicles, the third, into a file."""
    return f"resources:\n  vehicles:\n    {text}\n"


def test_all_of_a_file_is_read() -> None:
    overlay = from_text(WHOLE, Path("tenant.yaml"))
    assert overlay.resource("vehicles") == ResourceOverlay(
        path="/inventory/units",
        parameters={"updatedFrom": "modifiedSince"},
        fields={"stockNumber": "stockNo", "lot.name": "location.title"},
        add={
            "tenantTag": {
                "type": ["string", "null"],
                "x-origin": "inferred",
                "x-pii": True,
                "description": "Of the dealer.",
            },
            "lot.row": {"type": ["integer", "null"], "x-origin": "inferred"},
            "stickers": {
                "type": ["array", "null"],
                "x-origin": "inferred",
                "items": {
                    "type": ["object", "null"],
                    "x-origin": "inferred",
                    "properties": {"code": {"type": ["string", "null"], "x-origin": "inferred"}},
                },
            },
        },
        values={"status": {"demo": None, "on_lot": "in_stock"}},
        pii=("comments",),
    )
    assert not overlay.offers("parts")
    assert overlay.offers("vehicles")
    assert overlay.offers("deals")
    assert overlay.call("changeDealStatus").path == "/deals/{id}/move"
    assert overlay.call("createAttachment") == CallOverlay()


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps])
def test_what_is_written_of_an_overlay_is_read_as_the_same(
    write: t.Callable[[object], str], tmp_path: Path
) -> None:
    overlay = from_text(WHOLE, Path("tenant.yaml"))
    file = tmp_path / "overlay"
    file.write_text(write(overlay.as_document()))
    again = read(file)
    assert (again.resources, again.calls) == (overlay.resources, overlay.calls)
    assert again.source == file


def test_the_file_that_the_page_shows_is_right() -> None:
    page = (ROOT / "docs/overlay.md").read_text("utf-8")
    (shown,) = re.findall(r"^```yaml\n(.+?)^```", page, re.DOTALL | re.MULTILINE)
    overlay = from_text(shown, Path("docs/overlay.md"))
    assert overlay.resource("vehicles").values == {"status": {"on_lot": "in_stock", "demo": None}}
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted({*RESOURCE_KEYS, *CALL_KEYS})


def test_what_says_nothing_is_no_part_of_what_is_written() -> None:
    assert from_text("resources: {vehicles: {}}\ncalls:", Path("x")).as_document() == {}
    assert from_text("{}", Path("x")).as_document() == {}
    assert from_text("# resources:\n", Path("x")).as_document() == {}


@pytest.mark.parametrize("text", ["", " \n\n"])
def test_a_file_that_is_empty_is_refused(text: str) -> None:
    """It was cut short, or is another than was meant: the tenant's own names would go unread."""
    with pytest.raises(
        ConfigError, match=r"the file is empty\..*`contract_overlay` out, or write {}\."
    ):
        from_text(text, Path("x"))


def test_resources_are_the_streams_and_what_the_target_writes() -> None:
    lists = operations_of(contract.load()).lists
    assert {name: each.path for name, each in lists.items()} == {
        stream.name: stream.path for stream in STREAMS
    }
    assert {entity.name: entity.path for entity in ENTITIES}.items() <= {
        name: each.path for name, each in lists.items()
    }.items()


def test_names_are_taken_as_they_are_written() -> None:
    overlay = from_text(of_vehicles("fields: {stockNumber: no, vin: 17}"), Path("x"))
    assert overlay.resource("vehicles").fields == {"stockNumber": "no", "vin": "17"}


def test_a_file_that_is_not_there_or_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.*cannot be read \(No such file.*overlay`"):
        read(tmp_path / "absent")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read(tmp_path / "bytes")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resources:\n  vehicles: {path", "no YAML (line 2: "),
        ("a\x00b", "no text of YAML or JSON"),
        ('{"resources": {"vehicles": }', "no YAML (line 1: "),
        ("resources:\n\tvehicles: {}", "no YAML (line 2: "),
        ('{"a":' * 3000, "no text of YAML or JSON"),
        (r'a: "\U00110000"', "no text of YAML or JSON"),
        (r'a: "\UFFFFFFFF"', "no text of YAML or JSON"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_text(text, Path("tenant.yaml"))
    assert said in str(caught.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_is_read_as_it_is_written(tmp_path: Path, mark: str) -> None:
    add = {"smile": {"type": "string", "description": "\U0001f600 \\ud83d\\ude00"}}
    said = {"resources": {"vehicles": {"path": "/units", "add": add}}}
    path = tmp_path / "tenant.json"
    text = json.dumps(said, indent="\t").replace("/", r"\/").replace("\n", "\r\n")
    path.write_bytes((mark + text).encode())
    assert read(path).as_document() == said


def test_aliases_are_refused_so_that_no_file_is_without_end() -> None:
    assert problem("resources: &a\n  vehicles: *a\n") == (
        "line 2, `*a`: aliases are not read. Write what it stands for."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resource: {}", "line 1, `resource`: there is no such section. Is `resources` meant?"),
        ("[]", "line 1: expected a mapping of resources and calls, got a list."),
        ("vehicles", "line 1: expected a mapping of resources and calls, got text."),
        ("[a]: b", "line 1: expected a section, got none that is text."),
        ("resources: []", "line 1, `resources`: expected a mapping, got a list."),
        (
            "resources: {vehicle: {}}",
            "line 1, `resources.vehicle`: there is no such resource. Is `vehicles` meant?",
        ),
        (
            "calls: {createDeals: {}}",
            "line 1, `calls.createDeals`: there is no such operation. Is `createDeal` meant?",
        ),
        (
            "calls: {createSession: {path: /login}}",
            "line 1, `calls.createSession`: this call is the same at every tenant. Leave it out.",
        ),
        (
            of_vehicles("paths: /units"),
            "line 3, `resources.vehicles.paths`: there is no such key. Is `path` meant?",
        ),
        (
            of_vehicles("path: units"),
            (
                "line 3, `resources.vehicles.path`: expected a path such as "
                "`/inventory/units`, got other text."
            ),
        ),
        (
            of_vehicles('path: "/units/{id}"'),
            (
                "line 3, `resources.vehicles.path`: expected `{id}` not in it, where "
                "the record's id stands."
            ),
        ),
        (
            "calls:\n  getVehicle:\n    path: /unit",
            (
                "line 3, `calls.getVehicle.path`: expected `{id}` once in it, where "
                "the record's id stands."
            ),
        ),
        (
            of_vehicles("path: {a: b}"),
            "line 3, `resources.vehicles.path`: expected a path, got a mapping.",
        ),
        (
            of_vehicles("offered: perhaps"),
            "line 3, `resources.vehicles.offered`: expected true or false, got text.",
        ),
        (
            of_vehicles("offered: 2026-13-32"),
            "line 3, `resources.vehicles.offered`: expected true or false, got text.",
        ),
        (
            of_vehicles("parameters: {updatedFroms: since}"),
            (
                "line 3, `resources.vehicles.parameters.updatedFroms`: there is no "
                "such parameter. Is `updatedFrom` meant?"
            ),
        ),
        (
            of_vehicles("parameters: {updatedFrom: a&b}"),
            (
                "line 3, `resources.vehicles.parameters.updatedFrom`: expected the "
                "name of a query parameter, got other text."
            ),
        ),
        (
            of_vehicles("fields: {stockNumbr: no}"),
            (
                "line 3, `resources.vehicles.fields.stockNumbr`: there is no such field. Is "
                "`stockNumber` meant?"
            ),
        ),
        (
            of_vehicles("fields: {lot..name: no}"),
            (
                "line 3, `resources.vehicles.fields.lot..name`: expected names joined "
                "by dots, such as `lot.name` or `lines[].payType`."
            ),
        ),
        (
            of_vehicles("fields: {vin: a b}"),
            (
                "line 3, `resources.vehicles.fields.vin`: expected names joined by "
                "dots, such as `lot.name`, got other text."
            ),
        ),
        (
            of_vehicles("fields: {vin: null}"),
            (
                "line 3, `resources.vehicles.fields.vin`: expected the tenant's name "
                "of the field, got nothing."
            ),
        ),
        (
            of_vehicles("fields: {'photos[].url': 'pictures[].link'}"),
            (
                "line 3, `resources.vehicles.fields.photos[].url`: expected a path "
                "from the item on, such as `link`: what is within an array stays in it."
            ),
        ),
        (
            of_vehicles("fields: {vin: a, 'vin': b}"),
            "line 3, `resources.vehicles.fields.vin`: given twice, first in line 3. Leave one.",
        ),
        (
            of_vehicles("fields: {[a]: b}"),
            "line 3, `resources.vehicles.fields`: expected a field, got none that is text.",
        ),
        (
            of_vehicles("pii: comments"),
            "line 3, `resources.vehicles.pii`: expected a list, got text.",
        ),
        (
            of_vehicles("pii: [coments]"),
            "line 3, `resources.vehicles.pii[0]`: there is no such field. Is `comments` meant?",
        ),
        (
            of_vehicles("values: {make: {a: null}}"),
            (
                "line 3, `resources.vehicles.values.make`: expected a field with a "
                "closed list, this one takes any value."
            ),
        ),
        (
            of_vehicles("values: {status: {lot: instock}}"),
            (
                "line 3, `resources.vehicles.values.status.lot`: expected null or a "
                "word of the contract; there is no such word. Is `in_stock` meant?"
            ),
        ),
        (
            of_vehicles("values: {status: {in_stock: lot}}"),
            (
                "line 3, `resources.vehicles.values.status.in_stock`: expected null or a word of "
                "the contract; left stands the tenant's. Are the two the wrong way round?"
            ),
        ),
        (
            of_vehicles("values: {status: {in_stock: null}}"),
            (
                "line 3, `resources.vehicles.values.status.in_stock`: the contract has "
                "this word. Leave it out."
            ),
        ),
        (
            of_vehicles("values: {status: {a: in_stock, b: in_stock}}"),
            (
                "line 3, `resources.vehicles.values.status`: `a` and `b` would both be "
                "`in_stock`, and a filter finds but one of them. Give one of them null: then it is "
                "a further word."
            ),
        ),
        (
            of_vehicles("values: {status: {transit: in_stock}}"),
            (
                "line 3, `resources.vehicles.values.status`: `transit` is a word of "
                "the contract, too. Say what the tenant's word for that is, or leave `transit` out."
            ),
        ),
        (
            of_vehicles("values: {status: {transit: in_stock, in_stock: transit}}"),
            (
                "line 3, `resources.vehicles.values.status`: `transit` -> `in_stock` "
                "-> `transit` is a circle. Leave these words out."
            ),
        ),
        (
            "calls:\n  getVehicle: {fields: {vin: no}}",
            (
                "line 2, `calls.getVehicle.fields`: a call that reads records has none "
                "of its own. Say it under `resources.vehicles`."
            ),
        ),
        (
            "calls:\n  listVehicles: {path: /units}",
            (
                "line 2, `calls.listVehicles.path`: a call that reads records has none "
                "of its own. Say it under `resources.vehicles`."
            ),
        ),
    ],
)
def test_what_is_wrong_by_itself_is_said_with_its_line_and_key(text: str, said: str) -> None:
    assert problem(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vin: {type: string}", "vin`: the contract has this field. Where the tenant calls it"),
        ("a.b: {type: string}", "a.b`: expected it to be within an object that the contract has."),
        ("vin.b: {type: string}", "vin.b`: expected it to be within an object that the contract"),
        (
            "'a[].b': {type: string}",
            "a[].b`: expected it to be within an object that the contract has.",
        ),
        ("a: {}", "a`: expected a `type`, one of string, integer, number, boolean, object, array"),
        ("a: text", "a`: expected a mapping, got text."),
        ("a: {type: text}", "a.type`: expected one of string, integer, number, boolean, object"),
        ("a: {type: string, nullable: true}", "a.nullable`: there is no such keyword."),
        ("a: {type: string, format: email}", "a.format`: expected date or date-time, of a string."),
        ("a: {type: number, format: date}", "a.format`: expected date or date-time, of a string."),
        ("a: {type: integer, enum: [1]}", "a.enum`: a closed list is of strings."),
        ("a: {type: string, properties: {}}", "a.properties`: fields are within an object."),
        ("a: {type: string, items: {}}", "a.items`: items are within an array."),
        (
            "'a\"b': {type: string}",
            'a"b`: expected a name without dots, brackets and blanks, quotes',
        ),
        (
            r"a: {type: object, properties: {'b\c': {type: string}}}",
            r"a.properties.b\c`: expected a name without dots, brackets and blanks, quotes and",
        ),
        ("a: {type: array}", "a`: expected `items`, what an array is of; there are none."),
        ("a: {type: string, pii: 1}", "a.pii`: expected true or false, got a number."),
        (
            "a: {type: number, x-sql-datatype-properties: {precision: 2}}",
            "a.x-sql-datatype-properties`: expected whole numbers `precision` and `scale`, of a",
        ),
        (
            "a: {type: number, x-sql-datatype-properties: {precision: 2026-13-32, scale: 2}}",
            "a.x-sql-datatype-properties`: expected whole numbers `precision` and `scale`, of a",
        ),
        (
            "a: {type: object, properties: {b.c: {type: string}}}",
            "a.properties.b.c`: expected a name without dots, brackets and",
        ),
    ],
)
def test_a_field_that_is_added_is_of_the_contract_s_kind(text: str, said: str) -> None:
    found = problem(of_vehicles(f"add: {{{text}}}"))
    assert found.startswith(f"line 3, `resources.vehicles.add.{said}"), found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("vin: vin", "vin`: the tenant's name is the contract's. Leave it out."),
        (
            "vin: make",
            (
                "vin`: `vin` and `make` would both be `make`. Say what the tenant's "
                "name for `make` is."
            ),
        ),
        ("vin: x, make: x", "make`: `vin` and `make` would both be `x`."),
        (
            "vin: make, make: vin",
            "vin`: `vin` -> `make` -> `vin` is a circle. Leave these fields out.",
        ),
        (
            "vin: trim.code",
            (
                "vin`: `trim.code` cannot be within `trim`, which is the contract's "
                "`trim` and no object."
            ),
        ),
        (
            "vin: x, make: x.y",
            "make`: `x.y` cannot be within `x`, which is the contract's `vin` and no object.",
        ),
        (
            "vin: lot.name",
            (
                "vin`: `vin` and `lot.name` would both be `lot.name`. Say what the "
                "tenant's name for `lot.name` is."
            ),
        ),
        ("lot: place, vin: place.name", "lot`: `vin` and `lot.name` would both be `place.name`."),
        ("photos: pictures, vin: pictures.x", "vin`: `pictures.x` cannot be within `pictures`"),
    ],
)
def test_two_things_in_one_place_are_refused_where_one_is_moved(fields: str, said: str) -> None:
    found = problem(of_vehicles(f"fields: {{{fields}}}"))
    assert found.startswith(f"line 3, `resources.vehicles.fields.{said}"), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            of_vehicles("parameters: {updatedFrom: since, updatedTo: since}"),
            (
                "line 3, `resources.vehicles.parameters.updatedTo`: `updatedFrom` and "
                "`updatedTo` would both be `since`."
            ),
        ),
        (
            of_vehicles("path: /deals"),
            (
                "line 3, `resources.vehicles.path`: `listVehicles` and `listDeals` "
                "would both be GET /deals."
            ),
        ),
        (
            "calls:\n  createDeal: {path: /customers}",
            (
                "line 2, `calls.createDeal.path`: `upsertCustomer` and `createDeal` "
                "would both be POST /customers."
            ),
        ),
        (
            (
                "resources:\n  deals: {fields: {dealNumber: expectedStatus}}\n"
                "calls:\n  changeDealStatus: {fields: {status: expectedStatus}}"
            ),
            (
                "line 4, `calls.changeDealStatus.fields.status`: `status` and "
                "`expectedStatus` would both be `expectedStatus` in the body of "
                "`changeDealStatus`. Say what the tenant's name for `expectedStatus` is."
            ),
        ),
        (
            "resources:\n  repair_orders: {fields: {'lines[].laborSale': payType}}",
            (
                "line 2, `resources.repair_orders.fields.lines[].laborSale`: `payType` and "
                "`laborSale` would both be `payType`. Say what the tenant's name for `payType` is."
            ),
        ),
    ],
)
def test_the_same_of_parameters_paths_bodies_and_lines(text: str, said: str) -> None:
    found = problems(text)
    assert said in found, found


def test_a_name_that_a_rename_has_freed_may_be_taken() -> None:
    text = of_vehicles("fields: {vin: make, make: maker, lot: place, lot.name: lot}")
    assert from_text(text, Path("x")).resource("vehicles").fields["lot.name"] == "lot"


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_lines() -> None:
    found = problems(
        """\
        calls:
          createDeal: {path: x}
        resources:
          vehicles:
            fields: {vin: make, stockNumbr: no}
            pii: [coments]
          vehicle: {}
        """
    )
    assert [line.partition("`: ")[0] for line in found] == [
        "line 2, `calls.createDeal.path",
        "line 5, `resources.vehicles.fields.stockNumbr",
        "line 5, `resources.vehicles.fields.vin",
        "line 6, `resources.vehicles.pii[0]",
        "line 7, `resources.vehicle",
    ]
