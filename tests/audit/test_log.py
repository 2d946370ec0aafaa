"""The audit of a process: what is written, what is lost, and what is said of it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from otel_agents.audit.log import Audit
from otel_agents.audit.records import ENTRY, RECORDS
from otel_agents.bus.event import Event
from otel_agents.config import Config
from tests.audit.making import read
from tests.audit.running import run
from tests.bus.making import NOON_NS, event

KEY = "0123456789abcdef"
TYPES = {"boolean": bool, "integer": int, "number": float, "null": type(None), "string": str}


def _written(folder: Path, *events: Event) -> list[dict[str, object]]:
    audit = Audit(str(folder / "audit.jsonl"), key=KEY)
    audit.open()
    for each in events:
        audit.hub.publish(each)
    audit.close()
    return read(folder / f"audit-{os.getpid()}.jsonl")


EVENTS = (
    event("start", channel="mail", withheld={"session_id": "h-1"}),
    event("reaction_matched", payload={"rule": "r", "filterSummary": "f"}, withheld={"sender": "h-2"}),
    event("reaction_skipped", payload={"reason": "no_rule", "candidateCount": 3}),
    event("node_start"),
    event("cancel_requested", payload={"source": "user"}),
    event("cancel_acknowledged", payload={"source": "user", "latencyMs": 40.5}, timestamp_ns=NOON_NS + 10**9),
    event("complete", status="cancelled"),
)


def test_records_are_typed_as_the_table_says(tmp_path: Path) -> None:
    """Each record has all fields of its type, in the table's order and with its JSON types, and no others."""
    found = _written(tmp_path, *EVENTS)
    rows = {row.name: (*ENTRY, *row.fields) for row in RECORDS}

    assert {each["type"] for each in found} == set(rows)
    for each in found:
        fields = rows[str(each["type"])]
        assert list(each) == [field.name for field in fields]
        for field in fields:
            assert type(each[field.name]) in {TYPES[word] for word in field.type.split(" or ")}, (each, field)


def test_records_say_what_happened(tmp_path: Path) -> None:
    """The states in their order; the one record of the cancel at its acknowledgement; session and sender as hashes."""
    states = [each for each in _written(tmp_path, *EVENTS) if each["type"] == "run.state"]
    others = [each for each in _written(tmp_path, *EVENTS) if each["type"] != "run.state"]

    assert [each["state"] for each in states[:3]] == ["start", "cancel_requested", "cancelled"]
    assert (states[0]["session_id"], states[0]["channel"]) == ("h-1", "mail")
    assert [(each["type"], each["ts"]) for each in others[:3]] == [
        ("reaction.match", "2026-01-02T12:00:00.000Z"),
        ("reaction.skip", "2026-01-02T12:00:00.000Z"),
        ("run.cancel", "2026-01-02T12:00:01.000Z"),
    ]
    assert (others[0]["sender"], others[2]["latency_ms"]) == ("h-2", 40.5)


