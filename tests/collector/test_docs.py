"""What the docs say of the Collector is so: additions can be added, and Prometheus takes what it is told."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.collector.collectors import CONFIGS, Collector, command
from tests.collector.prometheus import checker
from tests.docs.pages import DOCS, blocks, name, read

pytestmark = pytest.mark.proof

# What the docs say that a Collector says, each at the beginning of a row; what differs stands as three dots.
MESSAGES = re.findall(
    r"^\| `([^`]+)`[^|]* \|", read(CONFIGS.parent / "docs/reference/collector.md")
    .partition("## When it does not start")[2].partition("What `make")[0], re.MULTILINE,
)  # fmt: skip
TESTS = "".join((Path(__file__).parent / f"test_{name}.py").read_text() for name in ("start", "losses"))


def texts(said: str) -> list[tuple[str, str]]:
    """Return the YAML of the docs about something, and where it stands."""
    found = [(page, block) for page in DOCS for block in blocks(page) if (block.language, block.said) == ("yaml", said)]
    return [(f"{name(page)}:{block.line}", block.text) for page, block in found]


@pytest.mark.parametrize(("place", "text"), texts("collector"))
def test_an_addition_can_be_added(place: str, text: str, tmp_path: Path) -> None:
    """The Collector takes each addition of the docs on top of the standalone configuration."""
    addition = tmp_path / "addition.yaml"
    addition.write_text(text)
    collector = Collector(tmp_path, "standalone.yaml", str(addition), TRACES_AUTHORIZATION="Bearer x")
    binary, *files = command("standalone.yaml", str(addition))
    subprocess.run([binary, "validate", *files], env=collector.environ, check=True, capture_output=True, timeout=60)


def test_prometheus_takes_what_it_is_told(tmp_path: Path) -> None:
    """Prometheus 3 finds nothing wrong with its configuration in the stack, nor with the rules that it reads."""
    config = yaml.safe_load((CONFIGS / "compose" / "prometheus.yaml").read_text())
    config["rule_files"] = [str(CONFIGS.parent / "dashboards" / "rules" / "*.yaml")]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    subprocess.run([checker(), "check", "config", str(file)], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("message", MESSAGES)
def test_what_it_says_is_what_the_docs_explain(message: str) -> None:
    """Each message that the docs explain is one that a test has seen."""
    assert all(part in TESTS for part in message.split("..."))


def test_the_docs_explain_what_it_says() -> None:
    """There are messages for everything that can be wrong around a Collector."""
    assert len(MESSAGES) >= 11
