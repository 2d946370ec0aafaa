from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.door import Door, error_content, is_loopback
from otel_agents.door.secret import VALID_S, Secret
from otel_agents.door.visit import Visit

TOKEN = "s3cret-of-the-test"
OUTSIDE = ("10.1.2.3", 9465)
INSIDE = ("127.0.0.1", 9465)
JSON = (b"content-type", b"application/json")
BEARER = (b"authorization", f"Bearer {TOKEN}".encode())


async def app(scope, receive, send):
    """Answer 200 with the body that was received; accept every WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept", "subprotocol": None})
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"".join(parts)})


class Answer:
    """What came back."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.messages = messages
        self.status: int = messages[0].get("status", 0)
        self.headers = {name.decode(): value.decode() for name, value in messages[0].get("headers", ())}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def code(self) -> str:
        return json.loads(self.body)["error"]["code"]


def ask(
    door=None,
    method="GET",
    path="/events",
    *headers,
    server=INSIDE,
    host=b"localhost:9465",
    body=(b"",),
    **scope,
) -> Answer:
    """Send one request through a door, without a server in between."""
    given_headers = ([(b"host", host)] if host is not None else []) + list(headers)
    whole = {"type": "http", "method": method, "path": path, "headers": given_headers, "server": server, **scope}
    chunks = list(body)
    sent: list[dict[str, Any]] = []

    async def receive():
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    asyncio.run((door or Door(app, token=None))(whole, receive, send))
    return Answer(sent)


def guarded(**options) -> Door:
    return Door(app, token=TOKEN, **options)


def test_loopback_needs_no_token_when_there_is_none() -> None:
    """Without a token a request that came to a loopback address gets in."""
    assert ask().status == 200


def test_a_token_is_asked_for_on_loopback_too() -> None:
    """Who sets a token means it, whatever the address."""
    assert ask(guarded()).status == 401
    assert ask(guarded(), "GET", "/events", BEARER).status == 200


@pytest.mark.parametrize("server", [OUTSIDE, ("::", 1), ("0.0.0.0", 1), None, ("", 1), ("testserver", 80)])
def test_without_a_token_nothing_but_loopback_gets_in(server) -> None:
    """An address that is not loopback, or not known, is refused when there is no token to ask for."""
    answer = ask(server=server)

    assert (answer.status, answer.code) == (403, "token_required")


HEADER = st.tuples(
    st.sampled_from([b"authorization", b"cookie", b"accept", b"x-forwarded-for", b"forwarded", b"content-type"]),
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([b"Bearer ", b"Bearer", b"Bearer null", b"Basic czNjcmV0", b"otel_agents=", b"127.0.0.1"]),
        st.sampled_from([f"Bearer {TOKEN}x".encode(), f"bearer {TOKEN[:-1]}".encode(), f"token={TOKEN}".encode()]),
        st.integers(0, 2**40).map(lambda until: f"otel_agents={until}.{'0' * 64}".encode()),
    ),
)


@given(
    door=st.sampled_from([Door(app, token=TOKEN), Door(app, token=None)]),
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]),
    path=st.one_of(st.text(max_size=40).map("/{}".format), st.sampled_from(["/events", "/metrics", "/ws", "/login"])),
    headers=st.lists(HEADER, max_size=5),
    protocols=st.lists(st.text("abc.-", max_size=30).map("otel-agents.token.{}".format), max_size=2),
    kind=st.sampled_from(["http", "websocket"]),
)
def test_nobody_without_the_token_passes_off_loopback(*, door, method, path, headers, protocols, kind) -> None:
    """Whatever a request off loopback says, without the token it does not reach the app, except for open paths."""
    if path in ("/health/live", "/health/ready"):
        return
    answer = ask(
        door, method, path, *headers, server=OUTSIDE, host=b"10.1.2.3", type=kind, subprotocols=protocols,
        extensions={"websocket.http.response": {}},
    )  # fmt: skip

    assert answer.messages[0]["type"].endswith("http.response.start")
    assert answer.status in {303, 400, 401, 403, 405, 415} or (answer.status, path) == (200, "/login")


