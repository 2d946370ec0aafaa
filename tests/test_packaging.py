"""What is shipped builds, installs in an empty environment, and stays light."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from otel_agents import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "otel_agents"

BASE = {
    "opentelemetry-api",
    "opentelemetry-distro",
    "opentelemetry-exporter-otlp",
    "opentelemetry-exporter-prometheus",
    "opentelemetry-instrumentation",
    "opentelemetry-sdk",
    "pyyaml",
    "wrapt",
}
# What the base install must not pull: frameworks of agents, web servers, and what extras of ours bring.
HEAVY = re.compile(
    r"langgraph|langchain|openai|crewai|pydantic|autogen|llama|google-adk|starlette|fastapi|uvicorn|hypercorn|gunicorn"
    r"|flask|django|aiohttp|tornado|websockets|sse-starlette|sqlalchemy|typer|click|rich|pytest"
)
# What `import otel_agents` must not load: anything that is neither ours nor the standard library's.
LOADED = """
import sys
import otel_agents
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(roots - set(sys.stdlib_module_names) - BEFORE))
"""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


def _run(program: str | Path, *arguments: str | Path, cwd: Path) -> str:
    done = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(path: Path) -> Path:
    """Make an empty virtual environment, and return its folder of programs."""
    _run(sys.executable, "-m", "venv", path, cwd=path.parent)
    return path / "bin"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, built from the work tree, and the wheel, built from the sdist."""
    path = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--outdir", path, ROOT, cwd=path)
    return path


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [path] = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Path:
    [path] = dist.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(f"otel_agents-{__version__}.dist-info/METADATA"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the base install and nothing else."""
    programs = _environment(tmp_path_factory.mktemp("base") / "venv")
    _run(programs / "python", "-m", "pip", "install", "--quiet", wheel, cwd=wheel.parent)
    return programs


# What `otel-agents demo` shows stands beside the package in a clone, and inside it when installed.
EXAMPLE = {f"otel_agents/cli/example/{path.name}" for path in (ROOT / "examples" / "langgraph_app").glob("*.py")}


def _modules(names: Iterator[str] | list[str], prefix: str = "") -> set[str]:
    found = (name.removeprefix(prefix) for name in names)
    return {name for name in found if name.startswith("otel_agents/") and "__pycache__" not in name}


def test_the_wheel_holds_the_package_its_types_and_its_licence(wheel: Path) -> None:
    """The wheel ships every file of the package and of the demo, py.typed, the licence, and nothing beside."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    tree = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = f"otel_agents-{__version__}.dist-info"
    assert "otel_agents/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names
    assert _modules(names) == tree | EXAMPLE
    assert {name.partition("/")[0] for name in names} == {"otel_agents", info}


def test_the_sdist_holds_what_the_wheel_is_built_from_and_its_tests(sdist: Path, wheel: Path) -> None:
    """The sdist ships the package, its tests and the Makefile, so that a packager can prove what they build."""
    root = f"otel_agents-{__version__}/"
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    with zipfile.ZipFile(wheel) as built:
        shipped = _modules(built.namelist())

    assert _modules(names, root) | EXAMPLE == shipped
    assert {f"{root}{name}" for name in ("Makefile", "LICENSE", "README.md", "tests/conftest.py")} <= set(names)


def test_the_base_install_requires_opentelemetry_and_little_more(metadata: Message) -> None:
    """Without an extra the wheel requires exactly the OpenTelemetry parts, wrapt and PyYAML, with lower bounds only."""
    required = [row for row in metadata.get_all("Requires-Dist", []) if "extra ==" not in row]

    assert {re.split(r"[><=~!; ]", row)[0].lower() for row in required} == BASE
    assert [row for row in required if re.search(r"<|==|~=|!=", row)] == []


def test_the_base_install_pulls_no_framework_and_no_web_server(base: Path) -> None:
    """In an environment of its own the base install brings no framework, no web server and nothing of an extra."""
    listed = json.loads(_run(base / "python", "-m", "pip", "list", "--format", "json", cwd=base))
    names = [row["name"].lower() for row in listed]

    assert set(names) >= BASE | {"otel-agents"}
    assert [name for name in names if HEAVY.match(name)] == []
    assert "No broken requirements" in _run(base / "python", "-m", "pip", "check", cwd=base)


def test_importing_the_package_loads_nothing_else(base: Path) -> None:
    """`import otel_agents` loads neither OpenTelemetry nor a framework, and warns of nothing."""
    code = "import sys\nBEFORE = {name.partition('.')[0] for name in sys.modules}\n" + LOADED

    assert _run(base / "python", "-W", "error", "-c", code, cwd=base) == "['otel_agents']\n"


def test_every_entry_point_loads_in_the_base_install(base: Path) -> None:
    """What opentelemetry-instrument looks for, and the command's own module, load without any extra."""
    code = (
        "from importlib.metadata import distribution\n"
        "for point in sorted(distribution('otel-agents').entry_points): print(point.group, point.name, point.load())"
    )

    lines = [line.split()[:2] for line in _run(base / "python", "-W", "error", "-c", code, cwd=base).splitlines()]

    assert lines == [["console_scripts", "otel-agents"], ["opentelemetry_instrumentor", "otel_agents"]]


def test_the_command_says_which_extra_it_needs(base: Path) -> None:
    """Without the cli extra, `otel-agents` says what to install and fails, without a traceback."""
    done = subprocess.run([base / "otel-agents", "--help"], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "otel-agents[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_runs_under_opentelemetry_instrument_with_the_base_install_alone(base: Path, tmp_path: Path) -> None:
    """With no framework there is nothing to watch, and the program runs as it would."""
    program = tmp_path / "program.py"
    program.write_text("print('done')\n")
    quiet = [f"--{signal}_exporter=none" for signal in ("traces", "metrics", "logs")]
    command: list[str | Path] = [base / "opentelemetry-instrument", *quiet, base / "python", program]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_the_sdist_installs_by_itself(sdist: Path, tmp_path: Path) -> None:
    """An environment without us, given the sdist, ends up with the same version."""
    programs = _environment(tmp_path / "venv")
    _run(programs / "python", "-m", "pip", "install", "--quiet", "--no-deps", sdist, cwd=tmp_path)

    code = "import otel_agents; print(otel_agents.__version__)"
    assert _run(programs / "python", "-c", code, cwd=tmp_path) == f"{__version__}\n"


@pytest.mark.parametrize(
    "extra", sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
)
def test_every_extra_can_be_installed(base: Path, wheel: Path, extra: str) -> None:
    """Beside the base install, every extra finds versions that go together."""
    _run(base / "python", "-m", "pip", "install", "--quiet", "--dry-run", f"{wheel}[{extra}]", cwd=wheel.parent)
