"""Answers other than success: what the REST layer says, with placeholders as Magento sends them.

A message keeps its placeholders; their values travel in `parameters`: a list for `%1`, an object for `%name`.
"""

from typing import Any

Parameters = list[Any] | dict[str, Any] | None


class Refused(Exception):
    """The request ends with this status and message."""

    def __init__(self, status: int, message: str, parameters: Parameters = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message}
        if self.parameters is not None:
            body["parameters"] = self.parameters
        return body


class Broken(Exception):
    """The shop itself failed: a masked 500 with a report id."""


def unauthorized(resource: str) -> Refused:
    """401: no login, an unknown or expired one, or a missing permission; the text is the same for all."""
    message = "The consumer isn't authorized to access %resources."
    return Refused(401, message, {"resources": resource})


def required(field: str) -> Refused:
    return Refused(400, '"%fieldName" is required. Enter and try again.', {"fieldName": field})


def unsupported(field: str) -> Refused:
    message = '"%fieldName" is not supported. Correct the field name and try again.'
    return Refused(400, message, {"fieldName": field})


def no_entity() -> Refused:
    return Refused(404, "The entity that was requested doesn't exist. Verify the entity and try again.")


def no_route() -> Refused:
    return Refused(404, "Request does not match any route.")


def cannot_process() -> Refused:
    return Refused(400, "Specified request cannot be processed.")


def wrong_type(value: str, wanted: str) -> Refused:
    message = (
        f'The "{value}" value\'s type is invalid. The "{wanted}" type was expected. Verify and try again.'
    )
    return Refused(400, message)
