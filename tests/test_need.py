"""What a machine lacks is said aloud."""

from __future__ import annotations

import socket

import pytest

from tests import need


def test_a_missing_command_is_a_skip_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a developer's machine a missing command skips the test, and the reason names command and cure."""
    monkeypatch.setattr(need, "IN_CI", False)

    with pytest.raises(pytest.skip.Exception, match=r"^needs the command no-such-tool: apt-get install no-such-tool$"):
        need.require_command("no-such-tool", "apt-get install no-such-tool")


def test_a_missing_module_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI a missing module fails the test, so that nothing goes untested in silence."""
    monkeypatch.setattr(need, "IN_CI", True)

    with pytest.raises(pytest.fail.Exception, match=r"needs the module no_such_module: pip install 'otel-agents\[x\]'"):
        need.require_module("no_such_module", extra="x")


def test_a_broken_module_is_no_missing_module(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A module that is there and misses a module of its own raises, it does not skip."""
    (tmp_path / "broken_module.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        need.require_module("broken_module")


def test_what_is_there_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module, a command and a listener that are there come back as they are."""
    monkeypatch.setattr(need, "IN_CI", True)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        assert need.require_listener(port, "a server", "start it") == ("127.0.0.1", port)
    assert need.require_module("socket") is socket
    assert need.require_command("sh", "").endswith("/sh")


def test_nobody_listening_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens is missing, named with its address."""
    monkeypatch.setattr(need, "IN_CI", False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]

    with pytest.raises(pytest.skip.Exception, match=rf"^needs PostgreSQL at 127\.0\.0\.1:{port}: start it$"):
        need.require_listener(port, "PostgreSQL", "start it")
