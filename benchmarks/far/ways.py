"""The ways that are compared, all over the same link to the same account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.far import ansible, place
from benchmarks.far.bench import Bench, Way
from benchmarks.far.namespaces import FAR
from benchmarks.far.place import DESTINATIONS

OPENSSH, FABRIC = DESTINATIONS["openssh"], DESTINATIONS["fabric"]
TASKS = ("status", "logs", "render")


TRUE = "ssh host true"
SSH_15 = "15 × ssh host command"
MASTER_15 = "OpenSSH, master opened by the first of 15"
WARM_TRUE, WARM_SCRIPT = "OpenSSH, master there: true", "OpenSSH, master there: one script"
FABRIC_TRUE = "Fabric: open() and run('true')"
FABRIC_15 = "Fabric: 15 run() and 12 put()"
ANSIBLE, ANSIBLE_PLAIN = "Ansible, 15 tasks, pipelining", "Ansible, 15 tasks"
OURS_COLD = "spinstack, OpenSSH wire, no master yet"
OURS_WARM = "spinstack, OpenSSH wire, master there"
OURS_FABRIC = "spinstack, Fabric wire"
WHOLE_COLD = "spinstack, all 27 files, OpenSSH wire, no master yet"
WHOLE_WARM = "spinstack, all 27 files, OpenSSH wire, master there"
PRODUCT_COLD = "deploy as it is, OpenSSH wire, no master yet"
PRODUCT_WARM = "deploy as it is, OpenSSH wire, master there"
PRODUCT_FABRIC = "deploy as it is, Fabric wire"
NOTHING_WARM = "invoke deploy, nothing to do, OpenSSH wire, master there, with Python's start"
NOTHING_FABRIC = "invoke deploy, nothing to do, Fabric wire, with Python's start"
INVOKE_WARM = "invoke deploy, Rancher at once, OpenSSH wire, master there, with Python's start"


def bare(task: str, kind: str) -> str:
    """`kind`: cold, warm or fabric."""
    how = {
        "cold": "ssh host script",
        "warm": "ssh host script, master there",
        "fabric": "Fabric: open() and run() of the script",
    }
    return f"{task}: {how[kind]}"


def ours(task: str, kind: str) -> str:
    how = {
        "cold": "invoke, OpenSSH wire, no master yet, with Python's start",
        "warm": "spinstack, OpenSSH wire, master there",
        "fabric": "spinstack, Fabric wire",
        "warm-invoke": "invoke, OpenSSH wire, master there, with Python's start",
        "fabric-invoke": "invoke, Fabric wire, with Python's start",
    }
    return f"{task}: {how[kind]}"


def ways() -> list[Way]:
    """All of them, those that are compared with each other side by side."""
    return [
        Way(TRUE, lambda bench: _ssh(bench, "true")),
        Way(OURS_COLD, lambda bench: _deploy(bench, OPENSSH), after=_log_out),
        Way(OURS_WARM, lambda bench: _deploy(bench, OPENSSH, warm=True)),
        Way(WARM_TRUE, lambda bench: _warm(bench, "true")),
        Way(WARM_SCRIPT, lambda bench: _script(bench, "deploy", *_socket(bench))),
        Way(FABRIC_TRUE, lambda bench: bench.driven("fabric", **_account(bench))),
        Way(OURS_FABRIC, lambda bench: _deploy(bench, FABRIC)),
        Way(FABRIC_15, _fabric_steps),
        Way(SSH_15, _ssh_steps),
        Way(MASTER_15, _master_steps, after=_end_master),
        Way(WHOLE_COLD, lambda bench: _deploy(bench, OPENSSH, whole=True), after=_log_out),
        Way(WHOLE_WARM, lambda bench: _deploy(bench, OPENSSH, warm=True, whole=True)),
        Way(PRODUCT_COLD, lambda bench: _product(bench, OPENSSH), after=_log_out),
        Way(PRODUCT_WARM, lambda bench: _product(bench, OPENSSH, warm=True)),
        Way(PRODUCT_FABRIC, lambda bench: _product(bench, FABRIC)),
        Way(INVOKE_WARM, _invoke_deploy),
        Way(NOTHING_WARM, lambda bench: _nothing(bench, OPENSSH)),
        Way(NOTHING_FABRIC, lambda bench: _nothing(bench, FABRIC)),
        *(way for task in TASKS for way in _of_task(task)),
        Way(ANSIBLE, lambda bench: ansible.run(bench, pipelining=True), after=ansible.end),
        Way(
            ANSIBLE_PLAIN,
            lambda bench: ansible.run(bench, pipelining=False),
            every=3,
            after=ansible.end,
        ),
    ]


def _of_task(task: str) -> list[Way]:
    """A task against the bare script, on both wires."""
    found = [
        Way(bare(task, "warm"), lambda bench: _script(bench, task, *_socket(bench))),
        Way(ours(task, "warm"), lambda bench: _task(bench, task, OPENSSH, warm=True)),
        Way(bare(task, "fabric"), lambda bench: _fabric_script(bench, task)),
        Way(ours(task, "fabric"), lambda bench: _task(bench, task, FABRIC)),
    ]
    if task == "render":
        return found
    warm, fabric = ours(task, "warm-invoke"), ours(task, "fabric-invoke")
    return [
        *found,
        Way(warm, lambda bench: bench.invoked(task, "--to", OPENSSH, warm=True)),
        Way(fabric, lambda bench: bench.invoked(task, "--to", FABRIC)),
        Way(bare(task, "cold"), lambda bench: _script(bench, task)),
        Way(
            ours(task, "cold"),
            lambda bench: bench.invoked(task, "--to", OPENSSH),
            after=_log_out,
        ),
    ]


def _ssh(bench: Bench, command: str, *options: str) -> dict[str, float]:
    return {"seconds": bench.timed([*bench.ssh(*options), command])}


def _socket(bench: Bench) -> tuple[str, ...]:
    """Options of ssh for the master that is open all the time."""
    return "-S", str(bench.work / "master")


def _warm(bench: Bench, command: str) -> dict[str, float]:
    return _ssh(bench, command, *_socket(bench))


def _script(bench: Bench, task: str, *options: str) -> dict[str, float]:
    """The very script of the task, piped into a bare ssh."""
    place.settle(bench.place)
    words = [*bench.ssh(*options), "bash -l"]
    return {"seconds": bench.timed(words, script=bench.scripts[task])}


def _ssh_steps(bench: Bench, *options: str) -> dict[str, float]:
    bench.ready_for_steps()
    return {"seconds": sum(bench.timed([*bench.ssh(*options), each]) for each in bench.commands)}


def _master_steps(bench: Bench) -> dict[str, float]:
    master = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60")
    return _ssh_steps(bench, *master, *_cold_socket(bench))


def _cold_socket(bench: Bench) -> tuple[str, ...]:
    return "-S", str(bench.work / "cold")


def _end_master(bench: Bench) -> None:
    bench.timed(bench.ssh(*_cold_socket(bench), "-O", "exit"))


def _account(bench: Bench) -> dict[str, Any]:
    server = bench.server
    host = FAR
    return {"host": host, "user": server.user, "port": server.port, "identity": server.identity}


def _fabric_steps(bench: Bench) -> dict[str, float]:
    bench.ready_for_steps()
    account = _account(bench)
    release = str(bench.release)
    return bench.driven("fabric-steps", **account, commands=bench.commands, release=release)


def _fabric_script(bench: Bench, task: str) -> dict[str, float]:
    script = bench.scripts[task]
    return bench.driven("fabric-script", **_account(bench), script=script)


def _deploy(
    bench: Bench, destination: str, *, warm: bool = False, whole: bool = False
) -> dict[str, float]:
    place.settle(bench.place)
    stack = bench.place.whole / place.STACK if whole else bench.place.stack
    return bench.driven("deploy", warm=warm, destination=destination, stack=stack)


def _product(bench: Bench, destination: str, *, warm: bool = False) -> dict[str, float]:
    """All that a deploy does; upgrade and site are there as soon as they are asked for."""
    place.settle(bench.place)
    return bench.driven("product", warm=warm, destination=destination)


def _invoke_deploy(bench: Bench) -> dict[str, float]:
    """The same as a person types it."""
    place.settle(bench.place)
    return bench.invoked("deploy", "--to", OPENSSH, warm=True)


def _nothing(bench: Bench, destination: str) -> dict[str, float]:
    """The whole command, again."""
    _invoke_deploy(bench)
    bench.count_anew()
    return bench.invoked("deploy", "--to", destination, warm=True)


def _task(bench: Bench, task: str, destination: str, *, warm: bool = False) -> dict[str, float]:
    way = "render" if task == "render" else "task"
    return bench.driven(way, warm=warm, task=task, destination=destination)


def _log_out(bench: Bench) -> None:
    log_in(bench, open=False)


def log_in(bench: Bench, *, open: bool, warm: bool = False) -> None:
    """Open or close the product's own master in one of the two homes."""
    bench.driven("login", warm=warm, destination=OPENSSH, open=open)


def prepare(bench: Bench) -> None:
    """The commands and scripts of all ways, and both masters that stay."""
    place.settle(bench.place)
    told = bench.asked("commands", destination=FABRIC, script=bench.work / "deploy.sh")
    place.know_images(bench.place, told["images"])
    bench.commands, bench.release = told["commands"], Path(told["release"])
    bench.scripts["deploy"] = bench.work / "deploy.sh"
    for task in TASKS:
        bench.scripts[task] = bench.work / f"{task}.sh"
        home, script = bench.place.home, bench.scripts[task]
        bench.driven("texts", task=task, destination=FABRIC, home=home, script=script)
    bench.timed(bench.ssh("-M", "-N", "-f", *_socket(bench)))
    log_in(bench, open=True, warm=True)
