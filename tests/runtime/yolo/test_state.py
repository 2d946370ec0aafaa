"""State on disk: what is saved comes back, whatever happens to process or file."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_agents.runtime.yolo import (
    Agent,
    CorruptStateError,
    Handoff,
    Orchestrator,
    StateError,
    StateFile,
    StoppedError,
    Turn,
    UnknownAgentError,
    UnknownWorkflowError,
)
from tests.runtime.yolo.saving import SIZE

PROGRAM = Path(__file__).with_name("saving.py")
GOOD_ADVICE = "the state before it is good and stands in team.state.bak: load(backup=True)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team.state"


def echo(turn: Turn) -> str:
    return f"{turn.task}>{turn.agent}"


# The file


def test_what_is_saved_is_loaded(path: Path) -> None:
    """The last state comes back exactly, its size is that of the file, and the one before is the backup."""
    file = StateFile(path)
    assert not file.exists()
    for text in ('{"n": 1}', '{"n": 2, "t": "\u00fc\u2028"}'):
        size = file.save(text)

    assert size == path.stat().st_size
    assert (StateFile(path).load(), StateFile(path).load(backup=True)) == ({"n": 2, "t": "\u00fc\u2028"}, {"n": 1})
    assert sorted(each.name for each in path.parent.iterdir()) == ["team.state", "team.state.bak"]


def test_every_damage_is_noticed(path: Path) -> None:
    """A file cut at any place, or with any byte changed, is refused with one error, which names the good backup."""
    file = StateFile(path)
    file.save('{"n": 1}')
    file.save('{"n": 2}')
    whole = path.read_bytes()
    ends = (len(whole) - 1,)  # without the last line's end nothing is missing
    cut = [whole[:end] for end in range(len(whole)) if end not in ends]
    changed = [bytes((*whole[:at], whole[at] ^ 1, *whole[at + 1 :])) for at in range(len(whole) - 1)]
    for data in (*cut, *changed, b"", b"\x00" * 4096, b"[1]\n{}", os.urandom(200)):
        path.write_bytes(data)
        with pytest.raises(StateError) as raised:
            StateFile(path).load()
        assert str(path) in str(raised.value)
        assert isinstance(raised.value, CorruptStateError) == ("has version" not in str(raised.value))
        if isinstance(raised.value, CorruptStateError):
            assert str(raised.value).endswith(GOOD_ADVICE)


def test_a_damaged_file_never_becomes_the_backup(path: Path) -> None:
    """Saving over it keeps the good state before it; that holds in a process that never read the file, too."""
    for file in (StateFile(path), StateFile(path)):
        file.save('{"n": 1}')
        file.save('{"n": 2}')
        path.write_bytes(b"half")
        with pytest.raises(CorruptStateError):
            file.load()
        assert file.load(backup=True) == {"n": 1}
        file.save('{"n": 3}')
        assert (file.load(), file.load(backup=True)) == ({"n": 3}, {"n": 1})
        path.write_bytes(b"half")
        StateFile(path).save('{"n": 4}')
        assert (file.load(), file.load(backup=True)) == ({"n": 4}, {"n": 1})


def test_without_a_good_backup_the_error_says_so(path: Path) -> None:
    """Nobody is sent to a file that is not there."""
    path.write_bytes(b"half")
    with pytest.raises(CorruptStateError, match="is no state file; there is no good backup"):
        StateFile(path).load()


def test_a_file_that_is_gone_while_its_backup_is_there_says_so(path: Path) -> None:
    """Whoever removed it to begin anew, and whoever lost it, reads what to do."""
    file = StateFile(path)
    for number in (1, 2):
        file.save(f'{{"number": {number}}}')
    path.unlink()
    with pytest.raises(CorruptStateError, match=r"is gone, and its backup is not; the state before it is good"):
        file.load()
    assert file.load(backup=True) == {"number": 1}
    file.backup.unlink()
    with pytest.raises(FileNotFoundError):
        file.load()


def test_another_version_is_not_taken_for_damage(path: Path) -> None:
    """A file of a newer program is refused by its version."""
    path.write_bytes(b'{"format": "yolo-state", "version": 2}\n{}\n')
    with pytest.raises(StateError, match="has version 2; this program reads 1"):
        StateFile(path).load()


def test_file_systems_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the backup is a copy."""

    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    file = StateFile(path)
    file.save('{"n": 1}')
    file.save('{"n": 2}')
    assert (file.load(), file.load(backup=True)) == ({"n": 2}, {"n": 1})


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    """The error is the system's own."""
    with pytest.raises(FileNotFoundError):
        StateFile(tmp_path / "nowhere" / "team.state").save("{}")


# Killed


