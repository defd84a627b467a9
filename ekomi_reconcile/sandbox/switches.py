"""What is not known about eKomi, as choices: a client has to live with every combination."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

HttpStatus = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Switches(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Each field is one open question; the default is the likelier answer.

    Core API:

    - ``feedback_auth_texts``: the feedback functions refuse credentials with texts of their ``own``
      (``ERROR: Interface ID …``) or with the ``general`` ones (``NonAuth``, ``Access denied``).
    - ``unknown_function_text``, ``missing_functions``: what an unknown function answers, and which of
      the known ones are unknown to this server.
    - ``error_status``: the HTTP status of every refusal. ``content_type``: ``matching`` the body, or
      always ``html`` as a bare PHP script sends it.
    - ``numbers``: feedback rows and averages hold ``strings`` or ``numbers``.
    - ``average_count_key``: the name of the count in getAverage. ``snapshot_window``: what getSnapshot
      counts. ``template_language``: ``de``, ``de_DE`` or ``german``.
    - ``empty_list``: no reviews are ``[]`` (``brackets``) or an empty body (``nothing``).
    - ``row_order``, ``feedback_fields`` (``plain``: only the five of old), ``range_1w``, ``caching``,
      ``product_filter``: as named.
    - ``tier_refusal``: what getProductfeedback answers a shop whose tier does not have it.
    - ``order_timestamp``: putOrder takes a ``date`` only, or a ``date_time`` too.
    - ``known_since_first``, ``known_since_repeat``: putOrder's value for a new and for a known order.
    - ``odd_product_ids``: ids that are not 1-32 letters and digits.

    Review requests: ``success_word``, ``duplicate_answer`` (``error`` says "already …") and
    ``recipient_error_status``.
    """

    feedback_auth_texts: Literal["own", "general"] = "own"
    unknown_function_text: Literal["NonFunction", "InvalidFunction"] = "NonFunction"
    missing_functions: tuple[str, ...] = ()
    error_status: HttpStatus = 200
    content_type: Literal["matching", "html"] = "matching"
    numbers: Literal["strings", "numbers"] = "strings"
    average_count_key: str = "number_of_ratings"
    snapshot_window: Literal["365d", "all"] = "365d"
    template_language: Literal["code", "locale", "word"] = "code"
    empty_list: Literal["brackets", "nothing"] = "brackets"
    row_order: Literal["newest", "oldest"] = "newest"
    feedback_fields: Literal["all", "plain"] = "all"
    range_1w: Literal["accepted", "refused"] = "accepted"
    caching: Literal["honoured", "ignored"] = "honoured"
    product_filter: Literal["honoured", "ignored"] = "honoured"
    tier_refusal: Literal["NonFunction", "Access denied", "ERROR: Function is not available."] = "NonFunction"
    order_timestamp: Literal["date", "date_time"] = "date"
    known_since_first: Literal["zero", "absent", "null", "date"] = "zero"
    known_since_repeat: Literal["seconds", "date"] = "seconds"
    odd_product_ids: Literal["refused", "accepted"] = "refused"
    success_word: str = "success"
    duplicate_answer: Literal["success", "error"] = "success"
    recipient_error_status: HttpStatus = 200

    def changed(self, changes: object) -> Switches:
        """These with some of them set anew.

        Raises:
            msgspec.ValidationError: not a mapping, an unknown switch, or a value it does not have.
        """
        wanted = msgspec.convert(changes, dict[str, object])
        return msgspec.convert(msgspec.structs.asdict(self) | wanted, Switches)
