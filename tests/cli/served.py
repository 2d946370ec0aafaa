"""`otel-agents serve` in a process of its own, as its clients and its operator see it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.playing import COMMAND, environment

API = "/api/v1/flex"
TASK = {"objective": "Write a LinkedIn post about our new release"}
TIMEOUT_S = 60
LISTENS = re.compile(r"Flex listens on (http://[^/\s]+)/")


class Served:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: list[str]) -> None:
        self.process = process
        self.url = url
        self.said = said
        self.rest = ""

    def frames(self, method: str, path: str, **request: Any) -> list[dict[str, Any]]:
        """Return the frames of a stream, which may be cut."""
        found = []
        try:
            with httpx.stream(method, f"{self.url}{path}", timeout=TIMEOUT_S, **request) as response:
                assert response.status_code == 200, response.read()
                found += [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
        except httpx.RemoteProtocolError:
            pass
        return found

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=TIMEOUT_S)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Return the exit code, and what was said beside where it listens."""
        self.process.send_signal(number)
        _, self.rest = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, "".join(self.said) + self.rest

    def spans(self) -> list[dict[str, Any]]:
        """Stop, and return the spans that were written on standard output: OTEL_TRACES_EXPORTER has to be `console`."""
        self.process.terminate()
        text, self.rest = self.process.communicate(timeout=TIMEOUT_S)
        decoder, spans = json.JSONDecoder(), []
        while text.strip():
            span, end = decoder.raw_decode(text.lstrip())
            spans.append(span)
            text = text.lstrip()[end:]
        return spans


@contextmanager
def served(folder: Path, *options: str, **env: str) -> Iterator[Served]:
    """Serve from a folder, where the database is, until the end of the block."""
    command = [*COMMAND, "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=folder, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            found = LISTENS.search(line)
            if found is not None:
                break
            said.append(line)
        else:
            pytest.fail(f"the server did not start: {''.join(said)}")
        try:
            yield Served(process, found[1], said)
        finally:
            process.kill()
