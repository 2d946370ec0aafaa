"""A private PostgreSQL for a test session: started when a test asks, gone with the session, empty for every test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests import need

HOW = "apt-get install postgresql"
PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # where Debian puts what is not for users
USER = "postgres"
START_S = 30.0
# A test's database need not survive the machine.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "lc_messages": "C",
}


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*map(str, PLACES), os.environ.get("PATH", "")]))
    return found or need.missing(f"PostgreSQL's {name}", HOW)


def _as_user(*command: str) -> list[str]:
    """Return the command; root hands it to the user that the package made, as PostgreSQL does not run as root."""
    return ["runuser", "-u", USER, "--", *command] if os.geteuid() == 0 else list(command)


@dataclass
class Server:
    """A PostgreSQL of our own, reached by a socket in its directory."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}@/{database}?host={self.directory}"

    def initialize(self) -> None:
        """Make the files of an empty server."""
        make = [_program("initdb"), "-D", str(self.directory / "data"), "-U", USER, "-A", "trust", "-N"]
        make += ["--no-instructions", "-E", "UTF8", "--locale=C"]
        done = subprocess.run(_as_user(*make), cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        place = ["-D", str(self.directory / "data"), "-k", str(self.directory)]
        with (self.directory / "log").open("ab") as log:
            command = _as_user(_program("postgres"), *place, *settings)
            self.process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log)
        until = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < until, (self.directory / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop at once, and cut every connection; `start` brings it back with all that was committed."""
        assert self.process is not None
        postmaster = int((self.directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGINT)  # "fast"; the process that we started may be runuser
        self.process.wait(START_S)
        self.process = None

    def execute(self, statement: str) -> None:
        """Execute a statement beside every transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server that runs."""
    if sys.platform == "win32":
        need.missing("a PostgreSQL with Unix sockets", "use another system")
    _program("initdb")
    directory = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket has at most 107 bytes
    if os.geteuid() == 0:
        shutil.chown(directory, USER)
    server = Server(directory)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()
        shutil.rmtree(directory)


_numbers = count(1)


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"test_{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