def test_probes_need_no_token() -> None:
    """Liveness and readiness are for a kubelet, which has no token; they are read only, and their Host is checked."""
    for path in ("/health/live", "/health/ready"):
        assert ask(guarded(), "GET", path, server=OUTSIDE, host=b"10.1.2.3:9465").status == 200
        assert ask(guarded(), "POST", path, JSON, server=OUTSIDE, host=b"10.1.2.3").status == 401
        assert ask(guarded(), "GET", path, server=OUTSIDE, host=b"evil.example").code == "host_not_allowed"
    assert ask(guarded(), "GET", "/health", server=OUTSIDE, host=b"10.1.2.3").status == 401


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1", b"127.8.9.1:80", b"[::1]:9465", b"agents.example:443"]
)
def test_hosts_that_are_ours(host) -> None:
    """Loopback in any form and the configured name are ours."""
    assert ask(Door(app, token=None, hosts=["Agents.Example"]), host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [None, b"", b"evil.example", b"localhost.evil.example", b"localhost@evil", b"10.0.0.1", b"127.0.0.1.evil", b"a b",
     b"localhost:x", b"[::1", b"\xff"],
)  # fmt: skip
def test_hosts_that_are_not_ours(host) -> None:
    """A name that somebody else may point to us is refused, and so is none."""
    answer = ask(host=host)

    assert (answer.status, answer.code) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "names", ["agents.example", ["agents.example:443"], ["https://agents.example"], ["b\xfccher.example"], ["a."], [""]]
)
def test_a_name_that_nobody_could_call_is_said_at_once(names) -> None:
    """No Host header would ever match it, so that everybody would be sent away without a word to who wrote it."""
    with pytest.raises((TypeError, ValueError), match=r"is no host name|, one string"):
        guarded(hosts=names)


@pytest.mark.parametrize("token", ["t\xf6ken", "a b", " ", "x" * 1025])
def test_a_token_that_nobody_could_show_is_said_at_once(token) -> None:
    """A header does not carry it as it is."""
    with pytest.raises(ValueError, match="visible ASCII"):
        Door(app, token=token)


def test_two_host_headers_are_refused() -> None:
    """Which of two names was meant is not guessed."""
    assert ask(None, "GET", "/events", (b"host", b"localhost:9465")).code == "host_not_allowed"


def test_the_address_that_was_called_is_a_host_of_ours() -> None:
    """A scraper that calls an address by its number needs no configured name."""
    assert ask(guarded(), "GET", "/metrics", BEARER, server=OUTSIDE, host=b"10.1.2.3:9465").status == 200
    assert ask(guarded(), "GET", "/metrics", BEARER, server=("::ffff:10.1.2.3", 1), host=b"10.1.2.3").status == 200
    assert ask(guarded(), "GET", "/metrics", BEARER, server=OUTSIDE, host=b"10.1.2.4").status == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://localhost:9465", 200),
        (b"HTTP://LOCALHOST:9465", 200),
        (b"http://localhost:3000", 403),
        (b"http://127.0.0.1:9465", 403),
        (b"https://evil.example", 403),
        (b"null", 403),
        (b"", 403),
        (b"file://localhost:9465", 403),
    ],
)
def test_only_our_own_pages_may_ask(origin, status) -> None:
    """An Origin has to be the very host and port that was called."""
    assert ask(None, "GET", "/events", (b"origin", origin)).status == status


def test_an_origin_leaves_its_standard_port_out() -> None:
    """`https://host` and `host:443` are the same place."""
    door = Door(app, token=None, hosts=["agents.example"])

    assert ask(door, "GET", "/", (b"origin", b"https://agents.example"), host=b"agents.example:443").status == 200
    assert ask(door, "GET", "/", (b"origin", b"https://agents.example"), host=b"agents.example").status == 200
    assert ask(door, "GET", "/", (b"origin", b"http://agents.example"), host=b"agents.example:443").status == 403


