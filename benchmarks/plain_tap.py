"""The tap to compare with: the Singer SDK's own way, as its cookiecutter writes it.

One request after the other, page by page, since the bookmark. The token is given: no login.
"""

from __future__ import annotations

import decimal
import typing as t

from singer_sdk import RESTStream, Tap
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import PageNumberPaginator

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests


class UntilLastPage(PageNumberPaginator):
    """Turns pages until one is not full."""

    def has_more(self, response: requests.Response) -> bool:
        """Tell whether a page follows."""
        envelope = response.json()
        return bool(envelope["page"] * envelope["pageSize"] < envelope["total"])


class Vehicles(RESTStream[int]):
    """The list of vehicles."""

    name = "vehicles"
    path = "/vehicles"
    primary_keys = ("vehicleId",)
    replication_key = "updatedAt"
    records_jsonpath = "$.items[*]"
    schema: t.ClassVar[dict[str, t.Any]] = contract.stream_schema(
        contract.load().resource("/vehicles").record_schema, key=("vehicleId", "updatedAt")
    )

    @property
    def url_base(self) -> str:
        """The API's address."""
        return str(self.config["base_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """The header of every request."""
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self) -> UntilLastPage:
        """Begin at page 1."""
        return UntilLastPage(1)

    def get_url_params(
        self, context: Mapping[str, t.Any] | None, next_page_token: int | None
    ) -> dict[str, t.Any]:
        """Ask for a page of what has changed since the bookmark."""
        params: dict[str, t.Any] = {
            "page": next_page_token or 1,
            "pageSize": self.config["page_size"],
        }
        if since := self.get_starting_replication_key_value(context):
            params["updatedFrom"] = since
        return params

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, t.Any]]:
        """Cut the records out of a page."""
        yield from extract_jsonpath(
            self.records_jsonpath, input=response.json(parse_float=decimal.Decimal)
        )


class PlainTap(Tap):
    """Reads vehicles."""

    name = "tap-plain"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {
            "base_url": {"type": "string"},
            "token": {"type": "string", "secret": True},
            "page_size": {"type": "integer"},
        },
        "required": ["base_url", "token", "page_size"],
    }

    def discover_streams(self) -> list[Vehicles]:
        """There is one."""
        return [Vehicles(self)]


if __name__ == "__main__":
    PlainTap.cli()
