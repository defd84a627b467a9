"""Control endpoints below `/_sandbox/magento`: faults, damage, changes between pages, clock, switches, log.

GET shows, POST changes, DELETE goes back to the start. They need no login and never appear in the log.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ekomi_reconcile.sandbox.magento.login import ALL
from ekomi_reconcile.sandbox.magento.render import FaultKind, OrderDamage, RequestRejected, ShopFault
from ekomi_reconcile.sandbox.magento.settings import Settings
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.magento.workflow import perform

PREFIX = "/_sandbox/magento"
Body = dict[str, Any]
Control = Callable[[SimulatedShop, Body], Any]


def control_routes(shop: SimulatedShop) -> list[BaseRoute]:
    """One route per method and control, plus one for each order action."""
    made: list[BaseRoute] = [
        Route(f"{PREFIX}{path}", _endpoint(shop, control), methods=[method])
        for (method, path), control in _CONTROLS.items()
    ]
    return made


def _endpoint(shop: SimulatedShop, control: Control) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
            with shop.lock:
                return JSONResponse(control(shop, body | request.path_params))
        except RequestRejected as refused:
            return JSONResponse(refused.body(), refused.status)
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)

    return endpoint


def _overview(shop: SimulatedShop, _: Body) -> Any:
    return {
        "orders": len(shop.orders),
        "clock": _clock(shop, {}),
        "settings": asdict(shop.settings),
        "faults": _faults(shop, {}),
        "damage": _damage(shop, {}),
        "mutations": _mutations(shop, {}),
        "requests": len(shop.log.entries),
    }


def _reset(shop: SimulatedShop, body: Body) -> Any:
    shop.reset()
    return _overview(shop, body)


def _settings(shop: SimulatedShop, _: Body) -> Any:
    return asdict(shop.settings)


def _set_settings(shop: SimulatedShop, body: Body) -> Any:
    shop.settings = msgspec.convert(asdict(shop.settings) | body, Settings)
    return asdict(shop.settings)


def _reset_settings(shop: SimulatedShop, _: Body) -> Any:
    shop.settings = Settings()
    return asdict(shop.settings)


def _faults(shop: SimulatedShop, _: Body) -> Any:
    return [asdict(fault) for fault in shop.faults.faults]


def _add_fault(shop: SimulatedShop, body: Body) -> Any:
    """A fault as its fields, e.g. `{"kind": "maintenance", "path": "/orders", "times": 2}`."""
    shop.faults.faults.append(msgspec.convert({"kind": FaultKind.MAINTENANCE} | body, ShopFault))
    return _faults(shop, {})


def _clear_faults(shop: SimulatedShop, _: Body) -> Any:
    shop.faults.clear()
    return []


def _damage(shop: SimulatedShop, _: Body) -> Any:
    return {str(number): damage for number, damage in shop.damages.items()}


def _add_damage(shop: SimulatedShop, body: Body) -> Any:
    """`{"order": 5, "damage": "payment_info_unreadable"}`."""
    shop.damage(int(body["order"]), OrderDamage(body.get("damage", OrderDamage.PAYMENT_INFO_UNREADABLE)))
    return _damage(shop, {})


def _repair(shop: SimulatedShop, _: Body) -> Any:
    shop.damages.clear()
    return {}


def _mutations(shop: SimulatedShop, _: Body) -> Any:
    return {
        "script": [list(map(dict, steps)) for steps in shop.mutations.script],
        "each": shop.mutations.each,
    }


def _add_mutations(shop: SimulatedShop, body: Body) -> Any:
    """`{"script": [[{"action": "hold", "order": 5}], …]}` or `{"seed": 7, "each": 3}`."""
    shop.mutations.plan(*body.get("script", []))
    if "seed" in body:
        shop.mutations.seed(int(body["seed"]), each=int(body.get("each", 1)))
    return _mutations(shop, {})


def _clear_mutations(shop: SimulatedShop, _: Body) -> Any:
    shop.mutations.clear()
    return _mutations(shop, {})


def _log(shop: SimulatedShop, _: Body) -> Any:
    return shop.log.summary()


def _clear_log(shop: SimulatedShop, _: Body) -> Any:
    shop.log.clear()
    return shop.log.summary()


def _clock(shop: SimulatedShop, _: Body) -> Any:
    return {"now": shop.clock.now(), "set": shop.clock.is_set()}


def _set_clock(shop: SimulatedShop, body: Body) -> Any:
    """`{"now": epoch}` sets, `{"advance": seconds}` moves on."""
    if "now" in body:
        shop.clock.set(int(body["now"]))
    shop.clock.advance(int(body.get("advance", 0)))
    return _clock(shop, {})


def _release_clock(shop: SimulatedShop, _: Body) -> Any:
    shop.clock.release()
    return _clock(shop, {})


def _place(shop: SimulatedShop, body: Body) -> Any:
    return {"entity_id": shop.place(**body)}


def _perform(shop: SimulatedShop, body: Body) -> Any:
    result = perform(shop, body)
    order = shop.order(int(body["order"]))
    return {"result": result} | {key: order[key] for key in ("entity_id", "state", "status", "updated_at")}


def _integrate(shop: SimulatedShop, body: Body) -> Any:
    """`{"resources": ["Magento_Sales::actions_view"]}`, or nothing for all; answers the four values."""
    made = shop.integrate(body.get("resources", ALL))
    keys = ("consumer_key", "consumer_secret", "token", "token_secret")
    return {key: getattr(made, key) for key in keys}


def _admin_token(shop: SimulatedShop, _: Body) -> Any:
    return {"token": shop.admin_token()}


_CONTROLS: dict[tuple[str, str], Control] = {
    ("GET", ""): _overview,
    ("DELETE", ""): _reset,
    ("GET", "/settings"): _settings,
    ("POST", "/settings"): _set_settings,
    ("DELETE", "/settings"): _reset_settings,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/damage"): _damage,
    ("POST", "/damage"): _add_damage,
    ("DELETE", "/damage"): _repair,
    ("GET", "/mutations"): _mutations,
    ("POST", "/mutations"): _add_mutations,
    ("DELETE", "/mutations"): _clear_mutations,
    ("GET", "/log"): _log,
    ("DELETE", "/log"): _clear_log,
    ("GET", "/clock"): _clock,
    ("POST", "/clock"): _set_clock,
    ("DELETE", "/clock"): _release_clock,
    ("POST", "/orders"): _place,
    ("POST", "/orders/{order:int}/{action}"): _perform,
    ("POST", "/integrations"): _integrate,
    ("POST", "/admin-token"): _admin_token,
}