@pytest.mark.parametrize("kind", [b"text/plain", b"application/x-www-form-urlencoded", b"application/jsonp", b""])
def test_post_is_json_only(kind) -> None:
    """What a form of another site could send without asking first is refused."""
    answer = ask(None, "POST", "/profile", (b"content-type", kind))

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert ask(None, "POST", "/profile").status == 415
    assert ask(None, "POST", "/profile", (b"content-type", b"Application/JSON; charset=utf-8")).status == 200


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    """The length that a request announces is enough to refuse it."""
    for length in (b"11", b"9" * 5000, b"-1", b"x"):
        answer = ask(Door(app, token=None, max_body=10), "POST", "/x", JSON, (b"content-length", length))

        assert (answer.status, answer.code, answer.headers["connection"]) == (413, "body_too_large", "close")


def test_a_body_that_says_nothing_of_its_length_is_counted() -> None:
    """A chunked body is stopped where it passes the limit, and the app's own answer to that is not heard."""
    chunks = [b"12345", b"67890", b"1", b"never read"]
    door = Door(app, token=None, max_body=10)

    assert ask(door, "POST", "/x", JSON, body=chunks[:2]).body == b"1234567890"
    answer = ask(door, "POST", "/x", JSON, body=chunks)
    assert (answer.status, answer.code) == (413, "body_too_large")

    async def swallowing(scope, receive, send):
        try:
            await app(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 500, "headers": []})

    answer = ask(Door(swallowing, token=None, max_body=10), "POST", "/x", JSON, body=chunks)
    assert (answer.status, answer.code) == (413, "body_too_large")


async def test_connections_are_counted() -> None:
    """One more than may be open is told to come again; the probes are answered; what is over makes room."""
    ready, leave = asyncio.Event(), asyncio.Event()

    async def waiting(scope, receive, send):
        if scope["path"] == "/events":
            ready.set()
            await leave.wait()
        await app(scope, receive, send)

    door, sent = Door(waiting, token=None, max_connections=1), []

    async def call(path):
        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"localhost")], "server": INSIDE}

        async def receive():
            return {"type": "http.request", "body": b""}

        async def send(message):
            sent.append(message)

        await door(scope, receive, send)

    first = asyncio.create_task(call("/events"))
    await ready.wait()
    await call("/metrics")
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"2") in sent[0]["headers"]
    await call("/health/live")
    assert sent[2]["status"] == 200
    leave.set()
    await first
    await call("/metrics")
    assert sent[-2]["status"] == 200


def test_login_gives_a_cookie_that_lets_in() -> None:
    """The token buys a cookie that scripts cannot read and other sites cannot use; it does not hold the token."""
    door, body = guarded(), json.dumps({"token": TOKEN}).encode()
    answer = ask(door, "POST", "/login", JSON, server=OUTSIDE, host=b"10.1.2.3", body=[body[:5], body[5:]])

    cookie = answer.headers["set-cookie"]
    assert answer.status == 200
    assert {"HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={VALID_S}"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    value = cookie.partition(";")[0].encode()
    assert ask(door, "GET", "/events", (b"cookie", b"a=b; " + value), server=OUTSIDE, host=b"10.1.2.3").status == 200
    assert ask(door, "GET", "/events", (b"cookie", value[:-1]), server=OUTSIDE, host=b"10.1.2.3").status == 401


def test_a_cookie_of_https_stays_on_https() -> None:
    """Over TLS the cookie is marked `Secure`."""
    answer = ask(guarded(), "POST", "/login", JSON, body=[json.dumps({"token": TOKEN}).encode()], scheme="https")

    assert answer.headers["set-cookie"].endswith("; Secure")


def test_a_cookie_ends_by_itself() -> None:
    """Twelve hours later it is worth nothing, and its end cannot be moved."""
    now = [time.time()]
    secret = Secret(TOKEN, lambda: now[0])
    value = secret.cookie(secure=False).partition(";")[0]

    def known(cookie: str) -> bool:
        return secret.is_known_to(Visit({"headers": [(b"cookie", cookie.encode())]}))

    assert known(value)
    until, _, proof = value.partition("=")[2].partition(".")
    assert not known(f"otel_agents={int(until) + 1}.{proof}")
    now[0] += VALID_S
    assert not known(value)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"token": "wrong"}', 401),
        (b'{"token": 1}', 400),
        (b"[]", 400),
        (b"", 400),
        (b"\xff\xfe", 400),
        (b"[" * 4000, 400),
        (b" " * 5000, 413),
    ],
)
def test_a_login_that_is_none(body, status) -> None:
    """A wrong token, and what is no token at all, get a structured error and no cookie."""
    answer = ask(guarded(), "POST", "/login", JSON, body=[body])

    assert answer.status == status
    assert answer.code
    assert "set-cookie" not in answer.headers


