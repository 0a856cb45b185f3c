"""Makes the server's services what the compose files say: create, upgrade, activate.

Only as far as the real client goes: an existing service is changed with `--upgrade` alone,
a failed start is no failure, and the waiting has no limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import log
from .api import Project, Resource
from .failure import Failure
from .launchconfig import HASH, Wanted, launch_hash
from .waiting import settled

_WAIT_FOR_HEALTH = "io.rancher.service.wait_for_healthcheck"
_UPGRADABLE = ("active", "inactive")
_PAUSE = 0.15


class Bringup:
    """One `up` of one stack. `options` are those of the command."""

    def __init__(self, project: Project, stack: Resource, options: Mapping[str, Any]) -> None:
        self._project = project
        self._stack = stack
        self._options = options
        self._existing: dict[str, Resource] = {}
        self._made: dict[str, Resource] = {}

    def run(self, wanted: Iterable[Wanted]) -> list[Resource]:
        """Create all of them, then start all of them; returns them as they are then.

        Raises Failure if any failed, after the others have got through the same step.
        """
        services = list(wanted)
        found = self._project.find("service", stackId=self._stack["id"])
        self._existing = {service["name"]: service for service in found}
        _in_parallel("Creating", services, self._create)
        _in_parallel("Starting", services, self._start)
        return list(self._made.values())

    def prune(self, kept: Iterable[str]) -> None:
        """Remove the stack's services that are not among those kept."""
        names = set(kept)
        for service in self._project.find("service", stackId=self._stack["id"]):
            if service["name"] not in names:
                log.info(f"Deleting service {service['name']}")
                self._project.remove(service)

    def _create(self, wanted: Wanted) -> None:
        log.info(f"[{wanted.name}]: Creating ")
        present = self._existing.get(wanted.name)
        if present is None:
            log.info(f"Creating service {wanted.name}")
            self._made[wanted.name] = self._project.create("service", self._body(wanted))
        log.info(f"[{wanted.name}]: Created ")

    def _start(self, wanted: Wanted) -> None:
        log.info(f"[{wanted.name}]: Starting ")
        made = self._made.get(wanted.name)
        if made is not None:
            service = settled(self._project, made)
        else:
            service = self._existing[wanted.name]
            if not self._upgrades() and not self._options["rollback"] and _differs(service, wanted):
                log.warning(f"Service {wanted.name} is out of sync with local configuration file")
            if self._options["rollback"]:
                service = self._act(service, "rollback")
            elif self._changes_services():
                service = self._upgraded(service, wanted)
        self._made[wanted.name] = self._activated(service)
        log.info(f"[{wanted.name}]: Started ")

    def _changes_services(self) -> bool:
        return bool(
            self._upgrades() or self._options["confirm-upgrade"] or self._options["rollback"]
        )

    def _upgrades(self) -> bool:
        return bool(self._options["upgrade"] or self._options["force-upgrade"])

    def _body(self, wanted: Wanted) -> dict[str, Any]:
        return {
            "name": wanted.name,
            "stackId": self._stack["id"],
            "scale": wanted.scale,
            "launchConfig": wanted.launch_config,
            "secondaryLaunchConfigs": wanted.sidekicks,
            "startOnCreate": False,
            **self._fields(wanted),
        }

    def _fields(self, wanted: Wanted) -> dict[str, Any]:
        metadata = {**wanted.fields["metadata"], HASH: wanted.service_hash}
        return {**wanted.fields, "metadata": metadata}

    def _act(
        self, service: Resource, action: str, body: Mapping[str, Any] | None = None
    ) -> Resource:
        """Do the action and wait until the service is no longer on its way."""
        return settled(self._project, self._project.act(service, action, body))

    def _upgraded(self, service: Resource, wanted: Wanted) -> Resource:
        """Confirm and upgrade as the options say. Raises Failure in a state that forbids it."""
        forced = bool(self._options["force-upgrade"])
        changed = forced or _differs(service, wanted)
        if service["state"] == "upgraded":
            # An upgrade on top of one that is not confirmed yet confirms it by itself.
            if not self._options["confirm-upgrade"] and not (self._upgrades() and changed):
                return service
            service = self._act(service, "finishupgrade")
        if not self._upgrades():
            return service
        if service["state"] not in _UPGRADABLE:
            raise Failure(
                f"Service {wanted.name} must be state=active or inactive to upgrade, "
                f"currently: state={service['state']}"
            )
        return self._replaced(service, wanted, forced) if changed else service

    def _replaced(self, service: Resource, wanted: Wanted, forced: bool) -> Resource:
        if self._options["pull"]:
            image = str(wanted.launch_config.get("imageUuid", "")).partition(":")[2]
            log.info(f"Finished pulling {image}")
        if forced or _fields_differ(service, wanted):
            log.info(f"Updating {wanted.name}")
            service = settled(self._project, self._project.update(service, self._fields(wanted)))
        if forced or _launch_differs(service, wanted):
            log.info(f"Upgrading {wanted.name}")
            service = self._act(service, "upgrade", self._strategy(wanted))
            if self._options["confirm-upgrade"] and service["state"] == "upgraded":
                service = self._act(service, "finishupgrade")
        return service

    def _strategy(self, wanted: Wanted) -> dict[str, Any]:
        strategy = {
            "launchConfig": wanted.launch_config,
            "secondaryLaunchConfigs": wanted.sidekicks,
            "batchSize": self._options["batch-size"],
            "intervalMillis": self._options["interval"],
            "startFirst": bool(wanted.upgrade_strategy.get("start_first")),
        }
        return {"inServiceStrategy": strategy}

    def _activated(self, service: Resource) -> Resource:
        if "activate" in (service.get("actions") or {}):
            started = self._project.act(service, "activate")
            log.say(service["id"])
            service = settled(self._project, started)
        labels = (service.get("launchConfig") or {}).get("labels") or {}
        while _WAIT_FOR_HEALTH in labels and service.get("healthState") != "healthy":
            time.sleep(_PAUSE)
            service = self._project.get("service", service["id"])
        return service


def _launch_differs(service: Resource, wanted: Wanted) -> bool:
    present = [service.get("launchConfig") or {}, *(service.get("secondaryLaunchConfigs") or [])]
    target = [wanted.launch_config, *wanted.sidekicks]
    return [launch_hash(item) for item in present] != [launch_hash(item) for item in target]


def _fields_differ(service: Resource, wanted: Wanted) -> bool:
    return (service.get("metadata") or {}).get(HASH) != wanted.service_hash


def _differs(service: Resource, wanted: Wanted) -> bool:
    return _launch_differs(service, wanted) or _fields_differ(service, wanted)


def _in_parallel(doing: str, services: list[Wanted], step: Callable[[Wanted], None]) -> None:
    """Take the step for all services at once; raises the first Failure when all are done. Each
    is logged when it happens, and once more then."""
    failures: list[tuple[str, Failure]] = []

    def attempt(wanted: Wanted) -> None:
        try:
            step(wanted)
        except Failure as failure:
            log.error(f"Failed {doing} {wanted.name} : {failure}")
            failures.append((wanted.name, failure))

    threads = [threading.Thread(target=attempt, args=(item,), daemon=True) for item in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, failure in failures:
        log.error(f"Failed to start: {name} : {failure}")
    if failures:
        raise failures[0][1]
