"""The images of a stack on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinstack.errors import SpinstackError
from spinstack.images import registry, registry_login
from spinstack.images.engine import Engine
from spinstack.images.tag import CONTENT_LABEL
from spinstack.rules.service import ImageName
from spinstack.text import read_json
from spinstack.transport.runner import Runner

if TYPE_CHECKING:
    from spinstack.config.settings import ImageSetting
    from spinstack.session import Session

LOOK_WITHIN = 60.0


@dataclass(frozen=True)
class LocalImage:
    """An image of the stack as the engine has it.

    `key`: its name in the stack. `size` in bytes. `created`: ISO 8601. `services`: those that
    use it. `current`: built from the current files. `pushed`: whether the registry has it under
    this tag, None if it does not say.
    """

    key: str
    name: str
    tag: str
    size: int
    created: str
    services: tuple[str, ...]
    current: bool
    pushed: bool | None


def listed(session: Session) -> list[LocalImage]:
    """The stack's images on this machine, those of the current files first, then by age.

    Raises SpinstackError if the engine does not answer.
    """
    if session.dry:
        session.console.result("# inspects the images that this finds:")
    rows = []
    for value in _inspected(session.runner, session.engine):
        for text in value.get("RepoTags") or ():
            setting = _setting(session.settings.images, text)
            if setting:
                rows.append((setting, text, value))
    if session.dry:
        session.console.result("# GET the manifest of each from its registry")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: _listed(session, *row), rows))
    by_age = sorted(found, key=lambda image: image.created, reverse=True)
    return sorted(by_age, key=lambda image: not image.current)


def _inspected(runner: Runner, engine: Engine) -> list[dict[str, Any]]:
    """Every image that spinstack built."""
    command = engine.command(
        *("image", "ls", "--quiet", "--no-trunc"), "--filter", f"label={CONTENT_LABEL}"
    )
    ids = runner.run(command, timeout=LOOK_WITHIN, changes=False)
    if not ids.ok:
        raise _silent(engine, ids.stderr)
    names = ["IMAGE"] if runner.dry else list(dict.fromkeys(ids.stdout.split()))
    if not names:
        return []
    command = engine.command("image", "inspect", *names)
    told = runner.run(command, timeout=LOOK_WITHIN, changes=False)
    try:
        values: list[dict[str, Any]] = read_json(told.stdout or "[]")
    except ValueError:
        raise _silent(engine, told.stderr or told.stdout[:400]) from None
    return values


def _silent(engine: Engine, said: str) -> SpinstackError:
    return SpinstackError(
        f"{engine.name} could not list the images",
        where=f"{engine.name} image ls",
        remedy="run `invoke doctor`",
        details=said,
    )


def _setting(images: Iterable[ImageSetting], reference: str) -> ImageSetting | None:
    """The stack's image to which a `REGISTRY/NAMESPACE/NAME:TAG` belongs."""
    last = reference.rsplit("/", 1)[-1].rpartition(":")[0]
    return next((image for image in images if image.name == last), None)


def _listed(
    session: Session, setting: ImageSetting, reference: str, value: Mapping[str, Any]
) -> LocalImage:
    name, _, tag = reference.rpartition(":")
    return LocalImage(
        key=setting.key,
        name=name,
        tag=tag,
        size=int(value.get("Size") or 0),
        created=str(value.get("Created") or "")[:19] + "Z",
        services=tuple(users_of(session, setting)),
        current=reference == session.image_reference(setting),
        pushed=_pushed(session, reference, value),
    )


def users_of(session: Session, image: ImageSetting) -> list[str]:
    """The services whose `image:` is this one's variable."""
    wanted = re.compile(rf"\$\{{?{re.escape(image.variable)}\b")
    services = session.stack.compose.services
    return [
        name
        for name, told in services.items()
        if isinstance(told, dict) and wanted.search(str(told.get("image") or ""))
    ]


def _pushed(session: Session, reference: str, value: Mapping[str, Any]) -> bool | None:
    """According to the registry; None if it can't be reached or asks for another login."""
    try:
        image = ImageName.parse(reference)
    except ValueError:
        return None
    place = f"{image.registry}/{image.path}"
    login = registry_login.credentials(session.runner, session.engine, place)
    state = registry.ask(image.registry, login)
    if not state.let_in:
        return None
    there = registry.manifest(image, login)
    digests = {name.rpartition("@")[2] for name in value.get("RepoDigests") or ()}
    return there is not None and (
        _bare(there.config) == _bare(str(value.get("Id"))) or there.digest in digests
    )


def _bare(digest: str) -> str:
    return digest.removeprefix("sha256:")


def shown_size(size: int) -> str:
    """As engines show it, in powers of 1000."""
    amount = float(size)
    for unit in ("B", "kB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.0f} MB" if amount < 1000 else f"{amount / 1000:.1f} GB"
