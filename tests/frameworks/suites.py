"""Whose own tests are run, in which versions, with what they need; must not know how they are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests in a source distribution, or a part of them.

    ``needs`` is what they import and the distribution does not bring, ``locked`` the beginnings of names whose versions
    are those of the framework's own lock file, ``environ`` says what is not there. ``path`` is where the tests want the
    framework to be imported from. ``parts`` are what is run, nothing for all; ``elsewhere`` is a part of another suite,
    and ``never`` what is run in none, since what it tests is not there: all are folders and files under ``tests``.
    ``home`` is the suite whose environment serves for this one, too. ``is_long``: a quick run does without it.
    ``explained`` are tests that end differently with us, and why that is right.
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
    parts: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    home: str = ""
    is_long: bool = False
    explained: Mapping[str, str] = field(default_factory=dict)

    @property
    def requirement(self) -> str:
        """What pip calls it."""
        return f"{self.distribution}=={self.version}"

    @property
    def paths(self) -> tuple[str, ...]:
        """What pytest is to run."""
        return tuple(f"tests/{each}" for each in self.parts) or ("tests",)


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
# Of the SDK's own: stores, servers, providers, sessions of other kinds, and imports in a process for each test.
BESIDE: Final = (
    *("extensions", "mcp", "memory", "models", "realtime", "sandbox", "voice"),
    "tracing/test_import_side_effects.py",
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
    elsewhere=BESIDE,
    never=(
        *("docs", "test_asyncio_stability_command.py", "test_change_detection.py", "test_check_optional_truthiness.py"),
        *("test_code_change_verification_policy.py", "test_code_change_verification_runner.py"),
        *("test_integration_runner.py", "test_release_automation.py", "test_release_please.py"),
        *("test_release_provenance.py", "test_released_api_contract.py", "test_repository_workflow_interfaces.py"),
        *("test_run_examples_script.py", "test_run_serial_tests.py", "test_run_state_compatibility_corpus.py"),
        "test_update_rclone_pin.py",
    ),
)
OPENAI_AGENTS_BESIDE: Final = replace(
    OPENAI_AGENTS,
    name="openai_agents_beside",
    says="OpenAI Agents SDK, what stands beside agents and runs",
    home="openai_agents",
    is_long=True,
    parts=BESIDE,
    elsewhere=(),
    never=(
        *(f"extensions/sandbox/test_{name}.py" for name in ("cloudflare", "runloop_capabilities_example")),
        *(f"extensions/sandbox/test_{name}.py" for name in ("runloop_mounts", "vercel_provider_contract")),
        *(f"models/test_{name}.py" for name in ("anthropic_thinking_blocks", "deepseek_reasoning_content")),
        *(f"models/test_{name}.py" for name in ("extended_thinking_message_order", "gemini_thought_signatures")),
        *(f"models/test_{name}.py" for name in ("generation_metadata", "kwargs_functionality", "map")),
        *(f"models/test_litellm_{name}.py" for name in ("chatcompletions_stream", "content_filter", "extra_body")),
        *(f"models/test_litellm_{name}.py" for name in ("logprobs", "usage_requests")),
        *("models/test_reasoning_content_replay_hook.py", "realtime/test_twilio_example.py"),
        "sandbox/test_client_options.py",
    ),
)
SUITES: Final = {suite.name: suite for suite in (LANGGRAPH, OPENAI_AGENTS, OPENAI_AGENTS_BESIDE)}
