"""What the docs say of the Collector is so: additions can be added, and Prometheus takes what it is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.collector.collectors import CONFIGS, Collector, command
from tests.collector.prometheus import checker
from tests.docs.pages import DOCS, blocks, name

pytestmark = pytest.mark.proof


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
