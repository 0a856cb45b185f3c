"""Each platform with services in every state that it has, for the contract of all of them."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from spinstack.platforms.base import (
    LogQuery,
    Platform,
)
from spinstack.platforms.kubernetes.cluster import states
from spinstack.platforms.kubernetes.platform import Kubernetes
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.transport.script import PLAIN_SHELL
from tests.unit import kubernetes_fake as fake
from tests.unit import plain_platform
from tests.unit.plain_platform import Plain
from tests.unit.there import There, running

STACK = "demo"
# The program of a platform, when it only tells what it was told: its words, and its input or
# the file that it names last where that is wanted.
RECORDER = """\
#!/bin/bash
for word; do printf '%s\\0' "$word"; done >>~/told
[ -e ~/fed ] || exit 0
for last; do :; done
if [ -f "$last" ]; then cat "$last" >>~/fed; else cat >>~/fed; fi
"""


@dataclass
class Printed:
    """What a platform prints: of `demo` app runs in two containers, web is stopped, and what was
    removed may be listed; web of `other` runs and publishes port 60042."""

    states: str
    nothing: str
    garbage: tuple[str, ...]
    containers: str
    inspected: str
    # Lines of app's log, later ones of its second container first; one has no time of its own.
    log: str
    secrets: str
    # Lines: errors, warnings, and what is no complaint.
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    talk: tuple[str, ...]


class Case:
    """A platform on a login node of its own, whose program is a small one of the tests.
    `place`: settings of a destination there; `shares_ports`: its stacks can't publish the same
    port twice; `finds`: its program finds a container of a service itself."""

    platform: Platform
    place: Mapping[str, Any] = {"environment": "dev-cattle"}
    shares_ports = True
    finds = False

    def __init__(self, home: Path) -> None:
        self.home = home

    def bash(self, script: str) -> str:
        return self.ended(script).stdout.decode()

    def ended(self, script: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["bash", "-c", f"{PLAIN_SHELL}\n{script}\n"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"HOME": str(self.home), "PATH": f"{self.home}/bin:/usr/bin:/bin"},
            cwd=self.home,
            timeout=60,
        )

    def records(self) -> None:
        """From here on the program only tells what it was told."""
        path = self.home / "bin" / self.platform.program
        path.write_text(RECORDER)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def told(self, script: str) -> list[str]:
        """The words that the program was given by a script."""
        (self.home / "told").write_bytes(b"")
        self.bash(script)
        return (self.home / "told").read_bytes().decode(errors="surrogateescape").split("\0")[:-1]

    def has_every_state(self) -> None:
        """Services of `demo` in every state that there is, healthy and not."""
        raise NotImplementedError

    def printed(self) -> Printed:
        raise NotImplementedError


class OfRancher(Case):
    platform = Rancher1()

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.there = There(home)

    def has_every_state(self) -> None:
        words = [*self.platform.words.phases, "restarting"]
        healths = ("", "healthy", "initializing", "unhealthy")
        told = {
            f"s{number}": running(
                state=word, healthState=health, transitioning=moves, transitioningMessage="a | b"
            )
            for number, (word, health, moves) in enumerate(
                product(words, healths, ("no", "yes", "error"))
            )
        }
        self.there.has(**told)

    def printed(self) -> Printed:
        def one(name: str, port: str, **more: Any) -> str:
            image = f"docker:registry.spin.nersc.gov/alice/{name.partition('/')[2]}:1.0"
            config = {"imageUuid": image, "ports": [f"{port}:8080/tcp"] if port else []}
            told = running(launchConfig=config, **more)
            return json.dumps({"Name": name, "Service": told}, separators=(",", ":")) + "\n"

        def container(name: str, id: str, state: str) -> str:
            told = {"name": name, "state": state, "id": id, "created": "2026-11-22T16:00:00Z"}
            entry = {"Container": told, "CombinedState": state, "ID": id}
            return json.dumps(entry, separators=(",", ":")) + "\n"

        log = (
            "demo-app-2 | 2026-11-22T16:00:03.5Z three\ndemo-app-2 |   at line 4\n"
            "demo-app-1 | 2026-11-22T16:00:01Z one\ndemo-app-1 | 2026-11-22T16:00:02.25Z two\n"
        )
        return Printed(
            states=one("demo/app", "", scale=2, currentScale=2)
            + one("demo/web", "60037", state="inactive", healthState="", publicEndpoints=[])
            + one("demo/old", "60099", state="removed")
            + one("other/web", "60042"),
            nothing="",
            garbage=("<html>maintenance</html>", '{"Name": "demo/we', "Segmentation fault"),
            containers=container("demo-app-1", "1i1", "running")
            + container("demo-app-2", "1i2", "running")
            + container("demo-web-1", "1i3", "stopped")
            + container("demo-old-1", "1i5", "purged")
            + container("other-web-1", "1i4", "running"),
            inspected=json.dumps({"name": "web", "launchConfig": {"imageUuid": "docker:x:1"}}),
            log=log,
            secrets='{"Secret":{"id":"1se2","name":"demo.b","created":"2026-11-22T16:00:00Z"}}\n'
            '{"Secret":{"id":"1se1","name":"demo.a","created":"2026-11-22T16:00:00Z"}}\n',
            errors=(
                'time="2026-01-31T12:00:00Z" level=error msg="no such service"',
                'time="2026-01-31T12:00:00Z" level=fatal msg="no"',
                "\x1b[31mERRO\x1b[0m[0001] no such service",
                "error 1s5: no",
                "<!DOCTYPE html>",
                "<html>maintenance</html>",
            ),
            warnings=(
                'time="2026-01-31T12:00:00Z" level=warning msg="The UID variable is not set."',
                "WARN[0000] a variable is not set",
            ),
            talk=("1s5", 'time="2026-01-31T12:00:00Z" level=info msg="done"', "an error", ""),
        )


class OfPlain(Case):
    platform = Plain()

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        plain_platform.install(home)

    def _put(self, name: str, state: str, health: str, want: int = 1, port: str = "") -> None:
        place = self.home / "plain" / name
        place.mkdir(parents=True)
        spec = f"image registry.spin.nersc.gov/alice/{place.name}:1.0\n"
        spec += f"port {port}:8080\n" if port else ""
        texts = {"state": state, "health": health, "want": str(want), "release": "r1"}
        for what, text in {**texts, "spec": spec.rstrip("\n")}.items():
            (place / what).write_text(f"{text}\n")

    def has_every_state(self) -> None:
        states = ("up", "rolling", "off", "going", "broken: a | b: c", "broken", "new: word")
        for number, (state, health) in enumerate(product(states, ("-", "well", "ill", "unsure"))):
            self._put(f"demo/s{number}", state, health, port=str(60000 + number))

    def printed(self) -> Printed:
        self._put("demo/app", "up", "well", want=2)
        self._put("demo/web", "off", "-", port="60037")
        self._put("other/web", "up", "well", port="60042")
        (self.home / "kept-secret").mkdir()
        for name in ("demo.a", "demo.b"):
            (self.home / "kept-secret" / name).touch()
        (self.home / "plain/demo/app/log").write_text(
            "@1795363203.5 app-2 three\n  at line 4\n@1795363201 app-1 one\n"
            "@1795363202.25 app-1 two\n"
        )
        platform = self.platform
        return Printed(
            states=self.bash(platform.states().body()),
            nothing="end 0\n",
            garbage=("<html>maintenance</html>", "* demo/web\n  state = up\n", "end 3", "cut off"),
            containers=self.bash(platform.containers().body()),
            inspected=self.bash(platform.inspect(STACK, "web").body()),
            log=self.bash(platform.log(STACK, "app", LogQuery()).body()),
            secrets=self.bash(platform.kept("secret").body()),
            errors=("plain: no: there is no demo/web",),
            warnings=("plain: hm: the disk is nearly full",),
            talk=("end 2", "plain: 2 services", "no: not at all", ""),
        )


class OfKubernetes(Case):
    platform = Kubernetes(fake.CLUSTER)
    place: Mapping[str, Any] = {
        "platform": "kubernetes",
        "kubernetes": {"context": "dev", "namespace": "demo", "ingress_host": "demo.example.org"},
    }
    shares_ports = False
    finds = True

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        fake.install(home, **{states.KINDS: self.printed().states})

    def records(self) -> None:
        super().records()
        path = self.home / "bin" / self.platform.program
        # An object that it is given is told, too.
        given = "case \" $* \" in (*' -f - '*) cat >>~/told; printf '\\0' >>~/told;; esac"
        path.write_text(path.read_text().replace("[ -e ~/fed ]", f"{given}\n[ -e ~/fed ]"))

    def printed(self) -> Printed:
        pods = [
            fake.pod("app", "app-1-aaaaa"),
            fake.pod("app", "app-1-bbbbb", metadata={"creationTimestamp": "2026-11-22T16:00:09Z"}),
            fake.pod("web", stack="other"),
        ]
        log = (
            "[pod/app-1-bbbbb/app] 2026-11-22T16:00:03.5Z three\n"
            "[pod/app-1-bbbbb/app]   at line 4\n"
            "[pod/app-1-aaaaa/app] 2026-11-22T16:00:01Z one\n"
            "[pod/app-1-aaaaa/app] 2026-11-22T16:00:02.25Z two\n"
        )
        kept = "".join(
            f"kept\t{name}\t{fake.MADE}\t\t\tOpaque\t\n" for name in ("demo.b", "demo.a")
        )
        return Printed(
            states=fake.printed(
                fake.deployment("app", replicas=2, ready=2),
                fake.deployment("web", replicas=0, ready=0),
                fake.deployment("web", stack="other"),
                *pods,
                fake.ingress("web", "demo.example.org"),
                fake.ingress("web", "other.example.org", stack="other"),
            ),
            nothing=fake.printed(),
            garbage=("<html>maintenance</html>", '{"kind": "Li', "Segmentation fault"),
            containers=fake.rows(pods),
            inspected=fake.printed(fake.deployment("web")),
            log=log,
            secrets=f"{kept}end\n",
            errors=(
                'Error from server (NotFound): deployments.apps "web" not found',
                "Unable to connect to the server: dial tcp: i/o timeout",
                'error: context "dev" does not exist',
                'The deployments "app" is invalid: : denied',
                "<!DOCTYPE html>",
            ),
            warnings=("Warning: resource deployments/web is missing the annotation",),
            talk=("deployment.apps/web scaled", "No resources found in demo namespace.", ""),
        )


CASES: dict[str, type[Case]] = {
    "cattle": OfRancher,
    "plain": OfPlain,
    "kubernetes": OfKubernetes,
}
