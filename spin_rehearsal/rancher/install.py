"""Puts the client onto the pretend login node, where it runs without spinstack."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from spinstack.directories import Directory
from spinstack.errors import SpinstackError

PACKAGE = "rancher_cli"
# Modules that stay behind: they serve those who install, not those who log in.
_NOT_COPIED = ("install.py",)
_PROBE = (
    "import sys, base64, hashlib, http.client, json, socket, tarfile, termios, threading\n"
    "sys.exit(sys.version_info < (3, 9))"
)
_PROBE_SECONDS = 30.0

_RUN = '''"""Starts the client, or the helper of spin-keygen.sh if that is the first word."""
import sys
sys.path.insert(0, {lib!r})
if sys.argv[1:2] == ["--spin-keygen"]:
    from {package}.keygen import main
    sys.exit(main(sys.argv[2:]))
from {package}.main import run_as_program
run_as_program()
'''

_RANCHER = """\
#!/bin/sh
exec {python} -I -S {run} "$@"
"""

# Bash, since only its `read` has -s. The password goes through a pipe (printf is a builtin,
# so it is in no process's arguments).
_KEYGEN = """\
#!/bin/bash
# Makes an API key for Spin and stores it in ~/.rancher/cli.json.
user=${{USER:-$(id -un)}}
ask=()
if [ -t 0 ]; then
    ask=(-s -p "Password for user $user? ")
fi
IFS= read -r "${{ask[@]}}" password || [ -n "$password" ] || {{
    echo "Error: no password given." >&2
    exit 1
}}
[ -t 0 ] && echo
printf '%s\\n' "$password" | {python} -I -S {run} --spin-keygen {url} "$user"
"""


def install(spin_dir: Path, python: str, url: str) -> None:
    """Write `bin/rancher`, `bin/spin-keygen.sh` and `lib/` below `spin_dir`, readable by all.

    `python` is the interpreter that login sessions can execute (see `usable_python`); `url`
    the Spin service's address, `http://127.0.0.1:PORT`. What an earlier installation left is
    replaced. Raises OSError if the directory can't be written.
    """
    what, remedy = "the directory for the client", f"remove {spin_dir}"
    with Directory(spin_dir, 0o755, what=what, remedy=remedy) as spin:
        _write(spin, python, url)
    _compile(python, spin_dir / "lib")


def _write(spin: Directory, python: str, url: str) -> None:
    lib = spin.path / "lib"
    run = lib / "run.py"
    _remove(spin.path / "lib.new")
    fresh = spin.directory("lib.new")
    _copy_sources(Path(__file__).parent, fresh.directory(PACKAGE))
    _copy_sources(Path(yaml.__file__).parent, fresh.directory("yaml"))
    fresh.write(run.name, _RUN.format(lib=str(lib), package=PACKAGE).encode())
    # A client may be running: it should find its modules all the time but for a moment.
    _remove(lib)
    fresh.path.replace(lib)
    words = {"python": shlex.quote(python), "run": shlex.quote(str(run)), "url": shlex.quote(url)}
    bin_ = spin.directory("bin")
    # A program that is running can't be overwritten, but replaced.
    bin_.write("rancher", _RANCHER.format(**words).encode(), 0o755)
    bin_.write("spin-keygen.sh", _KEYGEN.format(**words).encode(), 0o755)


def _remove(directory: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)


def usable_python(uid: int | None, gid: int | None) -> str:
    """The path of a Python, 3.9 or later, that this account can really execute.

    None stands for the account of this process. Raises SpinstackError if there is none.
    """
    tried = []
    for python in dict.fromkeys(_candidates()):
        if _works(python, uid, gid):
            return python
        tried.append(python)
    who = "this account" if uid is None else f"uid {uid}"
    raise SpinstackError(
        f"no Python that login sessions ({who}) can run",
        where=", ".join(tried),
        remedy="install the system's python3 (3.9 or later), for example: apt-get install python3",
    )


def _candidates() -> Iterator[str]:
    yield sys.executable
    yield str(getattr(sys, "_base_executable", sys.executable))
    yield "/usr/bin/python3"
    for folder in os.get_exec_path():
        found = Path(folder) / "python3"
        if os.access(found, os.X_OK):  # is_file() raises below a closed directory
            yield str(found)


def _works(python: str, uid: int | None, gid: int | None) -> bool:
    # With -I the probe sees no site of ours, just as the client is started.
    command = [python, "-I", "-S", "-c", _PROBE]
    surroundings: dict[str, Any] = {
        "cwd": "/",
        "env": {"PATH": os.defpath},
        "timeout": _PROBE_SECONDS,
    }
    account: dict[str, Any] = {} if uid is None else {"user": uid, "group": gid, "extra_groups": []}
    try:
        done = subprocess.run(command, capture_output=True, **surroundings, **account)
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.returncode == 0)


def _copy_sources(source: Path, target: Directory) -> None:
    """The Python files only: a compiled extension belongs to the Python it was made for."""
    for file in sorted(source.rglob("*.py")):
        if file.name not in _NOT_COPIED:
            beside = target.directory(file.parent.relative_to(source).as_posix())
            beside.write(file.name, file.read_bytes())


def _compile(python: str, lib: Path) -> None:
    """Compile once, since a login session may not write here; a failure only costs time."""
    command = [python, "-I", "-S", "-m", "compileall", "-q", str(lib)]
    subprocess.run(command, capture_output=True, check=False, timeout=120, umask=0o022)
