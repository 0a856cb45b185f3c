"""Refusals of the API, in the shape in which Rancher answers them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal: HTTP status, Rancher's code, a message, and the field it concerns."""

    def __init__(self, status: int, code: str, message: str = "", field: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code
        self.message = message or code
        self.field = field

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": "error",
            "status": self.status,
            "code": self.code,
            "message": self.message,
        }
        if self.field:
            body["fieldName"] = self.field
        return body


def invalid(field: str, message: str, code: str = "InvalidOption") -> ApiError:
    """422: a value of the request that can't be."""
    return ApiError(422, code, message, field)


def not_found(what: str) -> ApiError:
    return ApiError(404, "NotFound", f"{what} not found")


class StartFailure(Exception):
    """A container could not be allocated, pulled, created or started; says why."""


class Superseded(Exception):
    """The service was told something else meanwhile: what was being done is void."""
