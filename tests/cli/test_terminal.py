from __future__ import annotations

import os
import signal
import sys

from tests.cli.playing import COMMAND, Window, program

SLOW = """
    import signal, time
    import otel_agents
    print("the program says one")
    with otel_agents.run("notes"):
        with otel_agents.node("research", kind="agent"):
            pass
        with otel_agents.node("draft", kind="agent"):
            print("the program says two")
            answer = input("name? ")
        print("hello", answer)
"""


def _run(body: str) -> Window:
    return Window([*COMMAND, "run", "--", *program(body)])


def test_the_tree_grows_at_the_foot_while_the_program_prints_and_reads_above() -> None:
    """Live: what runs is shown while it runs, the program's lines stay readable, and it is asked and answered."""
    with _run(SLOW) as window:
        seen = window.until(lambda screen: "draft" in screen and "name?" in screen)

        rows = seen.splitlines()
        assert rows[:3] == ["the program says one", "the program says two", "name?"]
        tree = [row.split("  ")[0] for row in rows if row[:2] in ("├─", "└─") or "notes" in row]
        assert tree[0].endswith("notes")
        assert tree[1] == "├─ ✓ research"
        assert tree[2].startswith("└─ ")
        assert tree[2].endswith("draft")

        window.press("Ada\n")
        assert window.wait() == 0
        rows = [row for row in window.everything.splitlines() if row]
        assert rows[:4] == ["the program says one", "the program says two", "name? Ada", "hello Ada"]
        assert [row.split("  ")[0] for row in rows[4:7]] == ["✓ notes", "├─ ✓ research", "└─ ✓ draft"]
        assert rows[-1] == "otel-agents: 1 run (1 completed), 2 nodes"


def test_ctrl_c_ends_the_program_once_and_the_tree_is_still_shown() -> None:
    """The key reaches the program through the terminal; we wait for it, show how it ended, and end the same way."""
    body = """
        import time
        import otel_agents
        try:
            with otel_agents.run("notes"), otel_agents.node("draft"):
                print("ready", flush=True)
                time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            time.sleep(0.1)
            raise SystemExit(7)
    """
    with _run(body) as window:
        window.until(lambda screen: "ready" in screen and "draft" in screen)
        window.press("\x03")

        assert window.wait() == 7
        assert window.everything.count("interrupted") == 1
        assert "⊘ draft  cancelled" in window.everything


def test_an_interrupt_that_the_program_does_not_catch_is_our_end_too() -> None:
    """Whoever started us sees an interrupt, as without us."""
    with _run("import time\nprint('ready', flush=True)\ntime.sleep(60)") as window:
        window.until(lambda screen: "ready" in screen)
        window.press("\x03")

        assert window.wait() == -signal.SIGINT
        assert "KeyboardInterrupt" in window.everything


def test_a_terminal_is_left_as_it_was() -> None:
    """After the end the whole terminal scrolls again."""
    script = f"{' '.join(COMMAND)} run -- {sys.executable} -c 'import otel_agents\nwith otel_agents.run(\"r\"): pass'"
    with Window(["/bin/sh", "-c", f"{script}; seq 1 60"]) as window:
        assert window.wait() == 0
        assert window.screen.split()[-20:] == [str(number) for number in range(41, 61)]


def test_a_stopped_program_gives_the_terminal_back() -> None:
    """Ctrl-Z empties the foot; after `fg` it is there again."""
    body = """
        import os, signal, time
        import otel_agents
        with otel_agents.run("notes"):
            print(os.getpid(), flush=True)
            signal.signal(signal.SIGTERM, lambda *_: None)
            signal.pause()
    """
    with _run(body) as window:
        child = int(window.until(lambda screen: "notes" in screen and screen.split()[0].isdigit()).split()[0])
        # A session leader is not stopped by its terminal: send what the key would send.
        os.kill(window.pid, signal.SIGTSTP)
        window.until(lambda screen: "notes" not in screen)
        os.kill(window.pid, signal.SIGCONT)
        window.until(lambda screen: "notes" in screen)
        os.kill(child, signal.SIGTERM)

        assert window.wait() == 0
