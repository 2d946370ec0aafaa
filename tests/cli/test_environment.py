from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_agents.cli import environment
from otel_agents.cli.environment import START, service_name, watched, with_exporter

PYTHON = "/usr/bin/python3.12"


def test_exporters_that_nobody_asked_for_are_none() -> None:
    """Without any setting all three are off, so that no missing Collector delays the exit."""
    env = watched(["app"], {"PATH": "/bin", "OTEL_LOGS_EXPORTER": ""}, 91, "/tmp/live")

    assert env == {
        "PATH": "/bin",
        "PYTHONPATH": START,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "app",
        "OTEL_AGENTS_LIVE_FD": "91",
        "OTEL_AGENTS_LIVE_PATH": "/tmp/live",
    }


def test_what_the_user_set_stays() -> None:
    """Exporters, service name and PYTHONPATH of the user are kept; an endpoint stands for OTLP, as everywhere."""
    mine = {
        "PYTHONPATH": os.pathsep.join(["/mine", START, "/more"]),
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4317",
        "OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=mine",
    }
    env = watched(["app"], mine, 91, "/tmp/live")

    assert env["PYTHONPATH"] == os.pathsep.join([START, "/mine", "/more"])
    assert env["OTEL_TRACES_EXPORTER"] == "console"
    assert "OTEL_METRICS_EXPORTER" not in env
    assert env["OTEL_LOGS_EXPORTER"] == "none"
    assert "OTEL_SERVICE_NAME" not in env


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "app.py", "-m", "x"], "app"),
        (["python3", "-u", "-X", "dev", "-W", "error", "-m", "pkg.tool", "--x"], "pkg.tool"),
        ([PYTHON, "-c", "print()"], "python3.12"),
        ([PYTHON, "-"], "python3.12"),
        ([PYTHON], "python3.12"),
        (["./bin/uvicorn", "app:app"], "uvicorn"),
        (["/srv/job.py"], "job"),
    ],
)
def test_a_service_is_called_after_its_program(command: list[str], name: str) -> None:
    """A script gives its name without suffix, a module its whole name, everything else the command's."""
    assert service_name(command) == name


def test_an_exporter_is_added_beside_those_that_are_there() -> None:
    """`none` gives way, nothing stands twice."""
    assert with_exporter({}, "METRICS", "otlp")["OTEL_METRICS_EXPORTER"] == "otlp"
    assert with_exporter({"OTEL_METRICS_EXPORTER": "none"}, "METRICS", "otlp")["OTEL_METRICS_EXPORTER"] == "otlp"
    both = with_exporter({"OTEL_METRICS_EXPORTER": "otlp, console"}, "METRICS", "otlp")
    assert both["OTEL_METRICS_EXPORTER"] == "console,otlp"


def _script(path: Path, first: str) -> str:
    path.write_text(f"{first}\n")
    path.chmod(0o755)
    return str(path)


def test_the_interpreter_is_found_behind_scripts_and_env(tmp_path: Path) -> None:
    """A Python named in a first line or behind `env` is the one that will run; other programs have none."""
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    python = str(Path(sys.executable).parent / "python")

    assert environment.interpreter([sys.executable, "x.py"], path) == sys.executable
    assert environment.interpreter(["python", "x.py"], path) == python
    assert environment.interpreter([_script(tmp_path / "a", f"#!{sys.executable} -u")], path) == sys.executable
    assert environment.interpreter([_script(tmp_path / "b", "#!/usr/bin/env python")], path) == python
    assert environment.interpreter([_script(tmp_path / "c", "#!/usr/bin/env -S python -u")], path) == python
    assert environment.interpreter(["env", "A=1", "B=2", "python"], path) == python
    assert environment.interpreter([_script(tmp_path / "d", "#!/bin/sh")], path) is None
    assert environment.interpreter([_script(tmp_path / "e", "")], path) is None
    assert environment.interpreter(["env", "A=1"], path) is None
    assert environment.interpreter(["no-such-program"], path) is None


def test_an_interpreter_without_us_is_told_from_one_with_us(tmp_path: Path) -> None:
    """Our own needs no question; another one is asked, and one that does not answer gets the benefit of the doubt."""
    lacks = _script(tmp_path / "python3", "#!/bin/sh\nexit 1")
    has = _script(tmp_path / "python4", "#!/bin/sh\nexit 0")

    assert environment.can_watch(sys.executable, {})
    assert environment.can_watch(has, os.environ)
    assert not environment.can_watch(lacks, os.environ)
    assert environment.can_watch(str(tmp_path / "gone"), os.environ)


def _start(tmp_path: Path, *options: str, path: str = START) -> subprocess.CompletedProcess[str]:
    """Run a Python with our start folder first, which says whether OpenTelemetry was started."""
    code = "import sys, os; print('opentelemetry.sdk.trace' in sys.modules, os.environ['PYTHONPATH'])"
    env = {**os.environ, "PYTHONPATH": path, **{f"OTEL_{each}_EXPORTER": "none" for each in environment.SIGNALS}}
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path)


def test_opentelemetry_starts_where_it_is_installed(tmp_path: Path) -> None:
    """The start folder starts it, and the programs of the program still inherit the folder."""
    done = _start(tmp_path)

    assert (done.stdout, done.stderr) == (f"True {START}\n", "")


def test_nothing_is_said_where_it_is_not_installed(tmp_path: Path) -> None:
    """In an interpreter without OpenTelemetry the program runs as if we were not there."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run(
        [base, "-c", "print('ran')"],
        env={"PYTHONPATH": START, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr) == ("ran\n", "")


def test_the_hosts_own_sitecustomize_runs_first(tmp_path: Path) -> None:
    """What the host customises in its interpreter is customised still."""
    (tmp_path / "sitecustomize.py").write_text("print('the host')\n")
    done = _start(tmp_path, path=os.pathsep.join([START, str(tmp_path)]))

    assert done.stdout.splitlines() == ["the host", f"True {START}{os.pathsep}{tmp_path}"]
    assert done.stderr == ""
