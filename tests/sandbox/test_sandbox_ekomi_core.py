"""The core API: names, order of checks, credentials, forms and charsets, shop data and figures."""

import pytest

NOW = 1_750_000_000
DAY = 86400
FEEDBACK = ("getFeedback", "getProductfeedback")
OTHERS = (
    "getShopDetails",
    "getSnapshot",
    "getAverage",
    "getSettings",
    "putOrder",
    "putProduct",
    "getProduct",
)


def bare(answer):
    """The text of a refusal: HTTP 200, one line, no JSON."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain"
    return answer.text


@pytest.mark.parametrize("name", ["getShopDetails", "getshopdetails", "GETSHOPDETAILS"])
def test_function_names_ignore_case(api, name):
    """The same function answers whatever the case of its name."""
    assert api.json(name)["details"]["name"] == "Germany"


@pytest.mark.parametrize("name", ["", "getVisits", "putCustomerFeedback"])
def test_an_unknown_function_is_refused_before_credentials_are_looked_at(api, name):
    """An unknown name is NonFunction even without credentials."""
    assert bare(api.raw(name)) == "NonFunction"


def test_the_other_text_for_an_unknown_function(api, world):
    """A switch chooses the text, and another takes known functions away."""
    world.switch(unknown_function_text="InvalidFunction", missing_functions=["getshopdetails"])
    assert bare(api.call("getShopDetails")) == "InvalidFunction"
    assert api.json("getAverage")["rounded_average"]


@pytest.mark.parametrize("name", OTHERS)
def test_order_of_checks(api, name):
    """Missing credentials come before a missing version, that before wrong credentials and parameters."""
    assert bare(api.raw(name, type="nonsense")) == "NonAuth"
    assert bare(api.raw(name, auth="28374|wrong")) == "NonVersion"
    assert bare(api.raw(name, auth="28374|wrong", version="cust-1", type="nonsense")) == "Access denied"
    assert "is not valid" in bare(api.call(name, type="nonsense"))


@pytest.mark.parametrize("name", FEEDBACK)
def test_feedback_texts_for_credentials(api, world, name):
    """The feedback functions have texts of their own, or by switch the general ones, and need no version."""
    assert bare(api.raw(name)) == "ERROR: Interface ID or password not transmitted"
    assert bare(api.raw(name, auth="28374|wrong")) == "ERROR: Interface ID or password is not valid."
    world.switch(feedback_auth_texts="general")
    assert bare(api.raw(name)) == "NonAuth"
    assert bare(api.raw(name, auth="28374|wrong")) == "Access denied"
    assert api.raw(name, auth="28374|sandbox-de", type="json", charset="utf-8").json()


@pytest.mark.parametrize(
    ("credentials", "text"),
    [
        ({"auth": ""}, "NonAuth"),
        ({"interface_id": "28374"}, "NonAuth"),
        ({"interface_id": "28374", "interface_pw": ""}, "NonAuth"),
        ({"interface_id": "28374", "interface_pw": "sandbox-fr"}, "Access denied"),
        ({"auth": "28374"}, "Access denied"),
        ({"auth": "28374|"}, "Access denied"),
        ({"auth": "99999|sandbox-de"}, "Access denied"),
        ({"auth": "28374|sandbox-de "}, "Access denied"),
    ],
)
def test_bad_credentials(api, credentials, text):
    """What is not sent is NonAuth, what is wrong is Access denied."""
    assert bare(api.raw("getAverage", version="cust-1", **credentials)) == text


def test_both_forms_of_credentials(api, world):
    """auth=id|password and the two parameters are the same; a password may hold a bar."""
    world.shops["28374"].password = "a|b"
    assert api.raw("getSnapshot", auth="28374|a|b", version="v", type="json").json()["done"] == 1
    pair = {"interface_id": "28374", "interface_pw": "a|b", "version": "v", "type": "json"}
    assert api.raw("getSnapshot", **pair).json()["done"] == 1


def test_post_is_not_served(api):
    """The core API is GET only: a client that posts must notice."""
    assert api.client.post(f"{api.server.api_url}/getAverage").status_code == 405


def test_refusals_with_another_status_or_as_html(api, world):
    """By switch refusals have an HTTP status, and every answer calls itself HTML."""
    world.switch(error_status=403, content_type="html")
    refused = api.raw("getAverage")
    assert (refused.status_code, refused.text) == (403, "NonAuth")
    good = api.call("getAverage", type="json")
    assert good.status_code == 200
    assert {refused.headers["content-type"], good.headers["content-type"]} == {"text/html; charset=UTF-8"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("getFeedback", "ERROR: Type is not valid. Possible options: ([csv], [json])."),
        ("getProductfeedback", "ERROR: Type is not valid. Possible options: [csv], [json], [serialized]."),
        ("getShopDetails", "type is not valid. Possible options: ([json]) and [serialized]."),
    ],
)
def test_documented_type_errors(api, name, text):
    """An unknown output form is refused with the function's own text."""
    assert bare(api.call(name, type="xml")) == text


