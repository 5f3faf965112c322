"""An outbox for the demo: what the shop on the web has for the DMS, as a folder of JSON lines.

The same world gives the same outbox; one that is there is left alone.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import shutil
import tempfile
import typing as t
from pathlib import Path

from automate_sandbox import contents, shop
from automate_sandbox.daemon import HOST

ANSWER_SECONDS: t.Final = 30.0


class OutboxError(Exception):
    """The outbox cannot be made; the message says why and what to do."""


def write(folder: Path, port: int) -> str:
    """Write the outbox of the sandbox that runs on a port, unless it is there.

    Args:
        folder: For `leads.jsonl`, `deals.jsonl` and so on, and the file that is attached.
        port: On loopback.

    Returns:
        What to tell the user.

    Raises:
        OutboxError: There is no sandbox on the port, its dealership is too small, or the folder
            cannot be written.
    """
    if folder.is_dir() and any(folder.glob("*.jsonl")):
        return f"The outbox {folder} is there already."
    info = json.loads(_get(port, "info"))
    vehicles = [json.loads(line) for line in _get(port, "records/vehicles").splitlines()]
    contract = contents.make(shop.CONTRACT, contents.PDF)
    today = dt.date.fromisoformat(info["now"][:10])
    try:
        path = str(folder.absolute() / shop.CONTRACT)
        streams = shop.make(vehicles, info["seed"], today, path)
    except shop.TooSmallError as error:
        raise OutboxError(str(error)) from None
    files = {
        f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()
        for name, rows in streams.items()
    }
    try:
        _write(folder, files | {shop.CONTRACT: contract.read(0, contract.size)})
    except OSError as error:
        message = f"The outbox {folder} cannot be written: {error.strerror}."
        raise OutboxError(message) from None
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in streams.items())
    return f"The outbox {folder} has {counts}."


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder, all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _get(port: int, call: str) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"/__sandbox__/{call}")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        body = b""
    finally:
        connection.close()
    if not body:
        message = f"No sandbox answers on port {port}; start one with `automate-dms sandbox up`."
        raise OutboxError(message)
    return body
