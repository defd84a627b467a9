"""Order actions by name, and orders that change while somebody reads them page by page."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ekomi_reconcile.sandbox.magento.document import Order
from ekomi_reconcile.sandbox.magento.refusal import Refused
from ekomi_reconcile.sandbox.magento.workflow import Workflow

Step = Mapping[str, Any]

_RANDOM = ("touch", "comment", "hold", "unhold", "invoice", "ship", "refund", "cancel", "set_status")


def _quantities(step: Step) -> dict[int, float] | None:
    given = step.get("quantities")
    return None if given is None else {int(item): float(quantity) for item, quantity in given.items()}


ACTIONS: dict[str, Callable[[Workflow, int, Step], Any]] = {
    "invoice": lambda shop, order, step: shop.invoice(order, _quantities(step)),
    "ship": lambda shop, order, step: shop.ship(order, _quantities(step)),
    "refund": lambda shop, order, step: shop.refund(order, _quantities(step)),
    "hold": lambda shop, order, _: shop.hold(order),
    "unhold": lambda shop, order, _: shop.unhold(order),
    "cancel": lambda shop, order, step: shop.cancel(order, step.get("comment")),
    "comment": lambda shop, order, step: shop.comment(order, step.get("comment")),
    "set_status": lambda shop, order, step: shop.set_status(order, step["status"], step.get("comment")),
    "save": lambda shop, order, step: shop.save(order, state=step.get("state"), status=step.get("status")),
    "email": lambda shop, order, _: shop.send_email(order),
    "touch": lambda shop, order, _: shop.touch(order),
}


def perform(shop: Workflow, step: Step) -> Any:
    """One action: `{"action": …, "order": …}` and what it needs; `place` takes the order's keys.

    Raises Refused 400 for an action that does not exist, or what the action itself raises.
    """
    if step.get("action") == "place":
        return shop.place(**step.get("given", {}))
    action = ACTIONS.get(str(step.get("action")))
    if action is None:
        raise Refused(400, "No such action: %1", [str(step.get("action"))])
    return action(shop, int(step["order"]), step)


@dataclass(slots=True)
class Mutations:
    """Changes between pages: the script, one list of steps per page, then `each` random ones if seeded."""

    script: list[list[Step]] = field(default_factory=list)
    each: int = 0
    generator: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - test data

    def plan(self, *steps: list[Step]) -> None:
        """What happens after each of the next pages of orders."""
        self.script.extend(steps)

    def seed(self, seed: int, *, each: int) -> None:
        """From now on `each` random orders change after every page, in the same way for the same seed."""
        self.generator = random.Random(seed)  # noqa: S311 - test data
        self.each = each

    def clear(self) -> None:
        self.script.clear()
        self.each = 0

    def after_page(self, shop: Workflow) -> None:
        """Called when a page of orders went out."""
        if self.script:
            for step in self.script.pop(0):
                perform(shop, step)
            return
        for _ in range(min(self.each, len(shop.orders))):
            self._random_change(shop)

    def _random_change(self, shop: Workflow) -> None:
        order = shop.orders.get(self.generator.randint(1, shop.orders.last_id()))
        if order is None:
            return
        name = self.generator.choice(_RANDOM)
        try:
            perform(shop, _random_step(name, order))
        except Refused:
            shop.touch(order["entity_id"])


def _random_step(name: str, order: Order) -> Step:
    return {"action": name, "order": order["entity_id"], "comment": None, "status": order["status"]}
