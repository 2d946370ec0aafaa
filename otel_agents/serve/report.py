"""A profile of a whole program, from now to its exit, in a file; must not know who asks for it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_agents import guard, notice

if TYPE_CHECKING:
    from otel_agents.serve.sampler import Sampler

LOGGER: Final = "otel_agents"


def profile(path: str, mark: Callable[[str], object]) -> None:
    """Profile the program until it exits; one message when that cannot be.

    Args:
        path: The report: JSON for speedscope when it ends in `.json`, else HTML. A file that is there is another
            process's: the name then gets the number of the process.
        mark: Is given the id of the profile.
    """
    try:
        from otel_agents.serve.sampler import Sampler

        file = _own(Path(path))
    except ModuleNotFoundError as error:
        _say(path, f"{error.name} is not installed; fix: pip install 'otel-agents[serve]'")
        return
    except OSError as error:
        _say(path, error.strerror or str(error))
        return
    sampler = Sampler()
    mark(sampler.profile_id)
    sampler.start()
    atexit.register(guard.run, "serve.report", partial(_finish, sampler, file, os.getpid()))


def _own(path: Path) -> Path:
    """Return the file, which now is there and is ours."""
    for each in (path, path.with_stem(f"{path.stem}-{os.getpid()}")):
        try:
            each.open("xb").close()
        except FileExistsError:
            continue
        return each
    raise FileExistsError(path)


def _finish(sampler: Sampler, file: Path, process: int) -> None:
    from otel_agents.serve.sampler import FORMATS

    if os.getpid() != process:  # a forked child, whose parent still runs
        return
    session = sampler.stop()
    _, render = FORMATS["speedscope" if file.suffix == ".json" else "html"]
    file.write_text(render(session), encoding="utf-8")


def _say(path: str, reason: str) -> None:
    notice.warn(LOGGER, "no profile is written to %s: %s. The program runs without it.", path, reason)