def _kill(command: list[str], after_s: float) -> list[int]:
    """Kill a program some time after its first line; returns the numbers that it said, the last one whole."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)  # the moment of death is what the test is about
        process.kill()
        rest = process.stdout.read()
    said = (first + rest).splitlines(keepends=True)
    return [int(line) for line in said if line.endswith("\n")]


def _killed_while_saving(path: Path, times: int) -> None:
    chance = random.Random(7)
    StateFile(path).save('{"number": 0}')
    for _ in range(times):
        said = _kill([sys.executable, str(PROGRAM), "save", str(path)], chance.uniform(0, 0.02))
        state = StateFile(path).load()
        assert state["number"] >= said[-1]
        assert len(state["filling"]) == SIZE
        assert state["number"] - StateFile(path).load(backup=True)["number"] in (0, 1)


def test_a_killed_process_leaves_a_whole_state(path: Path) -> None:
    """SIGKILL at any moment: the state loads, and is not older than what was acknowledged."""
    _killed_while_saving(path, 8)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_killed_two_hundred_times_leaves_a_whole_state(path: Path) -> None:
    """The same, often."""
    _killed_while_saving(path, 200)


def test_a_workflow_survives_the_deaths_of_its_process(path: Path) -> None:
    """Killed and begun again, it goes on from the last handoff that was acknowledged, under the same id."""
    last, ids = 0, set()
    for pause_s in (0, 0.01, 0.03, 0.02):
        said = _kill([sys.executable, str(PROGRAM), "work", str(path)], pause_s)
        [workflow] = StateFile(path).load()["workflows"]
        assert said[0] >= last
        assert workflow["task"] >= said[-1]
        last = said[-1]
        ids.add(workflow["id"])
    assert len(ids) == 1


# The team


async def test_a_team_comes_back_as_it_was(path: Path) -> None:
    """Contexts, and a workflow that was stopped between two steps, which ends in the new team."""

    async def first(turn: Turn) -> str:
        turn.context.add("learned", 3)
        team.set_mode("off")
        return "half"

    team = Orchestrator([Agent("a", first), Agent("b", echo)], state=path)
    with pytest.raises(StoppedError, match="the team is off"):
        await team.run("halves", "x", steps=["a", "b"], correlation_id="order-1")
    assert len(team.unfinished) == 1

    new = Orchestrator([Agent("a", first), Agent("b", echo)], state=path)
    assert await new.load() == team.unfinished
    assert [item.text for item in new.context("a").items] == ["learned"]
    assert new.mode == "active"
    assert await new.resume(new.unfinished[0]) == "half>b"
    assert new.unfinished == []
    assert StateFile(path).load()["workflows"] == []


async def test_a_handoff_that_is_acknowledged_is_on_disk(path: Path) -> None:
    """When `handoff` returns, the file says who has the work now."""
    seen = []

    async def hands_over(turn: Turn) -> None:
        await turn.handoff("b", {"n": 1})
        seen.append(StateFile(path).load()["workflows"][0])

    team = Orchestrator([Agent("a", hands_over), Agent("b", echo)], state=path)
    await team.run("over", steps=["a"])
    assert [(each["agent"], each["task"], each["spent"]["handoffs"]) for each in seen] == [("b", {"n": 1}, 1)]


async def test_a_handoff_that_cannot_be_saved_does_not_take_place(path: Path) -> None:
    """A task that is no JSON data is refused, and the agent may hand over something else."""

    async def hands_over(turn: Turn) -> None:
        with pytest.raises(StateError, match="a task cannot be saved, since it is no JSON data"):
            await turn.handoff("b", {1, 2})
        with pytest.raises(StateError, match="no JSON data"):
            await turn.handoff("b", float("nan"))
        await turn.handoff("b", [1, 2])

    team = Orchestrator([Agent("a", hands_over), Agent("b", echo)], state=path)
    assert await team.run("over", steps=["a"]) == "[1, 2]>b"


async def test_what_failed_is_not_resumed_and_what_was_cancelled_stays_in_the_file(path: Path) -> None:
    """A failure is an end. Of a cancelled workflow nobody knows whether the process is going down."""
    works = asyncio.Event()

    async def work(turn: Turn) -> None:
        if turn.task == "fail":
            raise LookupError
        works.set()
        await asyncio.Event().wait()

    team = Orchestrator([Agent("a", work)], state=path)
    with pytest.raises(LookupError):
        await team.run("fails", "fail", steps=["a"])
    assert StateFile(path).load()["workflows"] == []
    running = asyncio.create_task(team.run("waits", steps=["a"]))
    await works.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [each["name"] for each in StateFile(path).load()["workflows"]] == ["waits"]

    new = Orchestrator([Agent("a", echo)], state=path)
    [unfinished] = await new.load()
    assert await new.resume(unfinished) == "None>a"


async def test_a_pause_outlives_the_process(path: Path) -> None:
    """What somebody decided holds for the new team; that it was off is how it ended, and does not."""
    team = Orchestrator(state=path)
    for mode, wanted in (("paused", "paused"), ("off", "active")):
        team.set_mode(mode)  # type: ignore[arg-type]
        assert await team.save() > 0
        assert await team.save() == 0  # nothing has changed
        new = Orchestrator(state=path)
        await new.load()
        assert new.mode == wanted


async def test_a_state_that_does_not_fit_is_refused(path: Path) -> None:
    """Another shape, an agent who is not here, a workflow nobody knows, a team at work: each has its error."""
    team = Orchestrator([Agent("a", echo)], state=path)
    assert await team.load() == []
    for text in ("{}", "[]", '{"workflows": [{}], "contexts": {}, "mode": "active"}', '{"workflows": 1}'):
        StateFile(path).save(text)
        with pytest.raises(CorruptStateError, match="the state has another shape than expected"):
            await team.load()
    other = Orchestrator([Agent("b", lambda turn: other.set_mode("off")), Agent("c", echo)], state=path)
    with pytest.raises(StoppedError):
        await other.run("work", steps=["b", "c"])
    [workflow] = await team.load()
    with pytest.raises(UnknownAgentError, match="there is no agent 'c'; the team is a"):
        await team.resume(workflow)
    with pytest.raises(UnknownWorkflowError, match="no unfinished workflow has the id 'x'"):
        await team.resume("x")
    team.drop(workflow)
    assert team.unfinished == []

    busy = Orchestrator([Agent("a", lambda turn: asyncio.run(_refused(busy)))], state=path)
    await busy.run("work", steps=["a"])


async def test_a_result_that_cannot_be_saved_is_the_error_of_its_own_workflow(path: Path) -> None:
    """It ends at once, also while the team is paused, when others have handoffs to save."""
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def returns_a_set(turn: Turn) -> set[int]:
        team.set_mode("paused")
        return {1}

    async def hands_over(turn: Turn) -> Handoff:
        ready.set()
        await go_on.wait()
        team.set_mode("active")
        return Handoff("b", "kept")

    team = Orchestrator(
        [Agent("a", hands_over), Agent("b", echo), Agent("bad", returns_a_set), Agent("next", echo)], state=path
    )
    good = asyncio.create_task(team.run("good", steps=["a"]))
    await ready.wait()
    with pytest.raises(StateError, match="no JSON data"):
        await team.run("bad", steps=["bad", "next"])
    go_on.set()
    assert await good == "kept>b"


def _task(path: Path) -> object:
    """Return what the workflow in the file is to work at; None while there is no file."""
    return StateFile(path).load()["workflows"][0]["task"] if path.exists() else None


async def test_what_a_step_came_to_is_saved_before_a_pause(path: Path) -> None:
    """A process that dies while the team is paused does not lose the step before."""

    async def first(turn: Turn) -> str:
        team.set_mode("paused")
        return "half"

    team = Orchestrator([Agent("a", first), Agent("b", echo)], state=path)
    running = asyncio.create_task(team.run("halves", "x", steps=["a", "b"]))
    for _ in range(1000):
        if await asyncio.to_thread(_task, path) == "half":
            break
        await asyncio.sleep(0.01)
    assert _task(path) == "half"
    assert not running.done()
    team.set_mode("active")
    assert await running == "half>b"


def test_a_team_may_have_one_event_loop_after_the_other(path: Path) -> None:
    """And several at once, in threads: what they save at the same time is in the file, the newest last."""

    async def pass_on(turn: Turn) -> Handoff:
        return Handoff("b", turn.task)

    async def many() -> list[str]:
        return await asyncio.gather(*(team.run(f"w{number}", number, steps=["a"]) for number in range(6)))

    team = Orchestrator([Agent("a", pass_on), Agent("b", echo)], state=path)
    done = [f"{number}>b" for number in range(6)]
    assert [asyncio.run(many()) for _ in range(2)] == [done, done]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: asyncio.run(many()), range(3))) == [done] * 3
    assert StateFile(path).load()["workflows"] == []


async def _refused(team: Orchestrator) -> None:
    with pytest.raises(StateError, match="a team that works cannot load another state"):
        await team.load()


async def test_many_workflows_save_one_after_the_other(path: Path) -> None:
    """However many hand over at the same time, the file is whole, and in the end empty."""
    numbers = itertools.count()

    async def hands_over(turn: Turn) -> Handoff | int:
        return Handoff("b" if turn.agent == "a" else "a", turn.task - 1) if turn.task else next(numbers)

    team = Orchestrator([Agent("a", hands_over), Agent("b", hands_over)], state=path)
    done = await asyncio.gather(*(team.run(f"w{number}", 3, steps=["a"]) for number in range(8)))
    assert sorted(done) == list(range(8))
    assert StateFile(path).load()["workflows"] == []
