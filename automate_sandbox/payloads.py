"""Bodies of requests, held to the contract."""

from __future__ import annotations

import typing as t

import msgspec

from automate_sandbox import contract_file
from automate_sandbox.money import Record, decode
from automate_sandbox.problems import Problem


def read_json(body: bytes) -> t.Any:  # noqa: ANN401 - any JSON value
    """Read a body.

    Raises:
        Problem: 400 for what is no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Problem(400, "The body is no JSON.") from error


def read_payload(body: bytes, operation_id: str) -> Record:
    """Read a request's body and hold it to the contract.

    Args:
        body: As it came.
        operation_id: Whose schema it must keep.

    Raises:
        Problem: 400 for what is no JSON, 422 with the fields that break the schema.

    Returns:
        What is given of the fields that the contract knows: a null at the top means not given.
    """
    plain = read_json(body)
    schema = contract_file.payload_schema(operation_id)
    details = [
        {"field": ".".join(map(str, error.instance_path)), "message": error.message}
        for error in contract_file.validator(schema).iter_errors(plain)
    ]
    if details:
        raise Problem(422, "The body does not keep the contract.", details=details)
    known = contract_file.properties(schema)
    return {
        name: value for name, value in decode(body).items() if name in known and value is not None
    }
