"""Secrets and volumes of an environment: what requests change. Within one transaction."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable

from spin_rehearsal.spin.errors import ApiError, invalid
from spin_rehearsal.spin.resources import Json, NamedVolume, Secret, State
from spinstack.rules.service import Mount


def create_secret(state: State, project: str, body: Json) -> Secret:
    """Raises ApiError (422) for a name that can't be one or is there already."""
    name = _name(body, (s.name for s in state.secrets.values() if s.project == project))
    value = str(body.get("value") or "")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("value", "value is not base64") from None
    if not value:
        raise invalid("value", "value is required", "MissingRequired")
    description = str(body.get("description") or "")
    secret = Secret(state.new_id("se"), project, name, value, time.time(), description)
    state.secrets[secret.id] = secret
    return secret


def create_volume(state: State, project: str, body: Json) -> NamedVolume:
    """Raises ApiError (422) for a name that can't be one, or no driver. Rancher makes a second one
    of the same name."""
    name = _name(body, ())
    driver = str(body.get("driver") or "")
    if not driver:
        raise invalid("driver", "driver is required", "MissingRequired")
    volume = NamedVolume(state.new_id("v"), project, name, driver, time.time())
    state.named_volumes[volume.id] = volume
    return volume


def mount(state: State, project: str, mounts: Iterable[Mount]) -> None:
    """A container with these mounts was made."""
    names = {mount.source for mount in mounts}
    for volume in state.named_volumes.values():
        if (volume.project, volume.state) == (project, "inactive") and volume.name in names:
            volume.state = "active"


def _name(body: Json, taken: Iterable[str]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise invalid("name", "name is required", "MissingRequired")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", name):
        raise invalid("name", f"{name!r} has characters that a name can't have")
    if name in taken:
        raise ApiError(422, "NotUnique", f"there is a {name} already", "name")
    return name


def remove_volume(state: State, volume: NamedVolume) -> None:
    """Raises ApiError (405) while a service mounts it."""
    for service in state.services.values():
        mounted = [str(text).partition(":")[0] for text in service.launch.get("dataVolumes") or ()]
        present = service.project == volume.project and service.state != "removed"
        if present and volume.name in mounted:
            told = f"volume {volume.name} is mounted by service {service.name}"
            raise ApiError(405, "ActionNotAvailable", told)
    volume.state = "removing"
