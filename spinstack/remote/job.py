"""A change as a job of its own on the login node: its script, and how it is started.

A laptop's lid may close in the middle of an upgrade. So whatever changes a stack runs as one
detached bash script on the login node (`job.sh` has the logic, this module the values and
commands), with a journal beside it that everybody in the group can follow:

    changes/<id>/script     what runs
    changes/<id>/journal    its output, steps between marks, a heartbeat every 5 s
    changes/<id>/stop       asks it to roll back what it has done
    changes/<id>/hold       asks it to make nothing final, for two minutes at most

Pure: values to text and steps.
"""

from __future__ import annotations

import base64
import gzip
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from spinstack.platforms import health
from spinstack.platforms.base import AT_REST, OPEN, UP, ChangeCommands, Platform
from spinstack.remote import lock_steps, notes
from spinstack.remote.changes import mark_word, place
from spinstack.remote.history import record
from spinstack.remote.owner import Owner
from spinstack.text import split_lines
from spinstack.transport.command import Command, Raw, Secret, joined
from spinstack.transport.script import PLAIN_SHELL, UMASK, Step

# How many changes keep their journals.
KEPT = 20
# Exit codes of steps in job.sh: the CLI complained, somebody asked to stop; and those of its
# `watch`. LOST: of a change that is made from here, whose lock somebody else has now.
COMPLAINED, STOPPED, LOST = 65, 75, 76
HOPELESS, TOO_LATE, NO_ANSWER = 1, 2, 3


@dataclass(frozen=True)
class Job:
    """What a change does on the login node. `id`: its directory's name; `ready`: the platform's
    step before all others; `services`: those that must be up, the public one first;
    `answer_within`: seconds for each page of `pages`, `refused_within`: for one that is refused;
    `creating`: there is nothing to go back to
    yet; `careful`: services are not at rest; `resuming`: an upgrade to exactly this release was
    begun; `confirming`: the old containers are removed at the end; `ran`: services that ran
    before; `added`: those that did not exist before. `records`: how it can end → the line for
    the history."""

    id: str
    root: PurePosixPath
    release: str
    stack: str
    env_file: str
    platform: Platform
    ready: Step
    services: tuple[str, ...]
    pages: tuple[str, ...]
    healthy_within: int
    answer_within: int
    refused_within: int
    address: str
    owner: Owner
    begun: Owner
    creating: bool = False
    careful: bool = False
    resuming: bool = False
    confirming: bool = True
    ran: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    records: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> PurePosixPath:
        return self.root / "releases" / self.release

    @property
    def place(self) -> PurePosixPath:
        return place(self.root, self.id)

    def script(self) -> str:
        """The whole script, as bash reads it."""
        functions = Path(__file__).with_name("job.sh").read_text("utf-8")
        parts = (PLAIN_SHELL, *self._values(), *self._functions(), functions, "change", "")
        return "\n".join(parts)

    def _values(self) -> list[str]:
        flags = ("creating", "careful", "resuming", "confirming")
        two_steps = "yes" if self.platform.two_steps else ""
        values = {
            "mark": mark_word(self.id),
            "made": " ".join(f"{self.owner.doing} of {self.release}, {self.owner.told()}".split()),
            "stack": self.stack,
            "address": self.address,
            "place": str(self.place),
            "healthy_within": str(self.healthy_within),
            "answer_within": str(self.answer_within),
            "refused_within": str(self.refused_within),
            "patience": str(health.SILENT_SECONDS),
            "ready_step": self.ready.name,
            "complaint": self.platform.complaint_pattern,
            "error": self.platform.error_pattern,
            "two_steps": two_steps,
            **{name: "yes" if getattr(self, name) else "" for name in flags},
        }
        words = self.platform.words
        arrays = {
            "services": self.services,
            "pages": self.pages,
            "ran": self.ran,
            "added": self.added,
            "up_words": words.of(*UP),
            "open_words": words.of(*OPEN),
            "at_rest_words": words.of(*AT_REST),
        }
        return [
            *(f"{name}={shlex.quote(value)}" for name, value in values.items()),
            *(f"{name}=({shlex.join(words)})" for name, words in arrays.items()),
        ]

    def _functions(self) -> list[str]:
        current = notes.current_step(self.root, self.release)
        forget = notes.finished_step(self.root)
        some = (
            self.ready,
            lock_steps.still_ours_step(self.root, self.owner),
            notes.unfinished_step(self.root, self.begun),
            Step("", (*current.commands, *forget.commands)),
            forget,
            lock_steps.free_lock_step(self.root, self.owner),
        )
        names = ("ready", "still_ours", "note_upgrade", "mark_current", "forget", "unlock")
        return [
            *(f"{name}() {{\n{step.body()}\n}}" for name, step in zip(names, some, strict=True)),
            _function("enter", Command("cd", str(self.directory))),
            _function("rows", self.commands.rows),
            _function("log_of", self.commands.log_of(Raw('"$1"'))),
            _function("stop_service", self.commands.stop(Raw('"$1"'))),
            *(f"{name}() {{ exec {call.script()}; }}" for name, call in self.orders().items()),
            self._write_down(),
        ]

    @property
    def commands(self) -> ChangeCommands:
        return self.platform.change(self.stack, self.env_file, creating=self.creating)

    def orders(self) -> dict[str, Command]:
        """The commands that change something, by the names of their functions in job.sh."""
        commands = self.commands
        return {
            "render": commands.render,
            "bring": commands.bring,
            "confirm": commands.confirm,
            "put_back": commands.put_back(Raw('"$1"')),
        }

    def _write_down(self) -> str:
        """The function that appends the outcome's line to the history."""
        cases = "".join(
            f"{shlex.quote(outcome)})\n{record.append_command(self.root, line).script()} ;;\n"
            for outcome, line in self.records.items()
        )
        return f"write_down() {{\ncase $outcome in\n{cases}esac\n}}"

    def outline(self) -> list[str]:
        """For a dry run: what it does, a line each."""
        orders = {name: call.shown() for name, call in self.orders().items()}
        first = replace(self, creating=True).orders()["bring"].shown()
        lines = [f"cd {self.directory}", orders["render"], orders["bring"]]
        if first != orders["bring"]:
            lines[-1] += f"   # the first time: {first}"
        lines.append(f"{self.commands.rows.shown()}   # until {', '.join(self.services)} are up")
        lines += [f"curl … THE-SITE{page}   # until it responds correctly" for page in self.pages]
        lines.append(orders["confirm"] if self.confirming else "# the old containers are kept")
        return [*lines, f"# if that fails: {orders['put_back']}   # for each service"]


