"""A change as a job of its own on the login node: its script, how it is started and followed.

A laptop's lid may close in the middle of an upgrade. So what changes a stack goes as one
detached bash script there (`change.sh` has its way, this module the values and commands),
with a journal beside it that anybody of the group can follow:

    changes/<id>/script     what runs
    changes/<id>/journal    what it says, steps between marks, a sign of life every 5 s
    changes/<id>/stop       asks it to take back what it has done
    changes/<id>/hold       asks it to make nothing final, for two minutes at most

Pure: values to text and steps.
"""

from __future__ import annotations

import base64
import gzip
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from spinstack import bookkeeping, cattle, reading, record, rows
from spinstack.bookkeeping import UMASK, Mark
from spinstack.command import Command, Raw, Secret, joined
from spinstack.script import PLAIN_SHELL, ScriptResult, Step

# A journal that has been silent for so many seconds is that of a job that is no more.
SILENT_SECONDS = 60
# As many until its first line.
BEGIN_SECONDS = 15
# As many are listened for what looks dead: by the time of its file, which another machine's
# clock has set.
LISTEN_SECONDS = 12
# Changes whose journals are kept.
KEPT = 20
# Lines of a service's log that a failure shows.
LOG_LINES = 20
# Exit codes of steps, made by change.sh: the CLI complained, somebody asked to stop; and those
# of its `watch`.
COMPLAINED, STOPPED = 65, 75
HOPELESS, TOO_LATE, NO_ANSWER = 1, 2, 3
# Of the step `follow`: the journal has been silent for too long.
SILENT = 4

# What the CLI prints, after colours, when it did not do what it was told; see
# `cattle.complaints`, which reads the same.
_COLOUR = "(\x1b\\[[0-9;]*m)*"
_ERROR = f'^{_COLOUR}(time="[^"]*" level=(error|fatal) |(ERRO|FATA){_COLOUR}\\[|error )'
_COMPLAINT = (
    f'^{_COLOUR}(time="[^"]*" level=(warning|error|fatal) |(WARN|ERRO|FATA){_COLOUR}\\[|error )'
)


