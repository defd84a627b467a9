"""The answers of faults: what a client gets instead of the right one."""

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from ekomi_reconcile.sandbox.magento import render
from ekomi_reconcile.sandbox.magento.faults import Fault, FaultKind

_JSON = "application/json; charset=utf-8"
_TOO_MANY = b'{"message":"Too Many Requests","trace":null}'
_FATAL_MESSAGE = "Server internal error. See details in report api/384225039194"
_FATAL = render.encoded({"messages": {"error": [{"code": 500, "message": _FATAL_MESSAGE}]}})
_NO_DATABASE = (
    "<!doctype html>\nAn error has happened during application run. See exception log for details.\n"
)


def replacement(fault: Fault, report: str) -> Response | None:
    """The answer a fault puts in place of the right one, None when it leaves it."""
    later = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return _json(fault, later, report) or _other(fault, later)


def truncated(response: Response) -> Response:
    """Half of an answer, as if the connection to PHP broke."""
    return Response(response.body[: len(response.body) // 2], response.status_code, media_type=_JSON)


def _json(fault: Fault, later: dict[str, str], report: str) -> Response | None:
    match fault.kind:
        case FaultKind.TOO_MANY_REQUESTS:
            return Response(_TOO_MANY, 429, later, media_type=_JSON)
        case FaultKind.INTERNAL | FaultKind.INTERNAL_AFTER:
            return Response(render.encoded(render.masked(report)), 500, later, media_type=_JSON)
        case FaultKind.FATAL:
            return Response(_FATAL, 500, later, media_type=_JSON)
    return None


def _other(fault: Fault, later: dict[str, str]) -> Response | None:
    match fault.kind:
        case FaultKind.MAINTENANCE:
            return render.page("Error 503: Service Unavailable", 503, later)
        case FaultKind.DATABASE_DOWN:
            return PlainTextResponse(_NO_DATABASE, 500)
        case FaultKind.HTML:
            return render.page("Just a moment...", fault.status, later)
        case FaultKind.EMPTY:
            return Response(status_code=fault.status, headers=later)
        case FaultKind.REDIRECT:
            return RedirectResponse(fault.location, 302)
    return None
