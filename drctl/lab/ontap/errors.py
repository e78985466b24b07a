"""ONTAP's error object and the generic refusals of its REST layer.

In answers ``error.code`` is a string (recorded bodies); in job records it is an integer. The codes of
a resource are raised by the rules of the world (``storage.Refusal``); those of the protocol live here.
"""

from __future__ import annotations

from drctl.lab.ontap.records import Record


class RestError(Exception):
    """A request the REST layer refuses; rendered as ONTAP's error object."""

    def __init__(self, status: int, code: int | str, message: str, target: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = str(code)
        self.message = message
        self.target = target

    def body(self) -> Record:
        """Return the answer's JSON."""
        error: Record = {"message": self.message, "code": self.code}
        if self.target:
            error["target"] = self.target
        return {"error": error}


def unexpected_argument(name: str) -> RestError:
    """Return what ONTAP says to a field or parameter it does not know (code 262179)."""
    return RestError(400, 262179, f'Unexpected argument "{name}".', name)


def not_settable(name: str, operation: str) -> RestError:
    """Return what ONTAP says to a field that this operation cannot set (code 262196)."""
    return RestError(400, 262196, f'Field "{name}" cannot be set in this operation ({operation}).', name)


def invalid_value(value: object, name: str, hint: str = "") -> RestError:
    """Return what ONTAP says to a value of the wrong kind (code 262186 in its generic table)."""
    tail = f" {hint}" if hint else ""
    return RestError(400, 2, f'Invalid value "{value}" for field "{name}".{tail}', name)


def missing_value(name: str) -> RestError:
    """Return what ONTAP says when a required field is not given."""
    return RestError(400, 2, f'Field "{name}" is required in this operation.', name)


def no_entry(target: str = "uuid") -> RestError:
    """Return the answer for a key nobody has (code 4, HTTP 404), as users recorded it."""
    return RestError(404, 4, "entry doesn't exist", target)


def no_api(path: str) -> RestError:
    """Return the answer for a path that is no API (code 3, HTTP 404)."""
    return RestError(404, 3, f"API not found: {path}")


def no_method(method: str, path: str) -> RestError:
    """Return the answer for a verb the API does not have (HTTP 405)."""
    return RestError(405, 5, f"Method {method} not supported on {path}.")
