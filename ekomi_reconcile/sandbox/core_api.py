"""The core API: its calls, and the functions that write.

Unknown function, missing credentials, missing version, wrong credentials, then the parameters: the first
that fails is answered, as a bare line of text with HTTP status 200.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from ekomi_reconcile.sandbox import read_functions
from ekomi_reconcile.sandbox import world as sandbox_world
from ekomi_reconcile.sandbox.shops import Product, Registered, SandboxShop

PRESENT = ("first_name", "last_name")
FILLED = ("shop_id", "recipient_type", "transaction_id", "transaction_time")

# The official plugins write day first, another client year first.
TIME = re.compile(r"(\d{2}-\d{2}-\d{4}|\d{4}-\d{2}-\d{2}) \d{2}:\d{2}(:\d{2})?", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# In a form, a + that a client does not encode arrives as a space.
E164 = re.compile(r"[+ ]?[1-9]\d{1,14}", re.ASCII)
MOST_SMS_SENDER = 11


class RecipientRejected(Exception):
    """The recipient is not accepted; the text is the answer's message."""


def fields_from_json(body: bytes) -> dict[str, str]:
    """A JSON body's fields as text; values that are themselves JSON stay JSON text.

    Raises:
        Refused: not a JSON object.
    """
    try:
        content = json.loads(body)
    except ValueError:
        raise RecipientRejected("The request body could not be read.") from None
    if not isinstance(content, dict):
        raise RecipientRejected("The request body could not be read.")
    return {name: _as_text(value) for name, value in content.items() if value is not None}


def check_fields(fields: Mapping[str, str], *, odd_product_ids: str = "accepted") -> None:
    """Judge presence and form of every field.

    Raises:
        Refused: the first thing wrong.
    """
    _check_presence(fields)
    _check_address(fields)
    if not TIME.fullmatch(fields["transaction_time"]):
        raise RecipientRejected("The transaction_time format is invalid.")
    if fields.get("has_products", "0") not in {"0", "1", ""}:
        raise RecipientRejected("The has_products field must be 0 or 1.")
    if fields.get("has_products") == "1":
        _check_products(fields, odd_product_ids)


def _check_presence(fields: Mapping[str, str]) -> None:
    missing = [name for name in PRESENT if name not in fields]
    missing += [name for name in FILLED if not fields.get(name)]
    if not fields.get("password") and not fields.get("interface_password"):
        missing.append("password")
    if missing:
        raise RecipientRejected(f"The {missing[0]} field is required.")


def _check_address(fields: Mapping[str, str]) -> None:
    channel = fields["recipient_type"]
    if channel not in {"email", "sms"}:
        raise RecipientRejected("The selected recipient_type is invalid.")
    name, pattern = ("email", EMAIL) if channel == "email" else ("telephone", E164)
    if not fields.get(name):
        raise RecipientRejected(f"The {name} field is required.")
    if not pattern.fullmatch(fields[name]):
        raise RecipientRejected(f"The {name} format is invalid.")
    if channel == "sms" and len(fields.get("sender_name", "")) > MOST_SMS_SENDER:
        raise RecipientRejected("The sender_name may not be greater than 11 characters.")


def _check_products(fields: Mapping[str, str], odd_product_ids: str) -> None:
    if not fields.get("products_info"):
        raise RecipientRejected("The products_info field is required.")
    for name in ("products_info", "products_other"):
        try:
            products = json.loads(fields.get(name) or "{}")
        except ValueError:
            raise RecipientRejected(f"The {name} must be a valid JSON string.") from None
        if not isinstance(products, dict):
            raise RecipientRejected(f"The {name} must be a valid JSON string.")
        if not all(fits_product_id(each, odd_product_ids) for each in products):
            raise RecipientRejected(f"The {name} contains an invalid product id.")


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