@dataclass(frozen=True)
class Job:
    """What a change does there. `id`: its directory's name; `services`: those that must be up,
    the public one first; `answer_within`: seconds for each page of `pages`; `creating`: there
    is nothing yet to go back to; `careful`: services are not at rest; `resuming`: an upgrade
    to this very release was begun; `confirming`: the old containers go at the end.
    `records`: how it can end → the line for the history."""

    id: str
    root: PurePosixPath
    release: str
    stack: str
    env_file: str
    modules: tuple[str, ...]
    environment: str
    services: tuple[str, ...]
    pages: tuple[str, ...]
    healthy_within: int
    answer_within: int
    address: str
    owner: Mark
    begun: Mark
    creating: bool = False
    careful: bool = False
    resuming: bool = False
    confirming: bool = True
    records: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> PurePosixPath:
        return self.root / "releases" / self.release

    @property
    def place(self) -> PurePosixPath:
        return place(self.root, self.id)

    def script(self) -> str:
        """The whole script, as bash reads it."""
        functions = Path(__file__).with_name("change.sh").read_text("utf-8")
        parts = (PLAIN_SHELL, *self._values(), *self._functions(), functions, "change", "")
        return "\n".join(parts)

    def _values(self) -> list[str]:
        flags = ("creating", "careful", "resuming", "confirming")
        values = {
            "mark": mark_word(self.id),
            "made": " ".join(f"{self.owner.doing} of {self.release}, {self.owner.told()}".split()),
            "stack": self.stack,
            "address": self.address,
            "place": str(self.place),
            "healthy_within": str(self.healthy_within),
            "answer_within": str(self.answer_within),
            "patience": str(reading.SILENT_SECONDS),
            "complaint": _COMPLAINT,
            "error": _ERROR,
            **{name: "yes" if getattr(self, name) else "" for name in flags},
        }
        arrays = {"services": self.services, "pages": self.pages}
        return [
            *(f"{name}={shlex.quote(value)}" for name, value in values.items()),
            *(f"{name}=({shlex.join(words)})" for name, words in arrays.items()),
        ]

    def _functions(self) -> list[str]:
        current = bookkeeping.current_step(self.root, self.release)
        forget = bookkeeping.finished_step(self.root)
        some = (
            cattle.ready_step(self.modules, self.environment),
            bookkeeping.still_ours_step(self.root, self.owner),
            bookkeeping.unfinished_step(self.root, self.begun),
            Step("", (*current.commands, *forget.commands)),
            forget,
            bookkeeping.free_lock_step(self.root, self.owner),
        )
        names = ("ready", "still_ours", "note_upgrade", "mark_current", "forget", "unlock")
        return [
            *(f"{name}() {{\n{step.body()}\n}}" for name, step in zip(names, some, strict=True)),
            _function("enter", Command("cd", str(self.directory))),
            _function("rows", rows.command()),
            _function("log_of", cattle.logs_of(Raw('"$stack/$1"'), LOG_LINES)),
            _function("stop_service", cattle.rancher(*cattle.STOP_SERVICE, Raw('"$stack/$1"'))),
            *(f"{name}() {{ exec {call.script()}; }}" for name, call in self.orders().items()),
            self._write_down(),
        ]

    def orders(self) -> dict[str, Command]:
        """The calls of Rancher's command line that change something, by their functions."""
        made = {
            "render": cattle.render_step(self.stack, self.env_file),
            "bring": (cattle.create_step if self.creating else cattle.upgrade_step)(
                self.stack, self.env_file
            ),
            "confirm": cattle.confirm_step(self.stack, self.env_file),
        }
        back = cattle.put_back(self.stack, self.env_file, Raw('"$1"'))
        return {**{name: step.commands[0] for name, step in made.items()}, "put_back": back}

    def _write_down(self) -> str:
        """The history's line for the outcome."""
        cases = "".join(
            f"{shlex.quote(outcome)})\n{record.append_command(self.root, line).script()} ;;\n"
            for outcome, line in self.records.items()
        )
        return f"write_down() {{\ncase $outcome in\n{cases}esac\n}}"

    def outline(self) -> list[str]:
        """For a dry run: what it does, a line each."""
        orders = {name: call.shown() for name, call in self.orders().items()}
        lines = [f"cd {self.directory}", orders["render"]]
        lines.append(f"{orders['bring']}   # the first time without --upgrade")
        lines.append(f"{rows.command().shown()}   # until {', '.join(self.services)} are up")
        lines += [f"curl … THE-SITE{page}   # until it answers well" for page in self.pages]
        lines.append(orders["confirm"] if self.confirming else "# the old containers are kept")
        return [*lines, f"# if that fails: {orders['put_back']}   # for each service"]


def _function(name: str, *commands: Command) -> str:
    return f"{name}() {{ {joined(commands, '&&').script()}; }}"


def place(root: PurePosixPath, job_id: str) -> PurePosixPath:
    """The directory of a change."""
    return root / "changes" / job_id


def mark_word(job_id: str) -> str:
    """What begins the lines of its journal that are no output."""
    return f"spinstack-{job_id}"


def start_step(job: Job) -> Step:
    """Write the script down and let it run, on its own, under the lock that is ours.

    The journal is there before it runs, so that it can be followed at once.
    """
    where, text = job.place, job.script()
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    bulk = Secret(packed, label=f"<a script of {len(text.splitlines())} lines>")
    script, journal = str(where / "script"), str(where / "journal")
    # Its name has the laptop's clock in it, which may be slow: this one is never among the old.
    old = (
        f"cd {shlex.quote(str(where.parent))} && ls -1 | sed '/^{job.id}$/d' | "
        f"head -n -{KEPT - 1} | xargs -r rm -rf --"
    )
    commands = (
        UMASK,
        Command("mkdir", "-p", str(where)),
        Command(
            *("printf", "%s", bulk, Raw("|"), "base64", "-d", Raw("|"), "gzip", "-dc"),
            *(Raw(">"), script),
        ),
        Command(Raw(":"), Raw(">"), journal),
        Command("ln", "-sfn", f"../changes/{job.id}", str(job.root / "lock" / "job")),
        Command(Raw(f"( {old} )")),
        # Of the outer shell nothing may stay open in it, or the connection would not end.
        Command(
            *(Raw("{"), "setsid", "bash", "-l", script, Raw("</dev/null"), Raw(">>"), journal),
            *(Raw("2>&1 3>&- & }"),),
        ),
    )
    return Step("start", commands)


