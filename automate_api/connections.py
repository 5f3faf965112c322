"""One exchange with the API: a request becomes a message, an answer or its lack an outcome.

Redirects are not followed, and TLS certificates are always verified. Proxies of the environment are
used, except for loopback addresses: a plain request to those must not leave the machine.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import typing as t
import urllib.parse
from pathlib import Path

import requests
import requests.adapters
import requests.auth
import urllib3.exceptions
from requests.cookies import extract_cookies_to_jar

from automate_api import exact_json, network_errors, replies
from automate_api.errors import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests.cookies import RequestsCookieJar

    from automate_api.config import ApiConfig
    from automate_api.replies import Failure, Reply

CONNECT_TIMEOUT_SECONDS: t.Final = 10.0
POOL_SIZE: t.Final = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One call of the API.

    Attributes:
        method: HTTP method.
        path: As the contract names it, from the slash on.
        auth: Sets the Authorization header. Always given, even to set none: without it, requests
            would take one from a `.netrc` file.
        params: The query.
        body: Sent as JSON, decimals as their digits.
        headers: Beside those that every request has.
        decode: Decodes the body of a success; raises `ValueError` when it is no JSON.
    """

    method: str
    path: str
    auth: requests.auth.AuthBase = dataclasses.field(repr=False)
    params: Mapping[str, str | int] = dataclasses.field(default_factory=dict, repr=False)
    body: Mapping[str, t.Any] | None = dataclasses.field(default=None, repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    decode: Callable[[bytes], t.Any] | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        """Method and path, for messages."""
        return f"{self.method} {self.path or '/'}"


class NoAuth(requests.auth.AuthBase):
    """Sends no Authorization header."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
        return r


class Connections:
    """A pool of connections to the API; safe to share between threads.

    Args:
        config: Where to, how patiently, and whom to trust.
        cookies: Sent, and kept up to date.
        watch: Shown the headers of every answer.
    """

    def __init__(
        self,
        config: ApiConfig,
        cookies: RequestsCookieJar,
        watch: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._cookies = cookies
        self._config = config
        self._watch = watch
        self._timeout = (
            min(CONNECT_TIMEOUT_SECONDS, config.request_timeout_seconds),
            config.request_timeout_seconds,
        )
        self._verify: str | bool = str(config.ca_bundle) if config.ca_bundle else True
        self._http = requests.Session()
        self._http.trust_env = not config.is_loopback
        self._http.headers["Accept"] = "application/json"
        version = importlib.metadata.version("automate-dms")
        self._http.headers["User-Agent"] = f"automate-dms/{version}"
        self._adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)

    def exchange(self, request: Request) -> Reply | Failure:
        """Send a request now, once.

        Returns:
            The answer with whatever status, or why there is none.

        Raises:
            ConfigError: When TLS fails, or the address cannot be used.
        """
        try:
            prepared = self._prepared(request)
            # `Session.send` would look for the target of a redirect, which nobody follows.
            response = self._adapter.send(prepared, timeout=self._timeout, **self._environment)
            extract_cookies_to_jar(  # type: ignore[no-untyped-call]  # its stub has no types
                self._cookies, prepared, response.raw
            )
            # `content` reads pieces of 10 KB, and after each of them threads wait for one another.
            content: bytes = response.raw.read(decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return network_errors.failure(error, self._config.host)
        if self._watch is not None:
            self._watch(response.headers)
        return replies.read(response.status_code, response.headers, content, request.decode)

    def close(self) -> None:
        """Close them."""
        self._adapter.close()

    @functools.cached_property
    def _environment(self) -> Mapping[str, t.Any]:
        """What the environment says of proxies and certificates; asking it takes long."""
        found = self._http.merge_environment_settings(
            self._config.base_url, {}, stream=True, verify=self._verify, cert=None
        )
        trusted = found["verify"]
        if isinstance(trusted, str) and not Path(trusted).exists():
            msg = (
                "The certificate authorities that the environment names are not there. Correct "
                "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, or set `ca_bundle`, which wins."
            )
            raise ConfigError(msg)
        return found

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """Make the message; `Session.request` would merge settings that never change, each time."""
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.url = _address(self._config.base_url + request.path)
        if request.params:
            prepared.url += f"?{urllib.parse.urlencode(request.params)}"
        prepared.prepare_headers(
            {**self._http.headers, **_content_type(request), **request.headers}
        )
        prepared.prepare_cookies(self._cookies)
        prepared.prepare_body(
            None if request.body is None else exact_json.encode(request.body), None
        )
        prepared.prepare_auth(request.auth, prepared.url)
        return prepared


@functools.lru_cache(maxsize=64)
def _address(url: str) -> str:
    """Encode an address; most requests go to a few."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return t.cast("str", prepared.url)


def _content_type(request: Request) -> Mapping[str, str]:
    return {} if request.body is None else {"Content-Type": "application/json"}