def test_forms_differ_by_function(api):
    """serialized exists for product reviews but not for shop reviews; csv not for shop details."""
    assert api.call("getProductfeedback", type="serialized").text.startswith("a:")
    assert bare(api.call("getFeedback", type="serialized")).startswith("ERROR: Type")
    assert bare(api.call("getShopDetails", type="csv")).startswith("type is not valid.")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("getShopDetails", '{"done"'),
        ("getSnapshot", '"Germany"'),
        ("getAverage", "a:4:{"),
        ("getFeedback", '"'),
    ],
)
def test_default_forms(api, name, start):
    """Without type each function answers in its documented default."""
    assert api.call(name).text.startswith(start)


@pytest.mark.parametrize("name", ["getFeedback", "getAverage"])
def test_unknown_charset(api, name):
    """A charset that does not exist is refused."""
    text = "ERROR: Charset is not valid. Possible options: [iso] and ([utf-8])."
    assert bare(api.call(name, type="json", charset="utf8")) == text


def test_charset_iso_answers_iso_bytes(api, world):
    """charset=iso is ISO-8859-1 on the wire; a sign beyond it becomes a question mark."""
    world.shops["28374"].name = "Käse 5 €"
    answer = api.call("getSnapshot", type="json", charset="iso")
    assert '"Käse 5 ?"'.encode("iso-8859-1") in answer.content
    assert '"Käse 5 €"'.encode() in api.call("getSnapshot", type="json", charset="utf-8").content


def test_shop_details_take_the_capital_charset(api, world):
    """getShopDetails defaults to ISO-8859-1 and knows the parameter with a capital C, too."""
    world.shops["28374"].details["name"] = "Käse"
    assert "Käse".encode("iso-8859-1") in api.call("getShopDetails").content
    assert "Käse".encode() in api.call("getShopDetails", Charset="utf-8").content
    assert "Käse".encode("iso-8859-1") in api.call("getShopDetails", charset="iso-8859-1").content


def test_shop_details(api, world):
    """getShopDetails has the documented fields and the envelope of its time."""
    answer = api.json("getShopDetails")
    fields = (
        "name url logo_url streetAddress postalCode addressLocality addressRegion addressCountry telephone"
    )
    assert set(answer["details"]) == {*fields.split(), "templateLanguage", "ekomi_certificate_id"}
    assert (answer["done"], answer["done_at"]) == (1, NOW)
    assert answer["details"]["templateLanguage"] == "de"
    world.shops["28374"].details = None
    assert bare(api.call("getShopDetails")) == "Not Found"


@pytest.mark.parametrize(("form", "text"), [("code", "no"), ("locale", "no_NO"), ("word", "norwegian")])
def test_template_language(api, world, form, text):
    """The form of the language is a switch, because nobody knows it."""
    world.switch(template_language=form)
    details = api.json("getShopDetails", auth="28376|sandbox-no")["details"]
    assert details["templateLanguage"] == text


