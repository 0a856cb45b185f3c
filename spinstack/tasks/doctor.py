"""Is this machine ready? One line for each part, with a fix where something is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spinstack.tasks.task import JSON, TO, task
from spinstack.tasks.topics import Topic

if TYPE_CHECKING:
    from invoke.context import Context

    from spinstack.session import Session
    from spinstack.setup.doctor import Outcome, Part

Look = Callable[["Session"], "Outcome | Sequence[Outcome]"]
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


@task("make", help={"to": TO, "json": JSON})
def doctor(session: Session, to: str | None = None, json: bool = False) -> None:
    """Check that this machine has everything a deploy needs.

    Programs, container engine, login node, host key, registry, clock, disk, settings; on
    Kubernetes also kubectl, kubeconfig and what the cluster allows. Changes nothing and does not
    log in anywhere.

    Exit codes: 0 ready, 1 something is missing, 2 wrong usage.
    """
    from invoke.exceptions import Exit

    from spinstack.setup import doctor as setup_doctor

    parts, told = _parts(session)
    if session.dry:
        setup_doctor.examine_in_turn(parts)
        return
    outcomes = [*setup_doctor.examine(parts), *told]
    if json:
        session.console.json([session.console.advised(one.as_dict()) for one in outcomes])
    else:
        _show(session, outcomes)
    if setup_doctor.problems(outcomes):
        raise Exit(code=1)


def _parts(session: Session) -> tuple[list[Part], list[Outcome]]:
    """What to check, and what is known already: outside a stack there is no login node."""
    from functools import partial

    from spinstack.setup import doctor_machine
    from spinstack.setup.doctor import Part

    looks: dict[str, Look] = {
        "versions": doctor_machine.versions,
        "engine": doctor_machine.engine,
        "disk": doctor_machine.disk,
    }
    known = doctor_machine.in_a_stack(session)
    looks |= _of_destination(session) if known is None else {"ssh": doctor_machine.ssh}
    parts = [Part(name, partial(look, session)) for name, look in looks.items()]
    return parts, [known] if known else []


def _of_destination(session: Session) -> dict[str, Look]:
    """What its settings, its platform and its registry need; without a login node, no ssh."""
    from spinstack.setup import doctor_machine, doctor_network

    looks: dict[str, Look] = {"settings": doctor_machine.settings}
    if session.destination.kubernetes:
        from spinstack.setup import doctor_cluster

        if session.destination.on_laptop:
            looks |= {"kubectl": doctor_cluster.program, "kubeconfig": doctor_cluster.config}
        looks |= {"cluster": doctor_cluster.access, "elsewhere": doctor_cluster.elsewhere}
    if not session.destination.on_laptop:
        looks |= {
            "ssh": doctor_machine.ssh,
            "key": doctor_network.keys,
            "login node": doctor_network.login_node,
        }
    return {**looks, "registry": doctor_network.registry}


def _show(session: Session, outcomes: list[Outcome]) -> None:
    width = max(len(outcome.part) for outcome in outcomes)
    for outcome in outcomes:
        line = f"{outcome.part:<{width}}  {outcome.found}"
        session.console.marked(f"{outcome.state:<8}", STYLES[outcome.state], line)
        if outcome.remedy:
            session.console.advice(f"{'':<8} {'':<{width}}  fix: {outcome.remedy}")


@task("make", help={"shell": "bash, zsh or fish"})
def completion(context: Context, shell: str) -> None:
    """Print the completion script for your shell.

    Run the line for your shell once:
        spinstack completion bash >> ~/.bashrc
        spinstack completion zsh >> ~/.zshrc
        spinstack completion fish > ~/.config/fish/conf.d/spinstack.fish

    New shells then complete tasks, options, destinations, services and images: for
    `spinstack` anywhere, for `invoke` in the directory of a stack.
    """
    from spinstack.console.console import Console
    from spinstack.tasks import shell_completion

    Console().result(shell_completion.script(shell).rstrip("\n"))


TOPIC = Topic("make", "Is this machine ready?", (doctor, completion))
