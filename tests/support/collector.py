"""A target that keeps what it is handed, for tests of what all our targets share."""

from __future__ import annotations

import io
import typing as t

from singer_sdk import typing as th

from automate_singer.sdk_seams import PipeTarget, Record
from support.singer import Message, lines_of

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.mapper import StreamMap


class Collector(PipeTarget[str]):
    """Keeps records and calls; a stream whose name begins with `skipped` is nobody's."""

    name = "target-collector"
    env_prefix = "TARGET_COLLECTOR_"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = th.PropertiesList(
        th.Property("rows", th.IntegerType(minimum=1), default=7),
        th.Property("place", th.StringType(), required=True),
        th.Property("token", th.StringType(), secret=True),
    ).to_dict()
    checked: t.ClassVar[list[dict[str, t.Any]]] = []

    def __init__(self, **options: t.Any) -> None:  # noqa: ANN401 - passed on
        self.taken: list[tuple[str, Record]] = []
        self.calls: list[str] = []
        super().__init__(**options)

    @classmethod
    def check_settings(cls, values: Mapping[str, t.Any]) -> list[str]:
        cls.checked.append(dict(values))
        return ["`place` must be another"] if values.get("place") == "nowhere" else []

    def route(self, stream_map: StreamMap) -> str | None:
        self.calls.append(f"route {stream_map.stream_alias}")
        skipped = stream_map.stream_alias.startswith("skipped")
        return None if skipped else stream_map.stream_alias

    def take(self, sink: str, record: Record, message: Message) -> None:
        assert message["type"] == "RECORD"
        self.taken.append((sink, record))

    def record_taken(self) -> None:
        self.calls.append("record")

    def schema_changes(self, stream: str) -> None:
        self.calls.append(f"change {stream}")

    def open_stream(self, stream: str, stream_map: StreamMap) -> None:
        self.calls.append(f"open {stream} as {stream_map.stream_alias}")

    def settle(self) -> None:
        self.calls.append("settle")

    def close(self) -> None:
        self.calls.append("close")


def collected(messages: Iterable[Message | str], **settings: t.Any) -> Collector:  # noqa: ANN401 - settings
    """Feed messages to a collector, to the end of the input."""
    target = Collector(config={"place": "here", **settings})
    target.listen(io.StringIO(lines_of(messages)))
    return target
