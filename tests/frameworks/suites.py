"""Whose own tests are run, in which versions, with what they need; must not know how they are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests in a source distribution.

    ``needs`` is what they import and the distribution does not bring, ``locked`` the beginnings of names whose versions
    are those of the framework's own lock file, ``environ`` says what is not there. ``path`` is where the tests want the
    framework to be imported from. ``foreign`` are tests of the
    repository's own scripts, which are not shipped; ``leaves_out`` is what a quick run leaves out as well: both are
    folders and files under ``tests``. ``explained`` are tests that end differently with us, and why that is right.
    """

    name: str
    says: str
    distribution: str
    version: str
    needs: tuple[str, ...]
    locked: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    path: str = ""
    foreign: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()
    explained: Mapping[str, str] = field(default_factory=dict)

    @property
    def requirement(self) -> str:
        """What pip calls it."""
        return f"{self.distribution}=={self.version}"


LANGGRAPH: Final = Suite(
    "langgraph",
    "LangGraph",
    "langgraph",
    "1.2.24",
    needs=(
        *("pytest", "pytest-mock", "pytest-xdist", "syrupy", "httpx", "uvloop", "pycryptodome", "redis"),
        *("langgraph-checkpoint-sqlite", "langgraph-checkpoint-postgres", "psycopg[binary]"),
    ),
    locked=("langchain", "langgraph", "langsmith", "pydantic", "pytest", "syrupy"),
    environ={"NO_DOCKER": "true", "LANGSMITH_TRACING": "false"},  # no databases beside us
    options=("--override-ini=addopts=--snapshot-warn-unused",),
)
OPENAI_AGENTS: Final = Suite(
    "openai_agents",
    "OpenAI Agents SDK",
    "openai-agents",
    "0.24.0",
    needs=(
        *("pytest", "pytest-asyncio", "pytest-mock", "pytest-xdist", "inline-snapshot", "fastapi", "aiosqlite"),
        *(
            "cryptography",
            "docker",
            "fakeredis",
            "graphviz",
            "httpx",
            "numpy",
            "rich",
            "SQLAlchemy[asyncio]",
            "websockets",
        ),
    ),
    locked=("openai", "mcp", "pydantic", "pytest", "inline-snapshot", "fakeredis"),
    path="src",
    foreign=(
        *("docs", "test_asyncio_stability_command.py", "test_change_detection.py", "test_check_optional_truthiness.py"),
        *("test_code_change_verification_policy.py", "test_code_change_verification_runner.py"),
        *("test_integration_runner.py", "test_release_automation.py", "test_release_please.py"),
        *("test_release_provenance.py", "test_released_api_contract.py", "test_repository_workflow_interfaces.py"),
        *("test_run_examples_script.py", "test_run_serial_tests.py", "test_run_state_compatibility_corpus.py"),
        "test_update_rclone_pin.py",
    ),
    leaves_out=(
        *("extensions", "mcp", "memory", "models", "realtime", "sandbox", "voice"),
        "tracing/test_import_side_effects.py",  # imports the SDK anew, in a process for each test
    ),
)
SUITES: Final = {suite.name: suite for suite in (LANGGRAPH, OPENAI_AGENTS)}
