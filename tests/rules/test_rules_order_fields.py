"""Fields that rules name by their path: consent, and conditions, from an order as it is written."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_naive import operator_holds
from rules_strategies import DAY, NOW, account, maybe, text_operators

from ekomi_reconcile.model.invitation import Criterion, Evidence, Reached
from ekomi_reconcile.model.order import Agreement
from ekomi_reconcile.model.rule import Consent, InvitationRule
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.judge import Decision, first_failed
from ekomi_reconcile.rules.rulebook import Rule, RuleBook

PATHS = ["extension_attributes.optin", "custom_attributes.optin", "optin"]
HEAD = {
    "entity_id": 1,
    "increment_id": "1",
    "created_at": "2027-01-14 08:00:00",
    "customer_email": "kim@example.com",
}
scalars = st.sampled_from([None, "", " ", "1", " 1 ", "0", "Yes", "yes", "TRUE", True, False, 1, 1.0, 0, 1.5])
values = scalars | st.lists(scalars, max_size=3) | st.just({"a": "1"})


def rule(**changes):
    return Rule(account(invitations=InvitationRule(**{"enabled": True, **changes})))


def written(path, value):
    """An order with this value at this path, as Magento writes it."""
    first, _, name = path.partition(".")
    if first == "custom_attributes":
        return HEAD | {
            first: [{"attribute_code": "x", "value": "1"}, {"attribute_code": name, "value": value}]
        }
    return HEAD | {first: {"y": "1", name: value} if name else value}


def read(compiled, order):
    """The order as a source hands it out for this rule."""
    attributes = RuleBook([compiled.account]).attributes
    return OrderReader(Codes(), attributes).order(json.dumps(order).encode())


def case(compiled, order):
    known = KnownFacts(now=NOW)
    return Case(
        compiled, order, order.created_at, Reached(order.created_at, "complete", Evidence.HISTORY), known
    )


def plain(value):
    """The texts of a value, by the documentation: trimmed; an empty one is absent; true is ``true``."""
    texts = [plain_text(each) for each in (value if isinstance(value, list) else [value])]
    return [each for each in texts if each]


def plain_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, dict):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value).strip()


@given(st.sampled_from(PATHS), values, st.lists(st.sampled_from(["1", "yes ", "True"]), min_size=1))
def test_consent_agrees_with_a_plain_reading(path, value, accept):
    """Absent is no consent; of a list one entry is enough; case and whitespace do not matter."""
    compiled = rule(consent=Consent(field=path, accept=tuple(accept)))
    subject = read(compiled, written(path, value))
    texts = [each.lower() for each in plain(value)]
    wanted = bool({each.strip().lower() for each in accept} & set(texts))
    failed = first_failed(case(compiled, subject))
    assert failed is (None if wanted else Criterion.CONSENT)
    (shown,) = [
        each for each in Decision(case(compiled, subject)).criteria if each.criterion is Criterion.CONSENT
    ]
    assert shown.ok is wanted
    assert shown.value == ("accepted" if wanted else "not accepted" if texts else "absent")
    assert subject.fields is None


@given(st.sampled_from(PATHS), values, text_operators)
def test_a_condition_on_a_field_agrees_with_a_plain_reading(path, value, operators):
    """Positive operators need one entry, the negative ones are their opposites."""
    compiled = rule(conditions={"field": {"path": path, **operators}})
    subject = read(compiled, written(path, value))
    texts, opposite = plain(value), {"ne": "eq", "not_in": "in", "not_contains": "contains"}

    def one(operator, wanted):
        positive = opposite.get(operator, operator)
        found = any(operator_holds(positive, wanted, each) for each in texts)
        return found is (operator not in opposite)

    holds = all(one(operator, wanted) for operator, wanted in operators.items())
    assert first_failed(case(compiled, subject)) is (None if holds else Criterion.CONDITIONS)


@given(maybe(st.sampled_from(["1", "Yes", "no", '["no", "1"]', '{"a": 1}', "{broken"])))
def test_csv_and_json_say_the_same(text):
    """A column of the path's name is the field; a cell may hold JSON."""
    consent = Consent(field="extension_attributes.optin", accept=("1", "yes"))
    reader = OrderReader(Codes(), RuleBook([rule(consent=consent).account]).attributes)
    file = io.StringIO()
    csv.DictWriter(file, ["cell"]).writerow({"cell": text or ""})
    (cell,) = next(csv.reader(io.StringIO(file.getvalue())), [""])
    value = {'["no", "1"]': ["no", "1"], '{"a": 1}': {"a": 1}}.get(text or "", text)
    from_json = reader.order(json.dumps(written(consent.field, value)).encode())
    from_csv = reader.tree({**HEAD, "extension_attributes": {"optin": cell}} if cell else HEAD)
    assert from_csv.consents == from_json.consents
    whole = reader.tree({**HEAD, "extension_attributes": json.dumps({"optin": value})})
    assert whole.consents == from_json.consents


@pytest.mark.parametrize("path", ["a.b.c", "items.sku", "created_at.x", "extension_attributes"])
@pytest.mark.parametrize("value", [None, [], {}, "text", 5, [[["1"]]]])
def test_paths_that_lead_nowhere_are_absent(path, value):
    """Whatever is at the beginning of the path, nothing fails."""
    compiled = rule(consent=Consent(field=path, accept=("1",)))
    subject = read(compiled, HEAD | ({path.split(".")[0]: value} if path[0] == "a" else {}))
    (verdict,) = (subject.consents or {}).values()
    assert verdict is Agreement.ABSENT


def test_consent_is_judged_after_the_age_and_before_the_conditions():
    """The first criterion that fails is the reason."""
    wanted = {"consent": Consent(field="optin", accept=("1",)), "conditions": {"grand_total": {"gte": 50}}}
    subject = read(rule(**wanted), HEAD)
    assert first_failed(case(rule(**wanted), subject)) is Criterion.CONSENT
    agreed = read(rule(**wanted), HEAD | {"optin": "1"})
    assert first_failed(case(rule(**wanted), agreed)) is Criterion.CONDITIONS
    late = case(rule(**wanted), subject)
    late.judged_at = subject.created_at + 31 * DAY
    assert first_failed(late) is Criterion.ORDER_AGE