def follow_step(root: PurePosixPath, job_id: str, after: int = 0) -> Step:
    """Print the journal after its first lines until the change is over, waiting for what is
    not there yet. Exit code SILENT when there has been no sign of life for SILENT_SECONDS, or
    for LISTEN_SECONDS where there was none for so long before.

    `tail` polls where the file system tells nothing of what other machines write.
    """
    journal = shlex.quote(str(place(root, job_id) / "journal"))
    over = shlex.quote(mark_word(job_id)) + "' '*' over '*"
    loop = (
        f"code={SILENT} wait={BEGIN_SECONDS} later={SILENT_SECONDS}; "
        f"if test -s {journal}; then wait=$later; "
        f"[ $(( $(date +%s) - $(stat -c %Y {journal}) )) -lt $later ] || "
        f"wait={LISTEN_SECONDS} later={LISTEN_SECONDS}; fi; "
        # Not every bash has its number in $!, where the change itself may be.
        f"exec {{journal}}< <(echo $BASHPID; exec tail -n +{after + 1} -s 0.2 -f {journal}); "
        'read -r -u "$journal" tail; while IFS= read -r -t "$wait" -u "$journal" line; do '
        f"printf '%s\\n' \"$line\"; wait=$later; "
        f"case $line in {over}) code=0; break ;; esac; done; "
        'kill "$tail"; exec {journal}<&-; ( exit "$code" )'
    )
    return Step("follow", (Command(Raw(loop)),), must=False)


def stop_step(root: PurePosixPath, job_id: str) -> Step:
    """Ask it to take back what it has done."""
    return Step("ask it to stop", (Command("touch", str(place(root, job_id) / "stop")),))


def hold_step(root: PurePosixPath, job_id: str) -> Step:
    """Ask it to make nothing final for now."""
    return Step("hold", (Command("touch", str(place(root, job_id) / "hold")),), must=False)


def go_on_step(root: PurePosixPath, job_id: str) -> Step:
    return Step("go on", (Command("rm", "-f", str(place(root, job_id) / "hold")),), must=False)


def under_way_step(root: PurePosixPath) -> Step:
    """Seconds since the last sign of life of the job that has the lock; fails without one. They
    count more while it has not said its first word."""
    journal = shlex.quote(str(root / "lock" / "job" / "journal"))
    more = f"$(test -s {journal} || echo + {SILENT_SECONDS - BEGIN_SECONDS})"
    age = f"echo $(( $(date +%s) - $(stat -L -c %Y {journal}) {more} ))"
    return Step(
        "change under way", (Command("test", "-e", Raw(journal)), Command(Raw(age))), must=False
    )


def age(found: ScriptResult) -> int | None:
    """What `under_way_step` printed; None if no change goes on by itself."""
    text = found.output("change under way").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def listen_step(root: PurePosixPath) -> Step:
    """Whether the change that has the lock says something within LISTEN_SECONDS."""
    size = f"wc -c <{shlex.quote(str(root / 'lock' / 'job' / 'journal'))}"
    words = f'before=$({size}); sleep {LISTEN_SECONDS}; after=$({size}); test "$before" != "$after"'
    return Step("listen", (Command(Raw(words)),), must=False)


def newest_step(root: PurePosixPath, wanted: str = "") -> Step:
    """The id of the newest change, or of the newest whose id begins as wanted. Newest is what
    was begun last by the file system's clock, not by those of laptops."""
    changes = shlex.quote(str(root / "changes"))
    find = f"cd {changes} 2>/dev/null && ls -1dt -- {shlex.quote(wanted)}* 2>/dev/null | head -n 1"
    return Step("newest change", (Command(Raw(find)),), must=False)


def names_of(services: Sequence[str], public: str) -> tuple[str, ...]:
    """The services with the public one first: its log says most about a site that is ill."""
    return tuple(dict.fromkeys([*(name for name in services if name == public), *services]))
