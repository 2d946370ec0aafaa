"""Contexts: what they hold, and what gives way."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agents.runtime.yolo import BadValueError, Context, ContextFullError, Item
from otel_agents.runtime.yolo.context import estimate


def texts(context: Context) -> list[str]:
    return [item.text for item in context.items]


def test_the_oldest_make_room() -> None:
    """Beyond the limit the oldest items go, but for those that are pinned."""
    context = Context("a", 10)
    context.add("rules", 4, pinned=True)
    for text in "bcdef":
        context.add(text, 2)

    assert (texts(context), context.tokens) == (["rules", "d", "e", "f"], 10)


def test_what_cannot_fit_is_refused_and_changes_nothing() -> None:
    """An item beyond the limit, or beyond what is pinned, raises; the context is as it was."""
    context = Context("a", 10)
    context.add("rules", 6, pinned=True)
    context.add("b", 2)
    for tokens in (5, 11):
        with pytest.raises(ContextFullError, match="tokens too many for the context of a, limit 10"):
            context.add("too much", tokens)
    assert texts(context) == ["rules", "b"]


def test_tokens_are_counted_where_nobody_says() -> None:
    """By a guess, or by the counter that the agent was given."""
    guessed, exact = Context("a"), Context("b", tokens=lambda text: len(text.split()))
    guessed.add("twelve chars")
    exact.add("two words")

    assert (guessed.tokens, exact.tokens, estimate(""), estimate("x")) == (3, 2, 0, 1)


@pytest.mark.parametrize("tokens", [-1, 1.5, float("nan"), float("inf"), True, "3"])
def test_tokens_that_cannot_be_meant_are_refused(tokens: Any) -> None:
    """Said or counted, as tokens or as limit, they are whole numbers from 0 up."""
    context = Context("a", tokens=lambda text: tokens)
    for given_ in (tokens, None):
        with pytest.raises(BadValueError, match="tokens must be a whole number from 0 up, not"):
            context.add("text", given_)
    with pytest.raises(BadValueError, match="the limit of a context must be a whole number"):
        Context("a", tokens)
    with pytest.raises(BadValueError, match="an item of a context must be text, not bytes"):
        context.add(b"bytes")  # type: ignore[arg-type]
    assert context.items == ()


async def test_a_refresh_replaces_what_is_not_pinned() -> None:
    """The source gets the items and may be asynchronous; what is added meanwhile stays."""
    context = Context("a", 10)
    context.add("rules", 1, pinned=True)
    context.add("b", 2)
    context.add("c", 2)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def summary(items: tuple[Item, ...]) -> list[str | Item]:
        asked.set()
        await answer.wait()
        return ["+".join(item.text for item in items), Item("d", 1)]

    refreshing = asyncio.create_task(context.refresh(summary))
    await asked.wait()
    context.add("late", 2)
    answer.set()
    await refreshing

    assert texts(context) == ["rules", "b+c", "d", "late"]


@pytest.mark.parametrize("said", ["a summary", Item("a summary", 3)])
async def test_a_refresh_may_return_one_text(said: str | Item) -> None:
    """Not the letters of it."""
    context = Context("a")
    context.add("b", 2)
    await context.refresh(lambda items: said)
    assert context.items == (Item("a summary", 3),)


async def test_a_refresh_that_fails_changes_nothing() -> None:
    """A source that raises, or returns what is no text, leaves the context as it was."""
    context = Context("a")
    context.add("b", 2)
    for source, error in ((lambda items: 1 / 0, ZeroDivisionError), (lambda items: [1], BadValueError)):
        with pytest.raises(error):
            await context.refresh(source)
    assert texts(context) == ["b"]


async def test_a_refresh_is_pruned() -> None:
    """What a source returns beyond the limit gives way like anything else, the oldest first."""
    context = Context("a", 3)
    await context.refresh(lambda items: [Item(text, 2) for text in "bcd"])
    assert texts(context) == ["d"]


def test_what_is_restored_is_what_was_kept() -> None:
    """Through JSON data nothing is lost; a limit that is lower now prunes."""
    context = Context("a")
    context.add("rules", 2, pinned=True)
    context.add("b", 2)
    same, less = Context("a"), Context("a", 3)
    for each in (same, less):
        each.restore(context.as_list())

    assert (same.items, texts(less)) == (context.items, ["rules"])


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans())), st.integers(0, 20))
def test_the_limit_always_holds(adds: list[tuple[int, bool]], limit: int) -> None:
    """Whatever is added, the limit holds, the newest is there unless it was refused, and pinned items stay."""
    context = Context("a", limit)
    pinned = []
    for number, (tokens, is_pinned) in enumerate(adds):
        before = context.items
        try:
            context.add(str(number), tokens, pinned=is_pinned)
        except ContextFullError:
            assert context.items == before
            continue
        pinned += [str(number)] if is_pinned else []
        assert context.tokens <= limit
        assert texts(context)[-1] == str(number)
        assert [item.text for item in context.items if item.pinned] == pinned


def test_threads_lose_nothing() -> None:
    """Items that several threads add at the same time are all there."""
    context = Context("a")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: context.add(str(number), 1), range(2000)))
    assert context.tokens == 2000
