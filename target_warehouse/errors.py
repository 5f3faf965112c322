"""What a record can be wrong about beyond its message; no error repeats a value."""

from __future__ import annotations

from singer_sdk.exceptions import MissingKeyPropertiesError

from automate_api.errors import AutomateError


class MissingKeyError(AutomateError, MissingKeyPropertiesError):
    """A record without a value for one of its key properties.

    It belongs to the SDK's class too, so that code which knows the SDK catches it.
    """