def test_what_the_settings_ask_for() -> None:
    """Without a file, or switched off, there is no audit."""
    assert Audit.of(Config()) is None
    assert Audit.of(Config(audit_file="a.jsonl", enabled=False)) is None
    assert Audit.of(Config(audit_file="a.jsonl")) is not None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/proc/nowhere/a.jsonl", "No such file or directory"),
        ("$NOWHERE/a.jsonl", "$NOWHERE is not set"),
        ("/tmp/", "'/tmp/' names a directory, not a file"),
    ],
)
def test_a_path_that_cannot_be_written_is_said_once(path: str, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """One message names source, value, reason and fix; events are then for nobody, and nothing fails."""
    audit = Audit.of(Config.load({}, {"OTEL_AGENTS_AUDIT_FILE": path}))
    assert audit is not None
    with caplog.at_level(logging.WARNING):
        audit.open()
    audit.hub.publish(event("start"))

    said = f"environment variable OTEL_AGENTS_AUDIT_FILE: cannot write to {path!r}: {reason}. "
    fix = "Name a file in a directory that this user may write to. Nothing is audited."
    assert [each.getMessage() for each in caplog.records] == [said + fix]
    assert not audit.hub.active
    assert audit.health() == {"file": None, "writing": False, "written": 0, "lost": 0}
    assert audit.conceal("ann") is None
    audit.close()


def test_health_counts_what_was_written(tmp_path: Path) -> None:
    """Records, not events; the file is the one of this process."""
    audit = Audit(str(tmp_path / "a.jsonl"), key=KEY)
    audit.open()
    audit.open()
    for each in EVENTS:
        audit.hub.publish(each)
    audit.hub.flush()

    path = str(tmp_path / f"a-{os.getpid()}.jsonl")
    assert audit.health() == {"file": path, "writing": True, "written": 6, "lost": 0}
    assert audit.dropped == {}
    audit.close()
    audit.close()


def test_an_audit_that_was_closed_goes_on_when_opened(tmp_path: Path) -> None:
    """As when another pipeline was at work meanwhile."""
    audit = Audit(str(tmp_path / "a.jsonl"), key=KEY)
    for _ in range(2):
        audit.open()
        audit.hub.publish(event("start"))
        audit.close()

    assert len(read(tmp_path / f"a-{os.getpid()}.jsonl")) == 2


FULL = """
import logging, resource
logging.basicConfig(format="%(message)s", stream=sys.stdout)
audit = Audit("a.jsonl", key="0123456789abcdef")
audit.open()
for number in range(100):
    if number == 3:
        size = os.stat(audit.health()["file"]).st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, resource.RLIM_INFINITY))
    if number == 80:
        print(audit.health()["writing"], audit.lost, audit.dropped)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    put(audit, number)
print(audit.health()["writing"], audit.lost)
audit.close()
os.rename(f"a-{os.getpid()}.jsonl", "a.jsonl")
"""


def test_a_full_disk_stops_nobody_and_is_counted(tmp_path: Path) -> None:
    """It is said when it begins and when it is over; what is lost is counted, and no line is torn."""
    done = run(FULL, tmp_path)

    assert done.stderr == ""
    first, second, third, fourth = done.stdout.replace(str(tmp_path), "").splitlines()
    assert first.startswith("audit: cannot write to /a-")
    assert first.endswith(
        ": No space left on device. Records are lost, and counted, until it can be written; the program goes on."
    )
    assert second == "False 77 {'audit': 77}"
    assert third.endswith(".jsonl is written again; 77 records were lost")
    assert fourth == "True 77"
    assert [each["reason"] for each in read(tmp_path / "a.jsonl")] == [str(n) for n in (0, 1, 2, *range(80, 100))]


def test_a_forked_child_audits_for_itself(tmp_path: Path) -> None:
    """It has a file, counts and cancels of its own; what the parent was asked is no business of the child's."""
    done = run(
        """
        audit = Audit("a.jsonl", key="0123456789abcdef")
        audit.open()
        audit.hub.publish(event("cancel_requested", payload={"source": "user"}))
        audit.hub.flush()
        pid = os.fork()
        if not pid:
            print(audit.health()["written"], flush=True)
            audit.hub.publish(event("complete", status="completed"))
            audit.hub.flush()
            print(audit.health()["written"], flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print(audit.health()["written"])
        audit.close()
        for number, name in ((os.getpid(), "parent"), (pid, "child")):
            os.rename(f"a-{number}.jsonl", f"{name}.jsonl")
        """,
        tmp_path,
    )

    assert (done.stdout, done.stderr) == ("0\n1\n1\n", "")
    assert [each["state"] for each in read(tmp_path / "parent.jsonl")] == ["cancel_requested"]
    assert [each["type"] for each in read(tmp_path / "child.jsonl")] == ["run.state"]
