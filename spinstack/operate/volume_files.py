"""What is in a volume, saved to a file of this machine and loaded from it: a tar archive, which
streams through a container of a service that mounts the volume."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from spinstack.console import streams
from spinstack.directories import expanded
from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import exec as operate_exec
from spinstack.operate import volumes
from spinstack.operate.selection import check_name
from spinstack.remote.access import connected
from spinstack.remote.history.write import recorded
from spinstack.session import ask_if_protected
from spinstack.transport.channel import Stream

if TYPE_CHECKING:
    from spinstack.platforms.base import Container
    from spinstack.platforms.client import StackClient
    from spinstack.session import Session

# For this process's own input or output.
PIPE = "-"
# Where an archive is unpacked: what was there stays until all of it has arrived.
NEW = ".spinstack-load"
# Not of the person: a file system's own, which only root may read.
LOST = "lost+found"
# An archive ends with two blocks of zeros.
BLOCK = 512
_LAST = 2 * BLOCK

SAVE = f'exec tar -cf - -C "$1" --exclude ./{NEW} --exclude ./{LOST} .'
UNPACK = f'cd "$1" && rm -rf {NEW} && mkdir {NEW} && exec tar -xpf - -C {NEW}'
# `find` in an image may know neither -mindepth nor -delete.
SWAP = (
    f'cd "$1" && for old in * .[!.]* ..?*; do case $old in {NEW}|{LOST}) ;; '
    '*) rm -rf -- "$old" || exit 1 ;; esac; done; '
    f"cd {NEW} && for new in * .[!.]* ..?*; do "
    'if [ -e "$new" ] || [ -h "$new" ]; then mv -- "$new" .. || exit 1; fi; done; '
    f"cd .. && rmdir {NEW}"
)
DISCARD = f'cd "$1" && rm -rf {NEW}'


class Watched:
    """Passes on bytes that are read or written, and sees whether they are a whole archive."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = b""
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        return self._seen(self._file.read(size))

    def write(self, data: bytes) -> int:
        self._file.write(self._seen(data))
        return len(data)

    def _seen(self, data: bytes) -> bytes:
        self.bytes += len(data)
        self._end = (self._end + data)[-_LAST:]
        return data

    @property
    def whole(self) -> bool:
        """An archive that was cut off lacks its end; so does what is no archive."""
        return self._end == bytes(_LAST) and self.bytes % BLOCK == 0


def save(session: Session, name: str, file: str, service: str, *, json: bool) -> None:
    """Save what is in a volume. Raises SpinstackError if not all of it arrived: then there is no
    file, and one that was there is as it was."""
    volume = volumes.whole_name(session, name)
    one, target = mounted(session, volume, service)
    if file == PIPE and sys.stdout.isatty() and not session.dry:
        raise UsageError(
            "an archive is nothing for a terminal", remedy="name a file, or add | and a program"
        )
    with connected(session) as there:
        container = operate_exec.find(there, one, 0)
        with _written(session, file) as out:
            watched = Watched(out)
            stream = Stream(target=cast(BinaryIO, watched))
            code = _run(there, container, SAVE, target, stream)
            if not session.dry and (code or not watched.whole):
                raise _broken(there, f"{volume} was not saved", code, one)
    text = f"saved {volume} in {file} ({watched.bytes} bytes)"
    if file == PIPE:
        if not session.dry:
            session.console.note(text)
        return
    fields = {"action": "volume.save", "name": volume, "file": file, "bytes": watched.bytes}
    session.give(json, fields, text)


def load(session: Session, name: str, file: str, service: str, *, yes: bool, json: bool) -> None:
    """Replace what is in a volume by what is in an archive. Raises SpinstackError if not all of it
    arrived: then the volume is as it was."""
    volume = volumes.whole_name(session, name)
    one, target = mounted(session, volume, service)
    _refuse_unstreamed(session, volume, one, target)
    ask_if_protected(session, yes=yes, doing=f"Load {volume}")
    with _read(session, file) as source:
        session.confirm(
            f"Replace everything in {volume} by what is in {file}? Lost: what is in it now.",
            yes=yes,
        )
        with connected(session) as there, recorded(session, there.node, "volume.load", volume):
            container = operate_exec.find(there, one, 0)
            watched = _unpacked(there, container, target, source, volume, one)
            code = _run(there, container, SWAP, target)
            if code:
                raise _broken(there, f"{volume} was only partly replaced", code, one)
    text = f"loaded {file} into {volume} ({watched.bytes} bytes)"
    session.give(json, {"action": "volume.load", "name": volume, "bytes": watched.bytes}, text)
    if not session.dry:
        session.console.note(f"now `invoke restart --service {one}`, which has read the old files")


