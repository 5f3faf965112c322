"""The way to the API, before any credential leaves: name, port, TLS, who answers, its clock."""

from __future__ import annotations

import socket
import ssl
import threading
import typing as t
import urllib.parse
from http import HTTPStatus
from pathlib import Path

import certifi
import requests
import requests.utils
from requests.cookies import RequestsCookieJar

from automate_api.connections import NoAuth, Request
from automate_api.errors import EXIT_TRY_LATER, EXIT_USAGE, AutomateError
from automate_api.replies import Reply
from automate_api.transport import Transport
from automate_dms.doctor.findings import Finding, Status, counted, told

if t.TYPE_CHECKING:
    from automate_api.clock import Clock
    from automate_api.config import ApiConfig
    from automate_dms.doctor.findings import Report

PATIENCE_SECONDS: t.Final = 10.0
SKEW_SECONDS: t.Final = 5.0
"""Difference of clocks that nobody needs to know of."""
CODE_SECONDS: t.Final = 30.0
"""How long a one-time code is good for."""

_EXPIRED: t.Final = frozenset({9, 10})
_WRONG_NAME: t.Final = frozenset({62, 63, 64})
"""OpenSSL's codes of a certificate out of its time, and of one for another host."""

_REDIRECTS: t.Final = range(300, 400)
_PROXY_STATUSES: t.Final = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
)