def _function(name: str, *commands: Command) -> str:
    return f"{name}() {{ {joined(commands, '&&').script()}; }}"


def start_step(job: Job) -> Step:
    """Write the script and start it, detached, under our lock.

    The journal exists before the script runs, so that it can be followed at once.
    """
    where, text = job.place, job.script()
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    bulk = Secret(packed, label=f"<a script of {len(split_lines(text))} lines>")
    script, journal = str(where / "script"), str(where / "journal")
    # Names contain the time of the laptop's clock, which may be slow: never remove this one.
    old = (
        f"cd {shlex.quote(str(where.parent))} && ls -1 | sed '/^{job.id}$/d' | "
        f"head -n -{KEPT - 1} | xargs -r rm -rf --"
    )
    commands = (
        UMASK,
        Command("mkdir", "-p", str(where.parent)),
        Command("mkdir", str(where)),
        Command(
            *("printf", "%s", bulk, Raw("|"), "base64", "-d", Raw("|"), "gzip", "-dc"),
            *(Raw(">"), script),
        ),
        Command(Raw(":"), Raw(">"), journal),
        Command("ln", "-sfn", f"../changes/{job.id}", str(job.root / "lock" / "job")),
        Command(Raw(f"( {old} )")),
        # It must not keep a descriptor of the outer shell open, or the connection would not end.
        Command(
            *(Raw("{"), "setsid", "bash", "-l", script, Raw("</dev/null"), Raw(">>"), journal),
            *(Raw("2>&1 3>&- & }"),),
        ),
    )
    return Step("start", commands)


def names_of(services: Sequence[str], public: str) -> tuple[str, ...]:
    """The services with the public one first: its log says most about a site that fails."""
    return tuple(dict.fromkeys([*(name for name in services if name == public), *services]))