def _unpacked(
    there: StackClient,
    container: Container,
    target: str,
    source: BinaryIO,
    volume: str,
    service: str,
) -> Watched:
    watched, whole = Watched(source), False
    try:
        code = _run(there, container, UNPACK, target, Stream(source=cast(BinaryIO, watched)))
        whole = there.node.dry or (not code and watched.whole)
    finally:
        if not whole:
            with suppress(SpinstackError):
                _run(there, container, DISCARD, target)
    if not whole:
        raise _broken(there, f"{volume} was not loaded, and is as it was", code, service)
    return watched


def _run(
    there: StackClient,
    container: Container,
    script: str,
    target: str,
    stream: Stream | None = None,
) -> int:
    words = ["sh", "-c", script, "sh", target]
    return operate_exec.run(there, container, words, terminal=False, stream=stream)


def _broken(there: StackClient, what: str, code: int, service: str) -> SpinstackError:
    why = f"tar ended with {code}" if code else "the archive is not whole"
    return SpinstackError(
        f"{what}: {why}",
        where=f"{there.where}, {service}",
        remedy="see what tar says above, and `invoke status`; then run the same command again",
    )


def mounted(session: Session, volume: str, service: str) -> tuple[str, str]:
    """A service that mounts a volume, the one that is named if any, and where it has it. Raises
    UsageError."""
    check_name(session, service)
    found = {
        one.name: mount.target
        for one in session.stack.services(session.destination)[0]
        for mount in one.mounts
        if mount.source == volume and service in ("", one.name)
    }
    if not found:
        raise UsageError(
            f"{service} does not mount {volume}" if service else f"no service mounts {volume}",
            where=session.settings.compose_file,
            remedy="name a volume that stands under volumes: of a service, or this service",
        )
    return next(iter(found.items()))


def _refuse_unstreamed(session: Session, volume: str, service: str, target: str) -> None:
    """Rancher's command line gets stuck in more than a little input. Raises UsageError."""
    if session.platform.streams_input:
        return
    raise UsageError(
        f"{session.platform.program} can't carry an archive into a container",
        where=f"{session.where}, {volume}",
        remedy=f"put it into a directory that {service} mounts, and unpack it there: `invoke shell "
        f"--service {service}`, then tar -xpf ARCHIVE -C {target}",
    )


@contextmanager
def _written(session: Session, name: str) -> Iterator[BinaryIO]:
    """What is written appears under the name when all of it is there, readable by the person."""
    if name == PIPE or session.dry:
        with streams.needed():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    path = expanded(name)
    try:
        handle, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(half).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        Path(half).unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> SpinstackError:
    return SpinstackError(
        f"can't write {path.name}: {error.strerror}",
        where=str(path),
        remedy="name a file in a directory that you may write to, on a disk with space left",
    )


@contextmanager
def _read(session: Session, name: str) -> Iterator[BinaryIO]:
    if name == PIPE or session.dry:
        yield sys.stdin.buffer
        return
    path = expanded(name)
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"can't read the archive: {error.strerror}",
            where=str(path),
            remedy="name a file that `invoke volume.save` has written",
        ) from None
    with file:
        _refuse_cut(path, file)
        yield file


def _refuse_cut(path: Path, file: BinaryIO) -> None:
    """Raises UsageError for what is no whole archive, before anything is asked or sent."""
    size = path.stat().st_size
    file.seek(max(0, size - _LAST))
    whole = size % BLOCK == 0 and file.read() == bytes(_LAST)
    file.seek(0)
    if not whole:
        raise UsageError(
            "this is no tar archive, or not all of one",
            where=str(path),
            remedy="name a file that `invoke volume.save` has written, not compressed",
        )
