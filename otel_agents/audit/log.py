"""Writes what happens to runs as JSON Lines, one file for each process; must not know who makes the events."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, Self

from otel_agents import guard, notice
from otel_agents.audit import place
from otel_agents.audit.concealing import Conceal, concealing, nothing
from otel_agents.audit.file import File
from otel_agents.audit.hangup import Hangup
from otel_agents.bus.event import Event, to_json
from otel_agents.bus.hub import Hub
from otel_agents.bus.projections import AuditProjection
from otel_agents.config import Config
from otel_agents.config.problem import shown

NAME: Final = "audit"
LOGGER: Final = "otel_agents"
QUEUE_SIZE: Final = 10_000
QUIET_S: Final = 60.0
LOG: Final = "log"


class Audit:
    """The audit of this process. A thread of its own writes, so neither the host nor a slow listener waits for it.

    Public: `hub`, which takes the events; `written` and `lost`, counts of records.
    """

    def __init__(
        self, path: str, *, key: str | None = None, clear: bool = False, fsync: bool = False, source: str = "audit_file"
    ) -> None:
        self.hub = Hub(ring_size=1, queue_size=QUEUE_SIZE)
        self._path, self._source = path, source
        self._key, self._clear, self._fsync = key, clear, fsync
        self._conceal: Conceal = nothing
        self._file: File | None = None
        self._hangup = Hangup(self.reopen)
        self._begin()

    @classmethod
    def of(cls, config: Config) -> Self | None:
        """Return the audit that the settings ask for, not yet open; None when they ask for none."""
        if not config.enabled or config.audit_file is None:
            return None
        return cls(
            config.audit_file,
            key=config.audit_key,
            clear=config.audit_clear,
            fsync=config.audit_fsync,
            source=config.source_of("audit_file"),
        )

    def open(self) -> None:
        """Begin to write. When the file cannot be opened that is said once, and nothing is audited."""
        if self._file is not None:
            return
        try:
            file = File(place.template(self._path), fsync=self._fsync)
            file.settle()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            fix = "Name a file in a directory that this user may write to. Nothing is audited."
            notice.warn(LOGGER, "%s: cannot write to %s: %s. %s", self._source, shown(self._path), why, fix)
            return
        self._file = file
        self._conceal = concealing(Path(file.path).parent, key=self._key, clear=self._clear)
        self.hub.subscribe(self._hear, name=NAME, keep_on_error=True)
        self._hangup.install()

    def close(self) -> None:
        """Write what waits, and let go of file and signal; `open` begins anew."""
        self._hangup.remove()
        self.hub.close()
        if self._file is not None:
            self._file.close()
        self._file, self._conceal, self._hangup = None, nothing, Hangup(self.reopen)

    def reopen(self) -> None:
        """Have the file opened again soon, at the path where it belongs; may be called from a signal handler."""
        if self._file is not None:
            self._file.is_stale = True
            self.hub.publish(Event("", LOG, time.time_ns(), "", "", ""))  # wakes the thread, and leaves no record

    def conceal(self, value: object) -> str | None:
        """Return what the audit may say of a session id or a sender."""
        return self._conceal(value)

    @property
    def lost(self) -> int:
        """Records that could not be written, and events that found no place in the queue."""
        return (self._lost if self._pid == os.getpid() else 0) + sum(self.hub.dropped.values())

    @property
    def dropped(self) -> dict[str, int]:
        """The same, as other subscribers' losses are told: by name, empty when nothing was lost."""
        return {NAME: self.lost} if self.lost else {}

    def health(self) -> dict[str, object]:
        """Return where it writes, how many records it has written and lost, and whether the last one was written."""
        file = self._file
        written = self.written if self._pid == os.getpid() else 0
        is_writing = file is not None and not self._is_failing
        return {"file": file.path if file else None, "writing": is_writing, "written": written, "lost": self.lost}

    # What follows runs in the hub's thread.

    def _begin(self) -> None:
        """Start the counts; a forked child has its own, and knows nothing of its parent's runs."""
        self._pid = os.getpid()
        self._projection = AuditProjection()
        self._lost = self.written = 0
        self._is_failing = self._complained = False
        self._quiet_until_s = 0.0

    def _hear(self, event: Event) -> None:
        file = self._file
        if file is None:
            return
        if self._pid != os.getpid():
            self._begin()
        if event.type == LOG:
            guard.run("audit.reopen", self._try, file, b"")
        for record in guard.run("audit.project", self._projection.records, event) or ():
            guard.run("audit.write", self._try, file, f"{to_json(record)}\n".encode("ascii"))

    def _try(self, file: File, line: bytes) -> None:
        try:
            file.append(line) if line else file.settle()
        except OSError as error:
            self._lost += bool(line)
            self._complain(file, error)
            return
        self.written += bool(line)
        if self._complained:
            self._complained = False
            notice.warn(LOGGER, "audit: %s is written again; %d records were lost", file.path, self._lost)
        self._is_failing = False

    def _complain(self, file: File, error: OSError) -> None:
        """Say that the file cannot be written: once for each time that it begins, and at most once a minute."""
        now_s = time.monotonic()
        if not self._is_failing and now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + QUIET_S
            self._complained = True
            lost = "Records are lost, and counted, until it can be written; the program goes on."
            notice.warn(LOGGER, "audit: cannot write to %s: %s. %s", file.path, error.strerror, lost)
        self._is_failing = True
