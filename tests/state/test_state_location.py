"""Where a state is: names with characters that nobody sees, and several names of one file."""

import os
from pathlib import Path

import pytest

from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.model.paths import expand, flaw
from ekomi_reconcile.state.engine.location import locate
from ekomi_reconcile.state.engine.lock import holder
from ekomi_reconcile.state.engine.runner import writer_lock
from ekomi_reconcile.state.opening import Mode, open_copy, open_state

FLAWS = {
    "x.db\r": "ends in a carriage return",
    "x.db\n": "ends in a line feed",
    "x.db ": "ends in a space",
    "x.db\u00a0": "ends in a no-break space",
    " ": "ends in a space",
    " x.db": "begins with a space",
    "\ufeffx.db": "begins with a byte order mark",
    "a\tb.db": "contains a tab",
    "a\0b.db": "contains a NUL",
    "a\x85b.db": "contains a control character",
}
FORMS = ("{}", "sqlite:///{}", "postgresql://host/{}", "postgresql://host/db?schema={}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("text", "says"), FLAWS.items())
def test_characters_that_nobody_sees_are_refused(tmp_path: Path, form: str, text: str, says: str) -> None:
    """No location with whitespace at its ends or control characters is used, and none is made."""
    with pytest.raises(StateError) as caught:
        locate(form.format(text), root=tmp_path)
    assert says.partition(" ")[0] in caught.value.message or "contains" in caught.value.message
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "says"), FLAWS.items())
def test_a_flaw_is_named(text: str, says: str) -> None:
    """The character is named, with its code point."""
    assert says in (flaw(text) or "")
    assert "(U+00" in (flaw(text) or "") or "(U+FEFF" in (flaw(text) or "")


@pytest.mark.parametrize(
    "form", ["sqlite:///x.db%0D", "sqlite:///%20x.db", "postgresql://host/db?schema=a%0D"]
)
def test_encoded_characters_are_refused_too(tmp_path: Path, form: str) -> None:
    """Percent-encoding does not hide a flaw."""
    with pytest.raises(StateError, match=r"ends in|begins with"):
        locate(form, root=tmp_path)


@pytest.mark.parametrize("text", ["state.db", "a b/c d.db", "sqlite:///a%20b.db", "größe.db", "x~.db"])
def test_ordinary_names_pass(tmp_path: Path, text: str) -> None:
    """A space inside, other letters and a tilde that does not lead are fine."""
    assert locate(text, root=tmp_path)


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the home folder, in a path and in a URL; an unknown one is an error."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(locate("~/x.db", root=Path("/elsewhere"))) == f"{tmp_path}/x.db"
    assert str(locate("sqlite:///~/x.db", root=Path("/elsewhere"))) == f"{tmp_path}/x.db"
    with pytest.raises(StateError, match="~nobody-of-this-name"):
        locate("~nobody-of-this-name/x.db", root=tmp_path)
    with pytest.raises(ValueError, match="unknown user"):
        expand("~nobody-of-this-name")


def make_state(location: str, root: Path) -> None:
    """One in which something was recorded: an unused one counts as none."""
    with open_state(location, root=root, mode=Mode.CREATE) as state:
        state.journal.add("state init", outcome="done", now=1_700_000_000)


def linked(tmp_path: Path, name: str) -> str:
    """A state in ``shared`` and a name for it in ``other``, by a link of this kind."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "other").mkdir()
    make_state("shared/state.db", tmp_path)
    target = tmp_path / "other" / "state.db"
    match name:
        case "file":
            target.symlink_to(tmp_path / "shared" / "state.db")
        case "relative":
            target.symlink_to(Path("..", "shared", "state.db"))
        case "chain":
            (tmp_path / "other" / "first").symlink_to(tmp_path / "shared" / "state.db")
            target.symlink_to("first")
        case "folder":
            (tmp_path / "other").rmdir()
            (tmp_path / "other").symlink_to("shared")
    return "other/state.db"


@pytest.mark.parametrize("kind", ["file", "relative", "chain", "folder"])
def test_one_file_has_one_lock_and_one_key(tmp_path: Path, kind: str) -> None:
    """Whatever symbolic link leads to a state: its lock is held under every name, and its key is found."""
    second = locate(linked(tmp_path, kind), root=tmp_path)
    first = locate("shared/state.db", root=tmp_path)
    with writer_lock(first, operation="apply"):
        assert holder(second.lock) == holder(first.lock) is not None
        with pytest.raises(StateLocked):
            writer_lock(second, operation="apply", sleep=lambda _: None).acquire()
    with open_state("other/state.db", root=tmp_path, mode=Mode.WRITE) as state:
        assert state.key.value is not None
    assert {each.name for each in (tmp_path / "shared").iterdir()} == {
        "state.db",
        "state.db.key",
        "state.db.lock",
        "state.db.mark",
    }


def test_a_link_to_a_state_that_is_not_made_yet(tmp_path: Path) -> None:
    """The state is made where the link leads, with its key and mark."""
    (tmp_path / "state.db").symlink_to(Path("shared", "real.db"))
    open_state("state.db", root=tmp_path, mode=Mode.CREATE).close()
    made = sorted(each.name for each in (tmp_path / "shared").iterdir())
    assert made == ["real.db", "real.db.key", "real.db.mark"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    """Links that lead nowhere are an error, not a new state."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StateError):
        locate("a", root=tmp_path)


@pytest.mark.parametrize("mode", [Mode.READ, Mode.WRITE, Mode.CREATE])
def test_a_file_with_two_hard_links_is_refused(tmp_path: Path, mode: Mode) -> None:
    """Under both names, for reading and writing; once the second name is gone it is used again."""
    make_state("a.db", tmp_path)
    os.link(tmp_path / "a.db", tmp_path / "b.db")
    for name in ("a.db", "b.db"):
        with pytest.raises(StateError, match="2 names"):
            open_state(name, root=tmp_path, mode=mode)
    open_copy(tmp_path / "b.db").close()
    (tmp_path / "b.db").unlink()
    open_state("a.db", root=tmp_path, mode=mode).close()


def test_a_draft_of_a_killed_run_is_no_second_name(tmp_path: Path) -> None:
    """Killed between two steps of making a state, the run leaves a draft; the state can be used."""
    make_state("a.db", tmp_path)
    os.link(tmp_path / "a.db", tmp_path / "a.db.0123abcd.part")
    open_state("a.db", root=tmp_path, mode=Mode.WRITE).close()