REVIEW_LINK = "https://reviews.ekomi.test/r/"
PRODUCT_IDS = {
    "refused": re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII),
    "dashes": re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII),
    "accepted": re.compile(r".+", re.DOTALL),
}
NO_PRODUCT_REVIEWS = "Product reviews are not included in your package."
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})( ([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?)?", re.ASCII)


def fits_product_id(product_id: str, odd_product_ids: str) -> bool:
    """Is this an id that eKomi takes, where the switch of this name has this value?"""
    return PRODUCT_IDS[odd_product_ids].fullmatch(product_id) is not None


def put_order(call: sandbox_world.SandboxCall) -> sandbox_world.Payload:
    """Register an order: its review link, the same at every call, and since when it is known.

    Raises:
        Refusal: the credentials or the order are wrong.
    """
    order_id = call.text("order_id")
    method = call.text("product_ids_update_method", "append")
    if not order_id or method not in {"append", "replace"}:
        raise sandbox_world.Refusal(sandbox_world.SOMETHING_WRONG)
    _check_timestamp(call)
    product_ids = [part for part in call.text("product_ids").split(",") if part]
    if not all(fits_product_id(each, call.world.switches.odd_product_ids) for each in product_ids):
        raise sandbox_world.Refusal(sandbox_world.SOMETHING_WRONG)
    known = call.shop.orders.get(order_id)
    if known is None:
        known = call.shop.orders[order_id] = _registered(call, order_id)
        since = _first_known_since(call)
    else:
        since = {"known_since": _repeated(call, known)}
    kept = known.product_ids if method == "append" else []
    known.product_ids = list(dict.fromkeys([*kept, *product_ids]))
    _record(call, order_id)
    return call.done(link=known.link, hash=known.hash, **since)


def put_product(call: sandbox_world.SandboxCall) -> sandbox_world.Payload:
    """Store a product; the same id again overwrites it.

    Raises:
        Refusal: the credentials or the product are wrong.
    """
    product_id, name, other = call.text("product_id"), call.text("product_name"), call.text("product_other")
    if not call.shop.has_product_feedback and call.world.switches.product_tier == "refused":
        raise sandbox_world.Refusal(f"ERROR: {NO_PRODUCT_REVIEWS}")
    if not name or not fits_product_id(product_id, call.world.switches.odd_product_ids):
        raise sandbox_world.Refusal(sandbox_world.SOMETHING_WRONG)
    if other.startswith("{"):
        _check_json(other)
    call.shop.products[product_id] = Product(
        product_id=product_id, name=name, canonical_link=call.text("product_canonical_link"), other=other
    )
    return call.done()


def get_product(call: sandbox_world.SandboxCall) -> sandbox_world.Payload:
    """What putProduct has stored; with ``content=avg_rating`` the average of all its reviews, too.

    Raises:
        Refusal: there is no such product.
    """
    product_id = call.text("product")
    if not product_id:
        raise sandbox_world.Refusal("Product parameter is empty.")
    product = call.shop.products.get(product_id)
    if product is None:
        raise sandbox_world.Refusal("Product ID not found.")
    answer = call.done(
        product_id=product.product_id,
        product_name=product.name,
        product_canonical_link=product.canonical_link,
        product_other=product.other,
    )
    if call.text("content") == "avg_rating":
        reviews = [review for review in call.shop.product_reviews if review.product_id == product_id]
        answer["avg_rating"] = call.decimal(read_functions.mean_rating(reviews), 2)
    return answer


def _registered(call: sandbox_world.SandboxCall, order_id: str) -> Registered:
    key = f"{call.world.seed}:{call.shop.interface_id}:{order_id}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    return Registered(known_since=call.now, link=REVIEW_LINK + digest, hash=digest, product_ids=[])


def _first_known_since(call: sandbox_world.SandboxCall) -> dict[str, object]:
    values: dict[str, dict[str, object]] = {
        "zero": {"known_since": 0},
        "absent": {},
        "null": {"known_since": None},
        "date": {"known_since": _day(call.now)},
    }
    return values[call.world.switches.known_since_first]


def _repeated(call: sandbox_world.SandboxCall, known: Registered) -> object:
    if call.world.switches.known_since_repeat == "date":
        return _day(known.known_since)
    return known.known_since


def _day(instant: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + instant // 86400).isoformat()


def _check_timestamp(call: sandbox_world.SandboxCall) -> None:
    stamp = call.text("ordertimestamp")
    if not stamp:
        return
    match = DATE.fullmatch(stamp)
    if match is None or (match[2] and call.world.switches.order_timestamp == "date"):
        raise sandbox_world.Refusal("Invalid date. Expected: YYYY-MM-DD")
    try:
        date.fromisoformat(match[1])
    except ValueError:
        raise sandbox_world.Refusal("Invalid date") from None


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise sandbox_world.Refusal(sandbox_world.SOMETHING_WRONG) from None


def _record(call: sandbox_world.SandboxCall, order_id: str) -> None:
    call.world.outbox.record(
        sandbox_world.OutboxEntry(
            shop_id=call.shop.interface_id,
            channel="link",
            transaction_id=order_id,
            email=None,
            telephone=None,
            requests=1,
            first_at=call.now,
            last_at=call.now,
            delivered=False,
            fields={name: value for name, value in call.params.items() if name not in _SECRET},
        )
    )


_SECRET = frozenset({"auth", "interface_id", "interface_pw"})


MEDIA_TYPES = {"json": "application/json", "csv": "text/csv", "serialized": "text/plain"}
GENERAL_TYPE_ERROR = "type is not valid. Possible options: [json] and ([serialized])."
CHARSET_ERROR = "ERROR: Charset is not valid. Possible options: [iso] and ([utf-8])."


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function. The first of ``forms`` is its default output; ``tolerated`` means the default, too.

    ``is_feedback``: it needs no version and has texts of its own for missing and wrong credentials.
    """

    name: str
    answer: Callable[[sandbox_world.SandboxCall], sandbox_world.Payload]
    forms: tuple[str, ...] = ("serialized", "json")
    tolerated: tuple[str, ...] = ()
    type_error: str = GENERAL_TYPE_ERROR
    charsets: tuple[str, ...] = ("utf-8", "iso")
    is_feedback: bool = False


_ALL = (
    Function(
        name="getShopDetails",
        answer=read_functions.shop_details,
        forms=("json", "serialized"),
        type_error="type is not valid. Possible options: ([json]) and [serialized].",
        charsets=("iso", "iso-8859-1", "utf-8"),
    ),
    Function(
        name="getSnapshot",
        answer=read_functions.snapshot,
        forms=("csv", "json", "serialized"),
        type_error="ERROR: Type is not valid. Possible options: ([csv]), [json], [serialized].",
    ),
    Function(name="getAverage", answer=read_functions.average),
    Function(
        name="getFeedback",
        answer=read_functions.feedback,
        forms=("csv", "json"),
        type_error="ERROR: Type is not valid. Possible options: ([csv], [json]).",
        charsets=("iso", "utf-8"),
        is_feedback=True,
    ),
    Function(
        name="getProductfeedback",
        answer=read_functions.product_feedback,
        forms=("csv", "serialized", "json"),
        type_error="ERROR: Type is not valid. Possible options: [csv], [json], [serialized].",
        is_feedback=True,
    ),
    # The shop plugins test credentials with type=request, which is a value of another parameter.
    Function(name="getSettings", answer=read_functions.settings, tolerated=("request",)),
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


def core_answer(world: sandbox_world.World, name: str, params: Mapping[str, str]) -> Response:
    """The answer of ``/v3/<name>`` to these query parameters."""
    try:
        function = _function(world, name)
        shop = _authorised(world, function, params)
        form, charset = _form(function, params), _charset(function, params)
        payload = function.answer(sandbox_world.SandboxCall(world, shop, params))
    except sandbox_world.Refusal as refusal:
        return _answer(world, str(refusal).encode(), "text/plain", status=world.switches.error_status)
    body = sandbox_world.encoded(payload, form=form, charset=charset)
    if payload == [] and form == "json" and world.switches.empty_list == "nothing":
        body = b""
    return _answer(world, body, MEDIA_TYPES[form], status=200)


def _function(world: sandbox_world.World, name: str) -> Function:
    function = FUNCTIONS.get(name.lower())
    missing = {missing.lower() for missing in world.switches.missing_functions}
    if function is None or name.lower() in missing:
        raise sandbox_world.Refusal(world.switches.unknown_function_text)
    return function


def _authorised(world: sandbox_world.World, function: Function, params: Mapping[str, str]) -> SandboxShop:
    own_texts = function.is_feedback and world.switches.feedback_auth_texts == "own"
    credentials = _credentials(params)
    if credentials is None:
        raise sandbox_world.Refusal(
            "ERROR: Interface ID or password not transmitted" if own_texts else "NonAuth"
        )
    if not params.get("version") and not function.is_feedback:
        raise sandbox_world.Refusal("NonVersion")
    shop = world.shops.get(credentials[0])
    if shop is None or shop.password != credentials[1]:
        raise sandbox_world.Refusal(
            "ERROR: Interface ID or password is not valid." if own_texts else "Access denied"
        )
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
        raise sandbox_world.Refusal(function.type_error)
    return form


def _charset(function: Function, params: Mapping[str, str]) -> str:
    """One page of the manual writes the parameter with a capital C."""
    charset = params.get("charset") or params.get("Charset") or function.charsets[0]
    if charset not in function.charsets:
        raise sandbox_world.Refusal(CHARSET_ERROR)
    return charset


def _answer(world: sandbox_world.World, body: bytes, media_type: str, *, status: int) -> Response:
    kind = "text/html; charset=UTF-8" if world.switches.content_type == "html" else media_type
    return Response(body, status_code=status, headers={"content-type": kind})