def test_snapshot_counts_a_year_and_average_counts_all(api, world):
    """getSnapshot covers the last 365 days, getAverage everything or the last days asked for."""
    reviews = world.shops["28374"].reviews
    recent = [r.rating for r in reviews if r.submitted > NOW - 365 * DAY]
    info = api.json("getSnapshot")["info"]
    average = api.json("getAverage")
    assert 0 < len(recent) < len(reviews)
    assert info["fb_count"] == str(len(recent))
    assert info["fb_avg_detail"] == f"{sum(recent) / len(recent):.2f}"
    assert info["fb_avg"] == f"{sum(recent) / len(recent):.1f}"
    assert average["number_of_ratings"] == str(len(reviews))
    assert average["exact_average"] == f"{sum(r.rating for r in reviews) / len(reviews):.12f}"
    assert average["rounded_average"] == f"{sum(r.rating for r in reviews) / len(reviews):.2f}"
    assert api.json("getAverage", days="365")["number_of_ratings"] == str(len(recent))


def test_snapshot_of_all_time_by_switch(api, world):
    """Some shops' snapshots are said to cover all time."""
    world.switch(snapshot_window="all")
    assert api.json("getSnapshot")["info"]["fb_count"] == str(len(world.shops["28374"].reviews))


def test_snapshot_shape(api):
    """Figures are strings, active is a truth value, the certificate id is not the interface id."""
    answer = api.json("getSnapshot")
    info = answer["info"]
    assert (answer["done"], info["active"], info["account_name"]) == (1, True, "Germany")
    assert info["ekomi_certificate"].endswith("/cert/" + info["ekomi_certificate_id"])
    assert info["ekomi_certificate_id"] != "28374"
    assert info["ekomi_certificate_seo"].startswith("https://")


@pytest.mark.parametrize("days", ["0", "1096", "-1", "x", "1.5"])
def test_days_out_of_range(api, days):
    """getAverage takes 1 to 1095 days."""
    assert bare(api.call("getAverage", days=days)).startswith("ERROR: Days is not valid.")


def test_average_key_and_numbers_by_switch(api, world):
    """The key of the count and the type of the figures are switches."""
    world.switch(average_count_key="count", numbers="numbers")
    answer = api.json("getAverage")
    assert answer["count"] == len(world.shops["28374"].reviews)
    assert isinstance(answer["rounded_average"], float)


def test_figures_without_reviews(api, world):
    """A shop without reviews has zeros, not an error."""
    world.shops["28374"].reviews = []
    assert api.json("getSnapshot")["info"]["fb_avg"] == "0.0"
    assert api.json("getAverage")["seal"] == "none"


def test_reviews_of_the_future_do_not_count(api, world):
    """The clock decides what has been submitted."""
    world.clock.set(world.shops["28374"].reviews[0].submitted)
    assert api.json("getAverage")["number_of_ratings"] == "1"
    assert len(api.rows()) == 1


def test_settings_and_the_odd_pair_of_the_plugins(api):
    """getSettings names the mail; type=request with charset=iso is no error, other types are."""
    answer = api.json("getSettings")
    assert {"mail_subject", "mail_plain", "mail_html", "mail_delay", "ekomi_certificate", "done"} <= set(
        answer
    )
    assert "{ekomilink}" in answer["mail_plain"]
    assert api.call("getSettings", type="request", charset="iso").text.startswith("a:")
    assert "is not valid" in bare(api.call("getSettings", type="thankyou"))
    assert api.json("getSettings", content="reminder")["mail_subject"] != answer["mail_subject"]
    assert "is not valid" in bare(api.call("getSettings", type="json", content="other"))


def test_serialized_lengths_are_bytes(api, world):
    """PHP's strings are as long as their bytes in the charset."""
    world.shops["28374"].details = {"name": "Kä"}
    utf8 = api.call("getShopDetails", type="serialized", charset="utf-8").content
    iso = api.call("getShopDetails", type="serialized", charset="iso").content
    assert 's:4:"name";s:3:"Kä";'.encode() in utf8
    assert 's:4:"name";s:2:"Kä";'.encode("iso-8859-1") in iso
    assert utf8.startswith(b'a:3:{s:4:"done";i:1;')
