"""The guide to faults, and the help of the command, describe the sandbox as it is."""

import re
import shlex
from pathlib import Path
from typing import get_args

import httpx
import pytest
from click.testing import CliRunner
from magento_served import served

from ekomi_reconcile.cli.demo import sandbox as command
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.shops import Kind

GUIDE = Path("docs/how-to/sandbox-faults.md").read_text(encoding="utf-8")
CALLS = [
    shlex.split(call, comments=True)
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for call in block.replace("\\\n", " ").splitlines()
    if call.startswith("curl ")
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call[2:])[:70])
def test_every_call_of_the_guide_works(api, call):
    """Each curl command succeeds against a running sandbox."""
    url = next(each for each in call if each.startswith("http"))
    body = call[call.index("-d") + 1] if "-d" in call else None
    method = call[call.index("-X") + 1] if "-X" in call else "GET" if body is None else "POST"
    if "/_sandbox/magento/" in url:
        with served(SimulatedShop.from_orders([])) as base:
            answer = httpx.request(method, url.replace("http://127.0.0.1:8021", base), content=body)
    else:
        answer = api.client.request(
            method, url.replace("http://127.0.0.1:8021", api.server.url), content=body
        )
    assert answer.is_success, answer.text


def test_every_kind_is_described():
    """The table of the guide and the help of the command name exactly the kinds of faults there are."""
    table = GUIDE.partition("| kind |")[2].partition("\n\n")[0]
    named = {each for row in table.splitlines()[2:] for each in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(get_args(Kind))
    text = CliRunner().invoke(command, ["--help"]).output
    assert [each for each in get_args(Kind) if not re.search(rf"\b{each}\b", text)] == []
