"""What is written from the tables: nothing is stale, Grafana's own model keeps all of it, limits may differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.limits import Limits, read_limits
from tests.dashboards.reading import BOARDS, FOLDER, RULES
from tests.need import require_module

require_module("grafana_foundation_sdk", "dashboards")

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402  # asked for first
from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: E402  # asked for first
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402  # asked for first

from dashboards import build  # noqa: E402  # asked for first


def _read_back(board: dict[str, Any]) -> dict[str, Any]:
    """Return a board as it is after Grafana's own model read and wrote it."""
    register_default_plugins()
    found: dict[str, Any] = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    return found


def test_what_the_repository_keeps_is_current() -> None:
    """Boards, rules and their page are as the tables say: else run `make generate`."""
    assert [path.name for path, _, _ in build.stale()] == []


def test_what_is_stale_would_be_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that should not be there, and one with another text, are named, and the check fails."""
    wanted = {**build.kept()}
    changed, gone = RULES[0], RULES[1]
    wanted[changed] += "# more\n"
    del wanted[gone]
    monkeypatch.setattr(build, "kept", lambda: wanted)

    assert build.main(["--check"]) == 1
    out, err = capsys.readouterr()
    assert err == "".join(
        f"dashboards/rules/{path.name} is stale: run 'make generate' and commit what it writes\n"
        for path in (changed, gone)
    )
    assert "+# more\n" in out


@pytest.mark.parametrize("name", BOARDS)
def test_grafana_keeps_every_field(name: str) -> None:
    """Grafana's model reads a board and writes the same: no field is unknown to it or of another type."""
    assert _read_back(BOARDS[name]) == BOARDS[name]


def test_an_unknown_field_would_be_seen() -> None:
    """A field that Grafana does not know is dropped, so that the comparison fails."""
    board = json.loads(json.dumps(BOARDS["otel-agents-runs"]))
    board["panels"][1]["fieldConfig"]["defaults"]["colour"] = "red"

    assert _read_back(board) != board


def test_limits_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file is written elsewhere, with the limits and the addresses of a file; ours stay as they are."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("context_tokens: 100000\nrunbooks: https://wiki.test/agents\nerror_rate: 2\n")

    assert build.main(["--limits", str(limits), "--into", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    written = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*")}
    assert written == {path.relative_to(FOLDER) for path in (*RULES, *(FOLDER / "grafana").glob("*.json"))}
    groups = yaml.safe_load((tmp_path / "out/rules/agents.yaml").read_text())["groups"]
    found = {rule["alert"]: rule for rule in groups[1]["rules"]}
    assert found["ContextOverflow"]["expr"] == "yolo_context_tokens > 100000"
    assert found["HighErrorRate"]["expr"] == "rate(yolo_errors_total[5m]) > 2"
    assert found["HighErrorRate"]["annotations"]["runbook_url"] == "https://wiki.test/agents/HighErrorRate.md"
    assert '"value": 100000' in (tmp_path / "out/grafana/otel-agents-tokens.json").read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("context: 1\n", "'context' is no limit; there are error_rate, context_tokens, "),
        ("context_tokens: many\n", "context_tokens is 'many', but int is expected"),
        ("objective: true\n", "objective is True, but int is expected"),
        ("- 1\n", "a mapping of limits is expected, such as 'context_tokens: 100000'"),
    ],
)
def test_wrong_limits_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    """A limit that does not exist, or is of another type, is named, with what would be right."""
    path = tmp_path / "limits.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"limits\.yaml: ") as caught:
        read_limits(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--limits", "nowhere.yaml"], "--limits needs --into: what the repository keeps has our limits"),
        (["--limits", "nowhere.yaml", "--into", "out"], "No such file or directory: 'nowhere.yaml'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what is wrong and writes nothing."""
    with pytest.raises(SystemExit):
        build.main(arguments)
    assert problem in capsys.readouterr().err


def test_every_threshold_of_an_objective_can_be_passed() -> None:
    """With our objective even the quickest burn is a share below 1."""
    from dashboards.alerting.objectives import BURNS

    assert all(burn.factor * (1 - Limits().objective) < 1 for burn in BURNS)
