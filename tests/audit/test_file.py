"""Whole lines, whatever happens to the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_agents.audit.file import File
from tests.audit.running import run

NOBODY = 65534


def test_a_file_is_for_the_user_alone_and_in_folders_that_are(tmp_path: Path) -> None:
    """0600 in 0700; the path has the number of the process."""
    file = File(str(tmp_path / "a" / "b-{pid}.jsonl"))
    file.append(b"one\n")
    file.close()

    path = Path(file.path)
    assert path == tmp_path / "a" / f"b-{os.getpid()}.jsonl"
    assert (oct(path.stat().st_mode & 0o777), oct(path.parent.stat().st_mode & 0o777)) == ("0o600", "0o700")
    assert path.read_bytes() == b"one\n"


@pytest.mark.parametrize("fsync", [False, True])
def test_a_closed_file_is_opened_again_and_goes_on(tmp_path: Path, fsync: bool) -> None:
    """What was there stays."""
    path = tmp_path / "a.jsonl"
    for line in (b"one\n", b"two\n"):
        file = File(str(path), fsync=fsync)
        file.append(line)
        file.close()
        file.close()

    assert path.read_bytes() == b"one\ntwo\n"


def test_a_torn_last_line_gets_its_end(tmp_path: Path) -> None:
    """The next line is one of its own; what was torn stays as it was found."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\n{tor")
    file = File(str(path))
    file.append(b"two\n")
    file.append(b"three\n")
    file.close()

    assert path.read_bytes() == b"one\n{tor\ntwo\nthree\n"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """Also when its folder went along, and when it was removed."""
    path = tmp_path / "a" / "a.jsonl"
    file = File(str(path))
    file.append(b"one\n")
    path.rename(tmp_path / "old.jsonl")
    file.append(b"two\n")
    path.parent.rename(tmp_path / "b")
    file.append(b"three\n")
    path.unlink()
    file.append(b"four\n")
    file.close()

    assert (tmp_path / "old.jsonl").read_bytes() == b"one\n"
    assert (tmp_path / "b" / "a.jsonl").read_bytes() == b"two\n"
    assert path.read_bytes() == b"four\n"


@contextmanager
def _shut(folder: Path) -> Iterator[None]:
    """Let nobody into a folder, the superuser neither, while it is another user."""
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


def test_a_folder_that_is_shut_loses_nothing(tmp_path: Path) -> None:
    """The file is open, and goes on; when the folder is open again it is still the same."""
    folder = tmp_path / "audit"
    file = File(str(folder / "a.jsonl"))
    file.append(b"1\n")
    with _shut(folder):
        file.append(b"2\n")
    file.append(b"3\n")
    file.close()

    assert (folder / "a.jsonl").read_bytes() == b"1\n2\n3\n"


def test_a_file_that_was_emptied_goes_on_from_its_start(tmp_path: Path) -> None:
    """As after a rotation by copying: no hole is left."""
    path = tmp_path / "a.jsonl"
    file = File(str(path))
    file.append(b"one\n")
    os.truncate(path, 0)
    file.append(b"two\n")
    file.close()

    assert path.read_bytes() == b"two\n"


def test_a_stale_file_is_opened_again(tmp_path: Path) -> None:
    """At the next line, at the path where it belongs."""
    path = tmp_path / "a.jsonl"
    file = File(str(path))
    file.append(b"one\n")
    file.is_stale = True
    file.append(b"two\n")
    assert not file.is_stale
    file.close()

    assert path.read_bytes() == b"one\ntwo\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others may write to it could lead anywhere."""
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "b.jsonl")
    with pytest.raises(OSError, match="symbolic links"):
        File(str(tmp_path / "a.jsonl")).append(b"one\n")


def test_a_number_that_the_host_closed_and_used_again_is_left_alone(tmp_path: Path) -> None:
    """Daemons close all numbers; the file that has ours now is not ours to write or to close."""
    done = run(
        """
        file = File("a.jsonl")
        file.append(b"one\\n")
        os.closerange(3, 100)
        others = os.open("others", os.O_WRONLY | os.O_CREAT)
        file.append(b"two\\n")
        os.write(others, b"theirs\\n")
        file.close()
        print(Path("a.jsonl").read_text(), Path("others").read_text())
        """,
        tmp_path,
    )

    assert (done.stdout, done.stderr) == ("one\ntwo\n theirs\n\n", "")


FULL = """
import resource
file = File("a.jsonl")
line = b"x" * 99 + b"\\n"
resource.setrlimit(resource.RLIMIT_FSIZE, (1050, resource.RLIM_INFINITY))
lost = []
for number in range(20):
    try:
        file.append(line)
    except OSError as error:
        lost.append(error.strerror)
size = os.stat("a.jsonl").st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.append(line)
print(len(lost), sorted(set(lost)), size, os.stat("a.jsonl").st_size, Path("a.jsonl").read_bytes() == line * 11)
"""


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path) -> None:
    """Nothing half stays behind, and the file goes on where it was once there is space."""
    done = run(FULL, tmp_path)

    assert (done.stdout, done.stderr) == ("10 ['No space left on device'] 1000 1100 True\n", "")


def test_a_forked_child_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Nothing of one is in the other's."""
    done = run(
        """
        file = File("a-{pid}.jsonl")
        file.append(b"parent\\n")
        pid = os.fork()
        if not pid:
            file.append(b"child\\n")
            os._exit(0)
        os.waitpid(pid, 0)
        file.append(b"parent\\n")
        print(Path(file.path).read_text(), Path(f"a-{pid}.jsonl").read_text())
        """,
        tmp_path,
    )

    assert (done.stdout, done.stderr) == ("parent\nparent\n child\n\n", "")


KILLED = """
import random
random.seed(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
acknowledged = 0
for attempt in range(100):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        file = File("a.jsonl")
        for number in range(1_000_000):
            pad = "x" * random.randrange(3000)
            file.append(f'{{"attempt": {attempt}, "number": {number}, "pad": "{pad}"}}\\n'.encode())
            os.write(write, b".")
        os._exit(0)
    os.close(write)
    os.read(read, 1)
    time.sleep(random.random() * 0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    count = 1
    while chunk := os.read(read, 65536):
        count += len(chunk)
    os.close(read)
    print(attempt, count)
"""


def test_sigkill_loses_no_line_that_was_acknowledged(tmp_path: Path) -> None:
    """A hundred processes are killed while they append to one file: every line they knew of is there and whole."""
    done = run(KILLED, tmp_path)
    assert done.stderr == ""
    whole: dict[int, list[int]] = {}
    broken = 0
    for line in (tmp_path / "a.jsonl").read_bytes().split(b"\n")[:-1]:
        if line.endswith(b'"}'):
            attempt, number = (int(part.split(b":")[1]) for part in line.split(b",")[:2])
            whole.setdefault(attempt, []).append(number)
        else:
            broken += 1

    for attempt, count in (map(int, line.split()) for line in done.stdout.splitlines()):
        assert whole[attempt][:count] == list(range(count))
        assert len(whole[attempt]) <= count + 1
    assert len(whole) == 100
    assert broken <= 100
