"""The bytes behind attachments and photos: real small files, the same ones each time.

Nothing is kept: what a file holds follows from its name, its type and its size, and any part of it
can be made by itself, so that a file of hundreds of megabytes costs no memory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import typing as t
import zlib

PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
BINARY = "application/octet-stream"

BLOCK = 1 << 12
"""Bytes after which the filling of a file repeats."""

WIDTH, HEIGHT = 64, 48
"""Of the pictures, in pixels; whole blocks of eight, as a JPEG has them."""

UNKNOWN = 1 << 12
"""Size in bytes of a file whose record does not say how large it is."""

READ = 1 << 16
"""Bytes that are made at once to take a checksum."""


class File(t.Protocol):
    """Bytes with a type, any part of which can be read by itself."""

    @property
    def content_type(self) -> str:
        """As HTTP names it."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` up to, not including, `stop`."""


@dataclasses.dataclass(frozen=True)
class Content:
    """A file.

    Attributes:
        content_type: As HTTP names it.
        size: In bytes.
        head: What it begins with.
        filling: Repeats up to the tail.
        tail: What it ends with.
    """

    content_type: str
    size: int
    head: bytes
    filling: bytes
    tail: bytes = b""

    def read(self, start: int, stop: int) -> bytes:
        """Make the bytes from `start` up to, not including, `stop`."""
        start, stop = max(start, 0), min(stop, self.size)
        ends = self.size - len(self.tail)
        parts = [self.head[start:stop]]
        low, high = max(start, len(self.head)), min(stop, ends)
        if low < high:
            offset = (low - len(self.head)) % len(self.filling)
            repeats = (offset + high - low) // len(self.filling) + 1
            parts.append((self.filling * repeats)[offset : offset + high - low])
        if stop > ends:
            parts.append(self.tail[max(start - ends, 0) : stop - ends])
        return b"".join(parts)

    def sha256(self) -> str:
        """Take the checksum, 64 hex digits."""
        digest = hashlib.sha256()
        for start in range(0, self.size, READ):
            digest.update(self.read(start, start + READ))
        return digest.hexdigest()


def make(name: str, content_type: str, size: int = 0) -> Content:
    """Make a file.

    Args:
        name: Decides what is in it.
        content_type: PDF, PNG and JPEG files open as such; any other is zeros.
        size: In bytes; a file that would not be whole with so few has as many as it needs.
    """
    if content_type not in MAKERS:
        return Content(content_type, size, b"", bytes(BLOCK))
    head, tail = MAKERS[content_type](name, size)
    filling = hashlib.shake_128(name.encode()).digest(BLOCK)
    return Content(content_type, max(size, len(head) + len(tail)), head, filling, tail)


def tag(name: str, content: File) -> str:
    """Name a version of a file: another one when anything of it is another."""
    text = f"{name} {content.content_type} {content.size}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _pdf(name: str, size: int) -> tuple[bytes, bytes]:
    """Write an empty page that names its file, with the filling in a stream that no page shows."""
    text = b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % name.encode()
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources 5 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>",
    )
    head, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(head))
        head += b"%d 0 obj%s\nendobj\n" % (number, body)
    offsets.append(len(head))
    after = b"\nendstream\nendobj\n"
    table = b"xref\n0 7\n0000000000 65535 f \n"
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table += b"trailer<</Size 7/Root 1 0 R>>\nstartxref\n"

    # Ten digits, as in the table of offsets: what surrounds the filling has one length.
    def around(length: int) -> tuple[bytes, bytes]:
        opening = head + b"6 0 obj<</Length %010d>>stream\n" % length
        start = len(opening) + length + len(after)
        return opening, after + table + b"%010d\n%%%%EOF\n" % start

    return around(max(0, size - sum(map(len, around(0)))))


def _png(name: str, _size: int) -> tuple[bytes, bytes]:
    """Write a picture of one colour; what follows its last chunk is ignored by who shows it."""
    colour = hashlib.blake2b(name.encode(), digest_size=3).digest()
    rows = (b"\0" + colour * WIDTH) * HEIGHT
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ), b""


def _jpeg(name: str, _size: int) -> tuple[bytes, bytes]:
    """Write a grey picture with its name as a comment; each block is two bits, both zero."""
    comment = name.encode()
    table = bytes((1, *[0] * 15, 0))
    segments = (
        (0xFE, comment),
        (0xDB, bytes((0, *[1] * 64))),
        (0xC0, struct.pack(">BHHBBBB", 8, HEIGHT, WIDTH, 1, 1, 0x11, 0)),
        (0xC4, b"\x00" + table),
        (0xC4, b"\x10" + table),
        (0xDA, bytes((1, 1, 0, 0, 63, 0))),
    )
    body = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments
    )
    return b"\xff\xd8" + body + bytes(WIDTH * HEIGHT // 64 * 2 // 8) + b"\xff\xd9", b""


MAKERS = {PDF: _pdf, PNG: _png, JPEG: _jpeg}
"""Type to what makes the beginning and the end of a file."""
