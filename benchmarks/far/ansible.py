"""Ansible doing the fifteen steps, in an environment of its own that stays in the cache."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmarks.far.bench import Bench
from spinstack.errors import SpinstackError
from spinstack.transport.command import Command
from spinstack.transport.runner import LocalRunner

# The newest that this Python can have.
PACKAGE = "ansible-core>=2.16"
INSTALL_WITHIN = 300.0


def program(cache: Path) -> Path:
    """`ansible-playbook`, installed where it is not there yet. Raises SpinstackError."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = cache / f"ansible-{version}"
    found = place / "bin" / "ansible-playbook"
    if found.exists():
        return found
    shutil.rmtree(place, ignore_errors=True)
    for words in (
        (sys.executable, "-m", "venv", str(place)),
        (str(place / "bin" / "pip"), "install", "--quiet", PACKAGE),
    ):
        done = LocalRunner().run(Command(*words), timeout=INSTALL_WITHIN)
        if not done.ok:
            shutil.rmtree(place, ignore_errors=True)
            raise SpinstackError(
                "Ansible could not be installed", where=str(place), details=done.stderr[-1000:]
            )
    return found


def run(bench: Bench, *, pipelining: bool) -> dict[str, float]:
    """The playbook, with the master connection that Ansible opens by itself."""
    assert bench.ansible
    sockets = _directory(bench)
    shutil.rmtree(sockets, ignore_errors=True)
    sockets.mkdir()
    _write(bench, sockets, pipelining)
    bench.ready_for_steps()
    words = [str(bench.ansible), "-i", str(sockets / "hosts"), str(sockets / "steps.json")]
    return {"seconds": bench.timed(words, env={"ANSIBLE_CONFIG": str(sockets / "ansible.cfg")})}


def end(bench: Bench) -> None:
    """End the master that it leaves for a minute."""
    for socket in (path for path in _directory(bench).iterdir() if path.is_socket()):
        bench.timed(bench.ssh("-S", str(socket), "-O", "exit"))


def _directory(bench: Bench) -> Path:
    return bench.work / "ansible"


def _write(bench: Bench, sockets: Path, pipelining: bool) -> None:
    """Its configuration, its inventory and the playbook: JSON is YAML."""
    (sockets / "ansible.cfg").write_text(
        "[defaults]\nhost_key_checking = True\ngathering = explicit\n"
        f"local_tmp = {sockets}\n[ssh_connection]\npipelining = {pipelining}\n"
        f"ssh_args = -F {bench.config} -C -o ControlMaster=auto -o ControlPersist=60s\n"
        f"control_path_dir = {sockets}\n"
    )
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
    (sockets / "hosts").write_text(f"far ansible_python_interpreter={python}\n")
    tasks = [
        # Braces of the shell are none of Jinja's.
        {"ansible.builtin.shell": f"{{% raw %}}{command}{{% endraw %}}"}
        for command in bench.commands
    ]
    play = {"hosts": "far", "gather_facts": False, "tasks": tasks}
    (sockets / "steps.json").write_text(json.dumps([play]))