def test_a_browser_is_sent_to_the_login() -> None:
    """A page that needs the token leads to where it is asked for, below the path where the app is mounted."""
    accept = (b"accept", b"text/html,*/*")
    answer = ask(guarded(), "GET", "/otel/runs", accept, root_path="/otel", query_string=b"a=1&b=2")

    assert (answer.status, answer.headers["location"]) == (303, "/otel/login?next=%2Fotel%2Fruns%3Fa%3D1%26b%3D2")
    away = ask(guarded(), "GET", "/\u4eba/runs", accept, root_path="/\u4eba")
    assert away.headers["location"] == "/%E4%BA%BA/login?next=%2F%E4%BA%BA%2Fruns"
    page = ask(guarded(), "GET", "/otel/login", accept, root_path="/otel")
    assert page.status == 200
    assert b'type="password"' in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    script = page.body.partition(b"<script>")[2].partition(b"</script>")[0]
    assert f"'sha256-{_sha256(script)}'" in policy


def test_login_is_the_apps_own_where_no_token_is_needed() -> None:
    """Without a token there is nothing to log in to."""
    assert ask(None, "GET", "/login").messages[0]["headers"][0][0] == b"x-content-type-options"
    assert ask(guarded(), "DELETE", "/login").status == 405


def test_a_web_socket_shows_the_token_as_a_subprotocol() -> None:
    """A browser cannot set headers on a WebSocket: it offers the token beside our protocol, and the app sees none."""
    carrier = f"otel-agents.token.{base64.urlsafe_b64encode(TOKEN.encode()).rstrip(b'=').decode()}"
    seen = []

    async def looking(scope, receive, send):
        seen.append(scope["subprotocols"])
        await app(scope, receive, send)

    door = Door(looking, token=TOKEN)
    answer = ask(door, "GET", "/ws", type="websocket", subprotocols=["otel-agents", carrier])

    assert answer.messages == [{"type": "websocket.accept", "subprotocol": "otel-agents"}]
    assert seen == [["otel-agents"]]
    closed = ask(door, "GET", "/ws", type="websocket", subprotocols=["otel-agents", carrier[:-1]])
    assert closed.messages == [{"type": "websocket.close", "code": 1008}]


def test_every_answer_says_what_it_may_not_be_used_for() -> None:
    """Answers of the app carry the headers that keep other sites from using them."""
    headers = ask().headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_is_no_visit_passes() -> None:
    """The lifespan of an app is not the door's business."""
    assert ask(type="lifespan", host=None).status == 200


def test_errors_have_one_shape() -> None:
    """Who stands behind the door says errors as the door does."""
    assert error_content("a", "b", [{"path": "/x", "message": "c"}]) == {
        "error": {"code": "a", "message": "b", "details": [{"path": "/x", "message": "c"}]}
    }


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("::1", True), ("127.1.1.1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False)],
)
def test_loopback(host, expected) -> None:
    """Loopback is known by name and by number."""
    assert is_loopback(host) is expected


def _sha256(data: bytes) -> str:
    import hashlib

    return base64.b64encode(hashlib.sha256(data).digest()).decode()