def reach(report: Report, api: ApiConfig, clock: Clock) -> bool:
    """Go the way to the API step by step.

    Args:
        report: Is told of each.
        api: Where it is.
        clock: The time.

    Returns:
        Whether it answers, so that a login may be sent.
    """
    parts = urllib.parse.urlsplit(api.api_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = (
        None
        if api.is_loopback
        else requests.utils.select_proxy(
            api.base_url, requests.utils.get_environ_proxies(api.base_url)
        )
    )
    if proxy:
        through = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        what = f"The environment names the proxy {through.hostname}: it looks up {api.host}."
        report.add(Finding("DNS", Status.SKIPPED, what))
    elif not (
        _dns(report, api.host, port)
        and _tcp(report, api, port)
        and (parts.scheme == "http" or _tls(report, api, port))
    ):
        return False
    return _answers(report, api, clock)


def _dns(report: Report, host: str, port: int) -> bool:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        what = f"The name {host} cannot be resolved."
        advice = "Check the host in `api_url`, and this machine's name server and network."
        report.add(Finding("DNS", Status.FAIL, what, advice), code=EXIT_TRY_LATER)
        return False
    addresses = len({address[4][0] for address in found})
    report.add(
        Finding("DNS", Status.OK, f"{host} has {counted(addresses, 'address', 'addresses')}.")
    )
    return True


def _tcp(report: Report, api: ApiConfig, port: int) -> bool:
    patience = min(PATIENCE_SECONDS, api.request_timeout_seconds)
    try:
        socket.create_connection((api.host, port), timeout=patience).close()
    except OSError as error:
        if isinstance(error, ConnectionRefusedError):
            what = f"{api.host} refuses connections on port {port}."
            advice = "Check the port in `api_url`, and whether the service is up."
        else:
            what = f"{api.host} cannot be connected to on port {port}."
            advice = "Check `api_url`, the network, and that a firewall lets this machine through."
        report.add(Finding("TCP", Status.FAIL, what, advice), code=EXIT_TRY_LATER)
        return False
    report.add(Finding("TCP", Status.OK, f"{api.host} accepts connections on port {port}."))
    return True


def _tls(report: Report, api: ApiConfig, port: int) -> bool:
    patience = min(PATIENCE_SECONDS, api.request_timeout_seconds)
    code = EXIT_USAGE
    try:
        context = _context(_authorities(api))
    except OSError:
        what = "The certificate authorities that the environment names cannot be read."
        advice = "Correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, or set `ca_bundle`, which wins."
        report.add(Finding("TLS", Status.FAIL, what, advice), code=code)
        return False
    try:
        with (
            socket.create_connection((api.host, port), timeout=patience) as plain,
            context.wrap_socket(plain, server_hostname=api.host) as secure,
        ):
            report.add(Finding("TLS", Status.OK, f"{secure.version()}, certificate trusted."))
            return True
    except ssl.SSLCertVerificationError as error:
        what, advice = _untrusted(error, api)
    except (TimeoutError, ConnectionError, ssl.SSLEOFError):
        what = f"{api.host} accepts connections on port {port}, and lets no TLS begin."
        advice = "Check the port in `api_url`, and that no firewall or proxy stands between."
        code = EXIT_TRY_LATER
    except (OSError, ValueError):
        what = f"{api.host} does not speak TLS on port {port}."
        advice = "Check that `api_url` names a host and port that do."
    report.add(Finding("TLS", Status.FAIL, what, advice), code=code)
    return False


def _authorities(api: ApiConfig) -> str:
    """Name the file or folder of authorities that requests trust, as `Transport` finds it."""
    if api.ca_bundle:
        return str(api.ca_bundle)
    with requests.Session() as session:
        session.trust_env = not api.is_loopback
        said = session.merge_environment_settings(api.base_url, {}, None, None, None)["verify"]
    return said if isinstance(said, str) else certifi.where()


def _context(trusted: str) -> ssl.SSLContext:
    if Path(trusted).is_dir():
        return ssl.create_default_context(capath=trusted)
    return ssl.create_default_context(cafile=trusted)


def _untrusted(error: ssl.SSLCertVerificationError, api: ApiConfig) -> tuple[str, str]:
    if error.verify_code in _EXPIRED:
        return (
            f"The certificate of {api.host} has expired, or is not valid yet.",
            "Check this machine's clock; if it is right, have the host's operator renew it.",
        )
    if error.verify_code in _WRONG_NAME:
        return (
            f"The certificate of {api.host} is for another name.",
            "Correct the host in `api_url`: it must be the one that the certificate names.",
        )
    return (
        f"The certificate of {api.host} comes from an authority that is not trusted here.",
        "Set `ca_bundle` to the PEM file of the private authority, after checking whose it is."
        if api.ca_bundle is None
        else "Correct `ca_bundle`: its file does not have the authority of this certificate.",
    )


def _answers(report: Report, api: ApiConfig, clock: Clock) -> bool:
    transport = Transport(api, cookies=RequestsCookieJar(), stop=threading.Event(), clock=clock)
    try:
        outcome = transport.attempt(Request("HEAD", "", NoAuth()))
    except AutomateError as error:
        report.add(Finding("HTTP", Status.FAIL, *told(error)), code=error.exit_code)
        return False
    finally:
        report.requests += transport.stats.requests
        transport.close()
    if not isinstance(outcome, Reply):
        what = f"{api.host} gave no answer ({outcome.reason})."
        advice = "Check `api_url`, the network and HTTPS_PROXY, then run again."
        report.add(Finding("HTTP", Status.FAIL, what, advice), code=EXIT_TRY_LATER)
        return False
    html = "html" in outcome.content_type
    is_refused = outcome.status in _PROXY_STATUSES and "json" not in outcome.content_type
    if is_refused or outcome.status in _REDIRECTS or (html and outcome.is_success):
        got = "an HTML page" if html else "no answer of the API"
        what = f"Something else answers in the API's place: status {outcome.status}, {got}."
        advice = (
            "Check `api_url` and HTTPS_PROXY, and have the proxy or firewall let this machine "
            "through. No credential was sent."
        )
        report.add(Finding("HTTP", Status.FAIL, what, advice))
        return False
    report.add(Finding("HTTP", Status.OK, f"{api.host} answers."))
    return _clock(report, transport.clock_skew, totp=api.totp_secret is not None)


def _clock(report: Report, skew: float | None, *, totp: bool) -> bool:
    """Compare the clocks; without the server's, no list can be read."""
    if skew is None:
        what = "The API sends no `Date`: the tap cannot tell what is new."
        advice = "Have the vendor, or the proxy between, send the header."
        report.add(Finding("clock", Status.FAIL, what, advice))
        return False
    if abs(skew) <= SKEW_SECONDS:
        report.add(Finding("clock", Status.OK, "This machine's clock is as the server's."))
        return True
    what = (
        f"This machine's clock is {abs(skew):,.0f} s {'behind' if skew > 0 else 'ahead of'} the "
        "server's."
    )
    status = Status.WARN if totp and abs(skew) >= CODE_SECONDS else Status.NOTE
    report.add(
        Finding("clock", status, what, "Set the clock by NTP; codes and bookmarks are corrected.")
    )
    return True
