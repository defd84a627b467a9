"""Secrets: resolved from where they are, never shown, and errors that name the reference only."""

import pickle
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from ekomi_reconcile.config import configuration
from ekomi_reconcile.config.configuration import Secret, kind_of, kinds, redact, resolve
from ekomi_reconcile.model.errors import SecretError

VALUE = "s3cret/with spaces+&ü"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is read when the secret is asked for."""
    monkeypatch.setenv("A_PASSWORD", VALUE)
    assert resolve("${env:A_PASSWORD}").reveal() == VALUE


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_from_a_file(tmp_path: Path, end: str) -> None:
    """One line end at the end of a file is no part of the secret; relative paths start at the root."""
    (tmp_path / "key").write_bytes(f"{VALUE}{end}".encode())
    assert resolve("${file:key}", root=tmp_path).reveal() == VALUE
    assert resolve(f"${{file:{tmp_path}/key}}").reveal() == VALUE


def test_a_secret_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither str, repr, format nor pickle gives a secret away."""
    secret = Secret(VALUE)
    assert {str(secret), repr(secret), f"{secret}", f"{[secret]}"} == {"(sensitive)", "[(sensitive)]"}
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("value", ["", " x-value", "x-value ", "x-value\n", "\tx-value", "x-value\u00a0"])
def test_blanks_and_emptiness_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """An empty variable, or blanks at its ends, are errors that say so and do not show the value."""
    monkeypatch.setenv("A_PASSWORD", value)
    with pytest.raises(SecretError) as caught:
        resolve("${env:A_PASSWORD}")
    assert "${env:A_PASSWORD}" in caught.value.message
    assert "x-value" not in caught.value.message + str(caught.value.hint)


def test_two_line_ends_in_a_file(tmp_path: Path) -> None:
    """Only one line end is forgiven."""
    (tmp_path / "key").write_text(f"{VALUE}\n\n")
    with pytest.raises(SecretError, match="ends in a line feed"):
        resolve("${file:key}", root=tmp_path)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("${env:NOT_SET_ANYWHERE}", "not set"),
        ("${file:nowhere}", "No such file"),
        ("${file:.}", "cannot be read"),
        ("${file:binary}", "UTF-8"),
        ("${file:large}", "too large"),
        ("${vault:x}", "not known"),
        ("${keyring:user-only}", "service and user"),
        ("plain", "not a secret reference"),
    ],
)
def test_what_cannot_be_resolved(tmp_path: Path, reference: str, says: str) -> None:
    """Each failure names the reference and how to hint it."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(SecretError, match=says) as caught:
        resolve(reference, root=tmp_path)
    assert caught.value.hint
    assert reference in caught.value.message or reference == "plain"


def test_an_unusable_reference_is_not_echoed() -> None:
    """What is no reference may be a literal secret: the message does not repeat it."""
    with pytest.raises(SecretError) as caught:
        resolve("hunter2-geheim")
    assert "hunter2" not in repr(caught.value.args) + caught.value.message + str(caught.value.hint)


def _keyring(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A keyring library of our own on the import path."""
    package = folder / "keyring"
    package.mkdir()
    (package / "errors.py").write_text("class KeyringError(Exception): pass\n")
    (package / "__init__.py").write_text(
        f"from keyring.errors import KeyringError\ndef get_password(s, u):\n    {body}\n"
    )
    for name in [each for each in sys.modules if each.partition(".")[0] == "keyring"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "keyring", raising=False)


@pytest.fixture
def forget_keyring():
    """Whatever a test has imported as keyring is forgotten afterwards."""
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == "keyring"]:
        del sys.modules[name]


@pytest.mark.usefixtures("forget_keyring")
def test_from_a_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Service and user are handed to the keyring; the last slash separates them."""
    _keyring(tmp_path, monkeypatch, "return f'{s}|{u}'")
    assert resolve("${keyring:https://ekomi/de}").reveal() == "https://ekomi|de"


@pytest.mark.usefixtures("forget_keyring")
@pytest.mark.parametrize(
    ("body", "says"), [("return None", "no such entry"), ("raise KeyringError('x-value')", "cannot be used")]
)
def test_keyring_without_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, says: str
) -> None:
    """A missing entry and a locked keyring are errors that say what to do."""
    _keyring(tmp_path, monkeypatch, body)
    with pytest.raises(SecretError, match=says) as caught:
        resolve("${keyring:ekomi/de}")
    assert "x-value" not in caught.value.message


@pytest.mark.usefixtures("forget_keyring")
def test_without_the_keyring_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is named with the extra that brings it."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError) as caught:
        resolve("${keyring:ekomi/de}")
    assert "ekomi-reconcile[keyring]" in str(caught.value.hint)


PLUG_IN = """
def read(rest):
    if rest == "gone":
        raise KeyError("x-value")
    return "plugged-" + rest
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An installed distribution with a kind of its own."""
    (tmp_path / "secret_plug_in.py").write_text(PLUG_IN)
    metadata = tmp_path / "secret_plug_in-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: secret-plug-in\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[ekomi_reconcile.secrets]\nvault = secret_plug_in:read\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    configuration._plug_ins.cache_clear()
    yield
    configuration._plug_ins.cache_clear()


@pytest.mark.usefixtures("plug_in")
def test_plug_in_kind() -> None:
    """A plug-in adds a kind: it resolves, is known to the check, and fails in plain words."""
    assert "vault" in kinds()
    assert resolve("${vault:kv/de}").reveal() == "plugged-kv/de"
    with pytest.raises(SecretError, match="KeyError") as caught:
        resolve("${vault:gone}")
    assert "x-value" not in caught.value.message


def test_kind_of_a_reference() -> None:
    """The kind is what stands before the first colon."""
    assert kind_of("${keyring:a:b/c}") == "keyring"


def test_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every resolved secret disappears from texts, as it is and as part of a URL."""
    value = "Tr0ub4dor & 3/é"
    monkeypatch.setenv("A_PASSWORD", value)
    resolve("${env:A_PASSWORD}")
    for form in (value, quote(value), quote(value, safe=""), "Tr0ub4dor+%26+3%2F%C3%A9"):
        assert redact(f"GET /x?p={form}&q=1") == "GET /x?p=(sensitive)&q=1"
    assert redact("nothing here") == "nothing here"


def test_redaction_of_refused_and_short_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is refused for its blanks is redacted all the same; one of three letters is not."""
    monkeypatch.setenv("A_PASSWORD", " blanked-secret ")
    with pytest.raises(SecretError):
        resolve("${env:A_PASSWORD}")
    monkeypatch.setenv("A_PASSWORD", "abc")
    resolve("${env:A_PASSWORD}")
    assert redact("blanked-secret abc") == "(sensitive) abc"


def test_redaction_takes_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of secrets that contain each other the longest is replaced, leaving no rest."""
    for value in ("inner-part", "outer-inner-part-outer"):
        monkeypatch.setenv("A_PASSWORD", value)
        resolve("${env:A_PASSWORD}")
    assert redact("<outer-inner-part-outer>") == "<(sensitive)>"
