"""The core API: which functions there are, and the order in which a call is judged.

Unknown function, missing credentials, missing version, wrong credentials, then the parameters: the first
that fails is answered, as a bare line of text with HTTP status 200.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from ekomi_reconcile.sandbox.call import Call, Refusal
from ekomi_reconcile.sandbox.encoding import Payload, encoded
from ekomi_reconcile.sandbox.feedback_functions import feedback, product_feedback
from ekomi_reconcile.sandbox.shop_functions import average, settings, shop_details, snapshot
from ekomi_reconcile.sandbox.shops import Shop
from ekomi_reconcile.sandbox.world import World
from ekomi_reconcile.sandbox.write_functions import get_product, put_order, put_product

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv", "serialized": "text/plain"}
GENERAL_TYPE_ERROR = "type is not valid. Possible options: [json] and ([serialized])."
CHARSET_ERROR = "ERROR: Charset is not valid. Possible options: [iso] and ([utf-8])."


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function. The first of ``forms`` is its default output; ``tolerated`` means the default, too.

    ``is_feedback``: it needs no version and has texts of its own for missing and wrong credentials.
    """

    name: str
    answer: Callable[[Call], Payload]
    forms: tuple[str, ...] = ("serialized", "json")
    tolerated: tuple[str, ...] = ()
    type_error: str = GENERAL_TYPE_ERROR
    charsets: tuple[str, ...] = ("utf-8", "iso")
    is_feedback: bool = False


_ALL = (
    Function(
        name="getShopDetails",
        answer=shop_details,
        forms=("json", "serialized"),
        type_error="type is not valid. Possible options: ([json]) and [serialized].",
        charsets=("iso", "iso-8859-1", "utf-8"),
    ),
    Function(
        name="getSnapshot",
        answer=snapshot,
        forms=("csv", "json", "serialized"),
        type_error="ERROR: Type is not valid. Possible options: ([csv]), [json], [serialized].",
    ),
    Function(name="getAverage", answer=average),
    Function(
        name="getFeedback",
        answer=feedback,
        forms=("csv", "json"),
        type_error="ERROR: Type is not valid. Possible options: ([csv], [json]).",
        charsets=("iso", "utf-8"),
        is_feedback=True,
    ),
    Function(
        name="getProductfeedback",
        answer=product_feedback,
        forms=("csv", "serialized", "json"),
        type_error="ERROR: Type is not valid. Possible options: [csv], [json], [serialized].",
        is_feedback=True,
    ),
    # The shop plugins test credentials with type=request, which is a value of another parameter.
    Function(name="getSettings", answer=settings, tolerated=("request",)),
    Function(name="putOrder", answer=put_order),
    Function(name="putProduct", answer=put_product),
    Function(name="getProduct", answer=get_product),
)
FUNCTIONS = {function.name.lower(): function for function in _ALL}


def function_name(name: str) -> str:
    """The documented spelling of a function's name; an unknown one as it came."""
    function = FUNCTIONS.get(name.lower())
    return name if function is None else function.name


def claimed_shop(params: Mapping[str, str]) -> str:
    """The interface id a call names, right or wrong; empty if none."""
    return params.get("auth", "").partition("|")[0] or params.get("interface_id", "")


def core_answer(world: World, name: str, params: Mapping[str, str]) -> Response:
    """The answer of ``/v3/<name>`` to these query parameters."""
    try:
        function = _function(world, name)
        shop = _authorised(world, function, params)
        form, charset = _form(function, params), _charset(function, params)
        payload = function.answer(Call(world, shop, params))
    except Refusal as refusal:
        return _answer(world, str(refusal).encode(), "text/plain", status=world.switches.error_status)
    body = encoded(payload, form=form, charset=charset)
    if payload == [] and form == "json" and world.switches.empty_list == "nothing":
        body = b""
    return _answer(world, body, MEDIA_TYPES[form], status=200)


def _function(world: World, name: str) -> Function:
    function = FUNCTIONS.get(name.lower())
    missing = {missing.lower() for missing in world.switches.missing_functions}
    if function is None or name.lower() in missing:
        raise Refusal(world.switches.unknown_function_text)
    return function


def _authorised(world: World, function: Function, params: Mapping[str, str]) -> Shop:
    own_texts = function.is_feedback and world.switches.feedback_auth_texts == "own"
    credentials = _credentials(params)
    if credentials is None:
        raise Refusal("ERROR: Interface ID or password not transmitted" if own_texts else "NonAuth")
    if not params.get("version") and not function.is_feedback:
        raise Refusal("NonVersion")
    shop = world.shops.get(credentials[0])
    if shop is None or shop.password != credentials[1]:
        raise Refusal("ERROR: Interface ID or password is not valid." if own_texts else "Access denied")
    return shop


def _credentials(params: Mapping[str, str]) -> tuple[str, str] | None:
    """From ``auth=id|password`` or, where that is absent, from the two parameters; ``None``: not sent."""
    if params.get("auth"):
        interface_id, _, password = params["auth"].partition("|")
        return interface_id, password
    if params.get("interface_id") and params.get("interface_pw"):
        return params["interface_id"], params["interface_pw"]
    return None


def _form(function: Function, params: Mapping[str, str]) -> str:
    form = params.get("type") or function.forms[0]
    if form in function.tolerated:
        return function.forms[0]
    if form not in function.forms:
        raise Refusal(function.type_error)
    return form


def _charset(function: Function, params: Mapping[str, str]) -> str:
    """One page of the manual writes the parameter with a capital C."""
    charset = params.get("charset") or params.get("Charset") or function.charsets[0]
    if charset not in function.charsets:
        raise Refusal(CHARSET_ERROR)
    return charset


def _answer(world: World, body: bytes, media_type: str, *, status: int) -> Response:
    kind = "text/html; charset=UTF-8" if world.switches.content_type == "html" else media_type
    return Response(body, status_code=status, headers={"content-type": kind})
