"""Attachments: scanned contracts, pictures of inspections, and what people call their files."""

from __future__ import annotations

import typing as t

from automate_sandbox import contents
from automate_sandbox.links import EXPIRES, link
from automate_sandbox.world.rooftops import stamp

if t.TYPE_CHECKING:
    import random

    from automate_sandbox.money import Record
    from automate_sandbox.world.numbers import Numbers

KEYS: t.Final = {
    "deals": ("deal", "dealId"),
    "repair_orders": ("repair_order", "repairOrderId"),
    "vehicles": ("vehicle", "vehicleId"),
}
"""Stream to the `entityType` of its records and to their key."""

PAPERS: t.Final = {
    "deals": (
        ("contract.pdf", contents.PDF),
        ("odometer statement.pdf", contents.PDF),
        ("licence.jpg", contents.JPEG),
    ),
    "repair_orders": (
        ("inspection.jpg", contents.JPEG),
        ("brake pad.png", contents.PNG),
        ("signed estimate.pdf", contents.PDF),
    ),
    "vehicles": (("title.pdf", contents.PDF), ("window sticker.pdf", contents.PDF)),
}
"""Stream to the files that its records get."""

ODD_NAMES: t.Final = (
    "../../contract.pdf",
    "/etc/contract.pdf",
    "..\\..\\contract.pdf",
    "C:\\scans\\contract.pdf",
    "..",
    "",
    " ",
    ".htaccess",
    "CON.pdf",
    "contract.pdf.",
    "contract\n.pdf",
    "%2e%2e%2fcontract.pdf",
    "Vertragsgr\u00f6\u00dfe.pdf",
    "Vertragsgro\u0308\u00dfe.pdf",
    "\u5951\u7d04\u66f8.pdf",
    "contract\u202efdp.exe",
    'contract|?*<>:".pdf',
    "\u00f6" * 140 + ".pdf",
    "x" * 400 + ".pdf",
    None,
)
"""Tricks with paths, what some system reserves, two spellings of one letter, far too long, none."""

ODD_EACH: t.Final = 3
"""The first attachments of a world have these names, each third one, until all are used."""

SMALL: t.Final = 1_200, 14_000
LARGE: t.Final = 2_000_000, 4_000_000
"""Least and greatest size in bytes."""

LARGE_EACH: t.Final = 300
UNSUMMED_EACH: t.Final = 20
UNSIZED_EACH: t.Final = 45
EMPTY: t.Final = 31
HUGE: t.Final = 22
"""How often attachments are large, lack checksum or size; which one is empty, which one is huge."""

ODD_ONES: t.Final = ODD_EACH * len(ODD_NAMES)
"""So many attachments have to be there until every oddity is."""


def attach(
    rng: random.Random, numbers: Numbers, source: tuple[str, Record], at: int, huge: int = 0
) -> Record:
    """Attach a file to a record.

    Args:
        rng: Chooses file and size.
        numbers: Gives the id.
        source: Stream and record, of those in `KEYS`.
        at: Seconds since 1970.
        huge: Bytes of the file that is larger than any limit; 0 for none.
    """
    stream, record = source
    number, attachment_id = numbers.take("attachments")
    name: str | None
    name, content_type = rng.choice(PAPERS[stream])
    size = rng.randrange(*(LARGE if number % LARGE_EACH == LARGE_EACH // 2 else SMALL))
    is_huge = number == HUGE and huge > 0
    is_sized = number % UNSIZED_EACH != UNSIZED_EACH // 2
    if number % ODD_EACH == 0 and number < ODD_ONES:
        name = ODD_NAMES[number // ODD_EACH]
    elif number == EMPTY:
        name, content_type, size = "empty.txt", "text/plain", 0
    elif is_huge:
        name, content_type, size, is_sized = "walkaround.bin", contents.BINARY, huge, True
    content = contents.make(attachment_id, content_type, size if is_sized else contents.UNKNOWN)
    is_summed = number % UNSUMMED_EACH != UNSUMMED_EACH - 1 and not is_huge
    entity_type, key = KEYS[stream]
    return {
        "attachmentId": attachment_id,
        "rooftopId": record["rooftopId"],
        "entityType": entity_type,
        "entityId": record[key],
        "fileName": name,
        "contentType": content_type,
        "size": content.size if is_sized else None,
        "sha256": content.sha256() if is_summed else None,
        "downloadUrl": link(f"/attachments/{attachment_id}"),
        "urlExpiresAt": EXPIRES,
        **stamp(at),
    }
