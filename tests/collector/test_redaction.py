"""The second line of defence: content and secrets that a program does send do not get through."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.ledger import post
from tests.collector.tiers import Tiers, standalone, two_tiers
from tests.need import require_module
from tests.proof.canary import CANARY, SECRET
from tests.proof.programs import ROOT, instrumented, sending

pytestmark = pytest.mark.proof

require_module("langgraph_swarm", "demo")

SECRETS = {
    "in text": f"connect with password={SECRET} now",
    "in JSON": f'{{"token": "{SECRET}"}}',
    "in a header": f"authorization: Bearer {SECRET}",
    "of a model": f"sk-proj-{SECRET}-abcdefgh",
    "of the web": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0{SECRET}.{SECRET}",
    "in a file": f"-----BEGIN RSA PRIVATE KEY-----\nMIIEow{SECRET}==\n-----END RSA PRIVATE KEY-----",
    "in an address": f"postgresql://me:{SECRET}@db.example.org/x",
}
KEYS = ("db.password", "http.request.header.authorization", "X-Api-Key", "auth_token", "session_cookie")
KEPT = {"gen_ai.usage.input_tokens": "7", "flex.run.id": "r-1", "author": "ada", "note": "the token was renewed"}
CONTENT = ("flex.run.goal", "gen_ai.input.messages", "gen_ai.prompt.0.content", "input.value", "exception.message")
STACK = f"""Traceback (most recent call last):
  File "app.py", line 3, in <module>
    raise ValueError(text)
ValueError: {CANARY}
and a second line: {CANARY}

The above exception was the direct cause of the following exception:

  + Exception Group Traceback (most recent call last):
  |   File "app.py", line 9, in <module>
  |     raise group
  | ExceptionGroup: {CANARY} (1 sub-exception)
  +-+---------------- 1 ----------------
    | KeyError: '{CANARY}'
    +------------------------------------
"""
FRAMES = """  File "app.py", line 3, in <module>
    raise ValueError(text)


  |   File "app.py", line 9, in <module>
  |     raise group
"""


def describe(item: Any, **more: str) -> None:
    """Give an item all secrets, all content, and what has to be kept."""
    texts = SECRETS | dict.fromkeys(KEYS, SECRET) | dict.fromkeys(CONTENT, CANARY) | KEPT | more
    for key, value in texts.items():
        item.attributes.add(key=key).value.string_value = value
    listed = item.attributes.add(key="process.command_args").value.array_value
    listed.values.add().string_value = f"--password={SECRET}"


def of_traces() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    describe(group.resource)
    span = group.scope_spans.add().spans.add(name="work", trace_id=b"t" * 16, span_id=b"s" * 8)
    span.status.message = CANARY
    span.status.code = 2
    describe(span)
    describe(span.events.add(name="exception"), **{"exception.stacktrace": STACK})
    calm = group.scope_spans[0].spans.add(name="without events", trace_id=b"t" * 16, span_id=b"u" * 8)
    calm.status.message = CANARY
    describe(calm)  # of a run, so that no sampler keeps it waiting
    return request.SerializeToString()


def of_logs() -> bytes:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    describe(group.resource)
    scope = group.scope_logs.add()
    record = scope.log_records.add()
    record.body.string_value = f"connected with password={SECRET}"
    describe(record, **{"exception.stacktrace": STACK})
    older = scope.log_records.add(event_name="gen_ai.user.message")
    older.body.kvlist_value.values.add(key="content").value.string_value = CANARY
    return request.SerializeToString()


def of_metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.add(key="process.command_line").value.string_value = f"app --password={SECRET}"
    point = group.scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_double=1)
    point.attributes.add(key="host").value.string_value = f"https://me:{SECRET}@example.org"
    return request.SerializeToString()


def texts(item: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in item.attributes}


@pytest.mark.parametrize("through", [standalone, two_tiers])
def test_content_and_secrets_are_gone(tmp_path: Path, through: Callable[..., AbstractContextManager[Tiers]]) -> None:
    """Nothing of either arrives, wherever it stood; what only looks like it does, and frames of exceptions."""
    with through(tmp_path) as tiers:
        for signal, body in (("traces", of_traces()), ("logs", of_logs()), ("metrics", of_metrics())):
            assert post(f"{tiers.first.http}/v1/{signal}", body) == 200
        tiers.backend.wait(lambda end: len(end.spans) == 2 and len(end.logs) == 2 and len(end.metrics) == 1)
    end = tiers.backend
    everything = b"".join(end.bodies)
    assert SECRET.encode() not in everything
    assert CANARY.encode() not in everything
    span, _ = end.spans
    assert texts(span).items() >= KEPT.items()
    assert texts(end.logs[0]).items() >= KEPT.items()
    assert texts(span)["in text"] == "connect with **** now"
    assert texts(span.events[0])["exception.stacktrace"] == FRAMES
    assert span.status.code == 2


def test_content_passes_where_it_is_wanted(tmp_path: Path) -> None:
    """With the addition for content, content passes as it was, and secrets are masked all the same."""
    with standalone(tmp_path, "content.yaml") as tiers:
        assert post(f"{tiers.first.http}/v1/traces", of_traces()) == 200
        tiers.backend.wait(lambda end: len(end.spans) == 2)
    span, _ = tiers.backend.spans
    assert SECRET.encode() not in b"".join(tiers.backend.bodies)
    assert {texts(span)[key] for key in CONTENT} == {CANARY}
    assert texts(span.events[0])["exception.stacktrace"] == STACK
    assert span.status.message == CANARY


def test_a_program_that_captures_content(tmp_path: Path) -> None:
    """Of a real program that sends all its content, none arrives but what its own log lines quote."""
    with standalone(tmp_path) as tiers:
        wanted = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}
        done = instrumented("-m", "tests.proof.canary", cwd=ROOT, env=sending(tiers.first.http, **wanted))
        assert done.returncode == 0
        tiers.backend.wait(lambda end: any(span.name == "flex.run by hand" for span in end.spans))
    end = tiers.backend
    assert SECRET.encode() not in b"".join(end.bodies)
    quoting = [item for item in (*end.spans, *end.metrics, *end.logs) if CANARY.encode() in item.SerializeToString()]
    assert quoting == []
