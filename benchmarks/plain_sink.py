"""The target to compare with: the Singer SDK's own way, one POST a record, nothing kept.

As the SDK's documentation builds one on `RecordSink`. The token is given: no login, no journal, no
retry, no second worker.
"""

from __future__ import annotations

import typing as t

import requests
from singer_sdk import Target
from singer_sdk.sinks import RecordSink

TIMEOUT_SECONDS: t.Final = 60.0


class PlainSink(RecordSink):
    """Posts each record as it comes."""

    def setup(self) -> None:
        """Open the connection that all records share."""
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {self.config['token']}"
        super().setup()

    def process_record(self, record: dict[str, t.Any], context: dict[str, t.Any]) -> None:  # noqa: ARG002 - the SDK's
        """Post a record.

        Raises:
            requests.HTTPError: When it is refused.
        """
        url = f"{self.config['url']}/{self.stream_name}"
        self.http.post(url, json=record, timeout=TIMEOUT_SECONDS).raise_for_status()


class PlainTarget(Target):
    """Posts every stream to the path of its name."""

    name = "target-plain"
    default_sink_class = PlainSink
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {"url": {"type": "string"}, "token": {"type": "string", "secret": True}},
        "required": ["url", "token"],
    }


if __name__ == "__main__":
    PlainTarget.cli()
