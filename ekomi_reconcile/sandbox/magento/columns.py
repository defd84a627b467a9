"""The columns a filter or a sort order may name, per table.

Orders know every column of `sales_order`, also those elsewhere in the JSON, such as `shipping_method`.
"""

from collections.abc import Iterable

from ekomi_reconcile.sandbox.magento.conditions import Kind
from ekomi_reconcile.sandbox.magento.table import Column

_NUMBERS = """
    adjustment_negative adjustment_positive base_adjustment_negative base_adjustment_positive
    base_discount_amount base_discount_canceled base_discount_invoiced base_discount_refunded
    base_discount_tax_compensation_amount base_discount_tax_compensation_invoiced
    base_discount_tax_compensation_refunded base_grand_total base_shipping_amount base_shipping_canceled
    base_shipping_discount_amount base_shipping_discount_tax_compensation_amnt base_shipping_incl_tax
    base_shipping_invoiced base_shipping_refunded base_shipping_tax_amount base_shipping_tax_refunded
    base_subtotal base_subtotal_canceled base_subtotal_incl_tax base_subtotal_invoiced
    base_subtotal_refunded base_tax_amount base_tax_canceled base_tax_invoiced base_tax_refunded
    base_to_global_rate base_to_order_rate base_total_canceled base_total_due base_total_invoiced
    base_total_invoiced_cost base_total_offline_refunded base_total_online_refunded base_total_paid
    base_total_qty_ordered base_total_refunded billing_address_id can_ship_partially
    can_ship_partially_item customer_gender customer_group_id customer_id customer_is_guest
    customer_note_notify discount_amount discount_canceled discount_invoiced discount_refunded
    discount_tax_compensation_amount discount_tax_compensation_invoiced
    discount_tax_compensation_refunded edit_increment email_sent entity_id forced_shipment_with_invoice
    gift_message_id grand_total is_virtual payment_auth_expiration payment_authorization_amount
    paypal_ipn_customer_notified quote_address_id quote_id send_email shipping_amount shipping_canceled
    shipping_discount_amount shipping_discount_tax_compensation_amount shipping_incl_tax
    shipping_invoiced shipping_refunded shipping_tax_amount shipping_tax_refunded store_id
    store_to_base_rate store_to_order_rate subtotal subtotal_canceled subtotal_incl_tax
    subtotal_invoiced subtotal_refunded tax_amount tax_canceled tax_invoiced tax_refunded total_canceled
    total_due total_invoiced total_item_count total_offline_refunded total_online_refunded total_paid
    total_qty_ordered total_refunded weight
"""
_TEXTS = """
    applied_rule_ids base_currency_code coupon_code coupon_rule_name customer_email customer_firstname
    customer_lastname customer_middlename customer_note customer_prefix customer_suffix customer_taxvat
    discount_description ext_customer_id ext_order_id global_currency_code hold_before_state
    hold_before_status increment_id order_currency_code original_increment_id protect_code
    relation_child_id relation_child_real_id relation_parent_id relation_parent_real_id remote_ip
    shipping_description state status store_currency_code store_name x_forwarded_for
"""
_SHIPPING: tuple[str | int, ...] = ("extension_attributes", "shipping_assignments", 0, "shipping")


def _columns(kind: Kind, names: str | Iterable[str]) -> dict[str, Column]:
    listed = names.split() if isinstance(names, str) else names
    return {name: Column(kind, (name,)) for name in listed}


_TIMES = _columns(Kind.TIME, "created_at updated_at")

ORDERS = (
    _columns(Kind.NUMBER, _NUMBERS)
    | _columns(Kind.TEXT, _TEXTS)
    | _columns(Kind.TIME, "created_at updated_at customer_dob")
    | {
        "shipping_method": Column(Kind.TEXT, (*_SHIPPING, "method")),
        "shipping_address_id": Column(Kind.NUMBER, (*_SHIPPING, "address", "entity_id")),
    }
)
ITEMS = (
    _columns(
        Kind.NUMBER,
        "item_id order_id parent_item_id quote_item_id store_id product_id weight is_virtual qty_canceled "
        "qty_invoiced qty_ordered qty_refunded qty_shipped price base_price original_price row_total "
        "base_row_total discount_amount tax_amount",
    )
    | _columns(Kind.TEXT, "sku name product_type applied_rule_ids description")
    | _TIMES
)
DOCUMENTS = (
    _columns(
        Kind.NUMBER,
        "entity_id order_id store_id state grand_total base_grand_total total_qty email_sent "
        "billing_address_id shipping_address_id customer_id",
    )
    | _columns(Kind.TEXT, "increment_id order_currency_code base_currency_code transaction_id")
    | _TIMES
)
GROUPS = _columns(Kind.NUMBER, "id tax_class_id") | _columns(Kind.TEXT, "code tax_class_name")
PRODUCTS = (
    {"entity_id": Column(Kind.NUMBER, ("id",))}
    | _columns(Kind.NUMBER, "id attribute_set_id price status visibility weight")
    | _columns(Kind.TEXT, "sku name type_id")
    | _TIMES
)
CATEGORIES = (
    {"entity_id": Column(Kind.NUMBER, ("id",))}
    | _columns(Kind.NUMBER, "id parent_id level position is_active")
    | _columns(Kind.TEXT, "name path")
    | _TIMES
)
ATTRIBUTE_SETS = _columns(Kind.NUMBER, "attribute_set_id sort_order entity_type_id") | _columns(
    Kind.TEXT, "attribute_set_name"
)
