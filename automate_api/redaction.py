"""Keeps secrets and personal data out of whatever a program says: logs, warnings, tracebacks.

Four kinds of text are replaced: values that were registered (secret settings, tokens, cookies,
codes) in the forms in which they travel; the values of the contract's personal fields where text
quotes a record; those of parameters that seek one record, in an address; and what looks like an
email address or a telephone number.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
import sys
import threading
import traceback
import typing as t
import urllib.parse
import warnings

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

SECRET: t.Final = "<secret>"  # noqa: S105 - what stands in the place of one
PERSONAL: t.Final = "<personal>"

_SHORT: t.Final = 4
"""Registered values shorter than this are replaced only where they stand alone."""

_EMAIL: t.Final = re.compile(r"[\w.+%-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE: t.Final = re.compile(
    r"(?:\+|%2B)\d{8,15}\b"
    r"|(?<![\w.-])(?:(?:\+|%2B)?1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
)
_SEEKING: t.Final = frozenset(
    {
        "appointmentFrom",
        "appointmentTo",
        "customerId",
        "email",
        "externalId",
        "phone",
        "referenceId",
        "vin",
    }
)
"""Query parameters that seek one record."""

_lock = threading.Lock()
_secrets: set[str] = set()
_further_fields: set[str] = set()
_further_seeking: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register(secret: str) -> None:
    """Have a value replaced from now on, in every form in which it travels.

    Args:
        secret: A password, token, cookie or code; an empty text is ignored.
    """
    global _pattern  # noqa: PLW0603 - one process has one set of secrets
    if not secret or secret in _secrets:
        return
    with _lock:
        _secrets.update(_forms(secret))
        longest_first = sorted(_secrets, key=len, reverse=True)
        _pattern = re.compile("|".join(map(_alternative, longest_first)))


def register_settings(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> None:
    """Register the values of all settings that a schema marks as secret.

    Args:
        schema: JSON Schema of a program's settings, `secret: true` on the secret ones.
        values: Setting to value, as it was given, checked or not.
    """
    for name, rule in schema["properties"].items():
        value = values.get(name)
        if rule.get("secret") and value is not None:
            register(str(value))


def register_personal(fields: Iterable[str], parameters: Iterable[tuple[str, str]]) -> None:
    """Have further names count as those of personal data, beside the contract's.

    Args:
        fields: Names of fields.
        parameters: Query parameters of the contract, each with what a tenant calls it.
    """
    with _lock:
        _further_fields.update(fields)
        _further_seeking.update(theirs for mine, theirs in parameters if mine in _SEEKING)
        _personal_fields.cache_clear()
        _sought.cache_clear()


def personal_fields() -> frozenset[str]:
    """Name the fields that hold personal data: the contract's, and what was registered."""
    return contract.load().pii_fields | _further_fields


def is_personal(path: str) -> bool:
    """Tell whether a field holds personal data, or is within one that does.

    Args:
        path: Its place in a record, dotted.
    """
    return not personal_fields().isdisjoint(path.split("."))


def redact(text: str) -> str:
    """Replace what must not be shown.

    Args:
        text: Anything that is about to be shown to a person or written to a log.

    Returns:
        The same text with `<secret>` and `<personal>` in place of values.
    """
    if _pattern is not None:
        text = _pattern.sub(SECRET, text)
    if ":" in text and ('"' in text or "'" in text):
        text = _personal_fields().sub(rf"\g<key>\g<quote>{PERSONAL}\g<quote>", text)
    if "?" in text:
        text = _sought().sub(rf"\g<name>{PERSONAL}", text)
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(PERSONAL, text)
    return _PHONE.sub(PERSONAL, text)


def install() -> None:
    """Redact whatever this process logs, warns about or dies of; a second call changes nothing.

    A `logging.Filter` would have to be added to every handler, also to those that a logging
    configuration makes later, and it never sees an exception's text, which formatters add at the
    end. So the one method through which all handlers pass their finished text is wrapped instead.
    """
    if getattr(logging.Handler.format, "_redacts", False):
        return
    plain_format = logging.Handler.format
    plain_formatwarning = warnings.formatwarning

    @functools.wraps(plain_format)
    def format_redacted(self: logging.Handler, record: logging.LogRecord) -> str:
        return redact(plain_format(self, record))

    @functools.wraps(plain_formatwarning)
    def formatwarning_redacted(*args: t.Any, **kwargs: t.Any) -> str:  # noqa: ANN401 - passed on
        return redact(plain_formatwarning(*args, **kwargs))

    format_redacted._redacts = True  # type: ignore[attr-defined]  # noqa: SLF001 - our own mark
    logging.Handler.format = format_redacted  # type: ignore[method-assign]
    warnings.formatwarning = formatwarning_redacted
    sys.excepthook = _print_redacted
    threading.excepthook = _print_redacted_in_thread


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _print_redacted_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        _print_redacted(args.exc_type, args.exc_value, args.exc_traceback)


def _forms(secret: str) -> set[str]:
    # Surrogates stand for bytes of the environment that are no UTF-8; the settings' check says so.
    raw = secret.encode(errors="surrogatepass")
    encoded = base64.b64encode(raw).decode()
    return {
        secret,
        encoded,
        encoded.rstrip("="),
        urllib.parse.quote(raw, safe=""),
        urllib.parse.quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }


def _alternative(secret: str) -> str:
    escaped = re.escape(secret)
    return escaped if len(secret) >= _SHORT else rf"(?<!\w){escaped}(?!\w)"


@functools.cache
def _sought() -> re.Pattern[str]:
    """Match `?parameter=value` where the parameter seeks one record."""
    names = "|".join(map(re.escape, sorted(_SEEKING | _further_seeking)))
    return re.compile(rf"(?P<name>[?&](?:{names})=)[^&#\s\"']+")


@functools.cache
def _personal_fields() -> re.Pattern[str]:
    """Match `"field": value` in JSON, in a Python representation, and in JSON inside of JSON.

    A value that text cuts off before its end still counts, and so does the name that a warehouse
    gives a field: `date_of_birth`, `address__city`; or an overlay: `firstName_untranslated`.
    """
    names = {form for field in personal_fields() for form in (field, _snake_case(field))}
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    value = (
        r"(?P<mark>\\*[\"'])(?:(?!(?<!\\)(?P=mark)).)*(?:(?P=mark)|\Z)"
        r"|\{[^{}]*(?:\{[^{}]*\}?[^{}]*)*\}?|\[[^\[\]]*(?:\[[^\[\]]*\]?[^\[\]]*)*\]?"
        r"|\w[\w.]*\([^()]*\)?"
        r"|[^\s,}\]'\"{\[]+"
    )
    return re.compile(
        rf"(?P<key>(?P<quote>\\*[\"'])(?:\w+\.)*(?:{'|'.join(longest_first)})(?:[_.][\w.]*)?"
        r"(?P=quote)\]?\s*:\s*)"
        rf"(?:{value})",
        re.DOTALL,
    )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
