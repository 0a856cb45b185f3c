"""Gets the images of a stack into the registry: looks them all up at once, then builds and
pushes each in its own thread, if it has to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from spinstack.deploy.parallel import SideBySide
from spinstack.errors import Stopped
from spinstack.images import build as images_build
from spinstack.images import push as images_push
from spinstack.images import registry, registry_login
from spinstack.images.lookup import Local, locals_of
from spinstack.images.progress import BuildProgress, PushProgress
from spinstack.images.tag import ImageSpec, content_tag
from spinstack.rules.service import ImageName
from spinstack.transport.runner import SideBySide as Stoppable

if TYPE_CHECKING:
    from spinstack.config.settings import ImageSetting
    from spinstack.images.engine import Engine
    from spinstack.session import Session


@dataclass
class _Image:
    """One image: what is wanted, and what was found on this machine and in the registry."""

    setting: ImageSetting
    spec: ImageSpec
    reference: str
    local: Local | None = None
    login: registry_login.Credentials | None = None
    remote: registry.Manifest | None = None
    # Somebody else has built and pushed exactly this content.
    ready: bool = False

    @property
    def name(self) -> ImageName:
        return ImageName.parse(self.reference)

    @property
    def content(self) -> str:
        return self.name.tag

    @property
    def short(self) -> str:
        return self.reference.rsplit("/", 1)[-1]

    @property
    def is_built(self) -> bool:
        return bool(self.local and self.local.is_of(self.content, self.spec.platform))

    @property
    def is_pushed(self) -> bool:
        return bool(self.local and self.remote and self.local.is_the_one_of(self.remote))


class ImageWork:
    """The images of a session's stack, being looked up, built and pushed.

    `builds`, `pushes`: which of the two to do. `force`: also rebuild what is already built.
    """

    def __init__(
        self, session: Session, *, builds: bool = True, pushes: bool = True, force: bool = False
    ) -> None:
        self._session = session
        self._builds, self._pushes, self._force = builds, pushes, force
        runner = session.runner
        threads = isinstance(runner, Stoppable)
        # A separate runner, so that stopping this work stops nothing else.
        self._runner = runner.apart() if isinstance(runner, Stoppable) else runner
        self._jobs = SideBySide(self._stop, threads=threads)
        self._looks = SideBySide(lambda: None, threads=threads)
        self._digests: dict[str, str] = {}

    def start(self) -> None:
        """Begin; without threads (in a dry run or a recording) everything is done on return."""
        if self._session.settings.images:
            self._jobs.start(self._all)

    def wait(self) -> dict[str, str]:
        """Wait until it is done: variable in the compose file -> the manifest's `sha256:…` (""
        if unknown). Raises the first failure."""
        self._jobs.wait()
        return dict(self._digests)

    def give_up(self) -> None:
        """Stop what is running, and leave no name on an image with the wrong content."""
        self._jobs.give_up()

    def _stop(self) -> None:
        if isinstance(self._runner, Stoppable):
            self._runner.stop()
        self._looks.give_up(linger=0)

    def _all(self) -> None:
        with self._session.console.step("look for images", lasting=False):
            wanted = [self._wanted(setting) for setting in self._session.settings.images]
            engine = self._session.engine
            self._look(engine, wanted)
        for image in wanted:
            self._digests[image.setting.variable] = image.remote.digest if image.remote else ""
        self._bring(engine, wanted)

    def _wanted(self, setting: ImageSetting) -> _Image:
        session = self._session
        return _Image(setting, session.image_spec(setting), session.image_reference(setting))

    def _look(self, engine: Engine, wanted: list[_Image]) -> None:
        """Ask the engine about all images at once, and meanwhile the registries about each."""
        looks = self._looks
        looks.start(partial(self._look_here, engine, wanted))
        if self._pushes and not self._runner.dry:
            for place in dict.fromkeys(_place(engine, image) for image in wanted):
                there = [image for image in wanted if _place(engine, image) == place]
                looks.start(partial(self._look_there, engine, place, there))
        looks.wait(linger=0)
        for image in wanted if not self._force else ():
            looks.start(partial(_see_whether_ready, image))
        looks.wait(linger=0)

    def _look_here(self, engine: Engine, wanted: list[_Image]) -> None:
        found = locals_of(self._runner, engine, [image.reference for image in wanted])
        for image in wanted:
            image.local = found.get(image.reference)

    def _look_there(self, engine: Engine, place: str, there: list[_Image]) -> None:
        login = registry_login.credentials(self._runner, engine, place)
        for image in there:
            image.login = login
            self._looks.start(partial(_ask_registry, image))

    def _bring(self, engine: Engine, wanted: list[_Image]) -> None:
        """Show what exists already, start on what does not."""
        to_build = [image for image in wanted if self._is_to_be_built(image)]
        to_push = [image for image in wanted if self._is_to_be_pushed(image, to_build)]
        self._tell("build", [image for image in wanted if self._builds and image not in to_build])
        self._tell("push", [image for image in wanted if self._pushes and image not in to_push])
        for image in wanted:
            if image in to_build or image in to_push:
                steps = (image in to_build, image in to_push)
                self._jobs.start(partial(self._bring_one, engine, image, *steps))

    def _is_to_be_built(self, image: _Image) -> bool:
        there = image.is_built or image.ready
        return self._builds and (self._force or not there)

    def _is_to_be_pushed(self, image: _Image, to_build: list[_Image]) -> bool:
        there = image.is_pushed or image.ready
        return self._pushes and (image in to_build or not there)

    def _tell(self, verb: str, there: list[_Image]) -> None:
        for image in there:
            with self._session.console.step(f"{verb} {image.setting.key}") as step:
                step.done(f"{image.short} (already there)")

    def _bring_one(self, engine: Engine, image: _Image, builds: bool, pushes: bool) -> None:
        if builds:
            self._build(engine, image)
        if pushes:
            self._push(engine, image)

    def _build(self, engine: Engine, image: _Image) -> None:
        with self._session.console.step(f"build {image.setting.key}") as step:
            try:
                image.local = images_build.build_anew(
                    self._runner,
                    engine,
                    image.spec,
                    image.reference,
                    image.content,
                    on_line=BuildProgress(step).line,
                )
            except Stopped:
                self._forget_if_wrong(engine, image)
                raise
            step.done(image.short)

    def _forget_if_wrong(self, engine: Engine, image: _Image) -> None:
        """Engines name an image only when it is complete, so a stopped build leaves no name, or
        a good one; unless files changed during the build, which nothing has checked yet."""
        if content_tag(image.spec) != image.content:
            images_build.forget(self._session.runner, engine, image.reference)

    def _push(self, engine: Engine, image: _Image) -> None:
        console = self._session.console
        if image.local is None and not self._runner.dry:
            raise images_push.not_here(engine, image.reference)
        with console.step(f"push {image.setting.key}") as step:
            if image.is_pushed:
                step.done(f"{image.short} (already there)")
                return
            self._digests[image.setting.variable] = images_push.push_anew(
                self._runner,
                engine,
                image.reference,
                image.login,
                on_line=PushProgress(step).line,
                terminal=console.live,
            )
            step.done(image.short)
        if image.remote:
            console.warn(
                f"{image.reference} was the tag of another image before: nodes that have pulled "
                "that one keep it"
            )


def _place(engine: Engine, image: _Image) -> str:
    """What has one login: a repository for Podman, a registry for Docker."""
    name = image.name
    return f"{name.registry}/{name.path}" if engine.is_podman else name.registry


def _ask_registry(image: _Image) -> None:
    image.remote = registry.manifest(image.name, image.login)


def _see_whether_ready(image: _Image) -> None:
    """Whether the registry already has an image of exactly this content, from somebody else."""
    if image.local is None and image.remote:
        made = registry.made_of(image.name, image.login, image.remote)
        platform = "/".join(image.spec.platform.split("/")[:2])
        image.ready = made == (image.content, platform)


@contextmanager
def images_under_way(session: Session) -> Iterator[ImageWork]:
    """Get all images of the stack into the registry while the caller does other things.

    `wait()` of the yielded work returns once they are there, with the manifests' digests:
    variable in the compose file -> `sha256:…` ("" if unknown); it raises the first
    SpinstackError. Leaving the context through an exception, Ctrl-C included, stops builds and
    pushes; leaving it otherwise waits for them.
    """
    work = ImageWork(session)
    with _stopped_by_exceptions(work):
        yield work


def build(session: Session, *, force: bool = False) -> None:
    """Build each image whose content has no image on this machine, in parallel."""
    with _stopped_by_exceptions(ImageWork(session, pushes=False, force=force)):
        pass


def push(session: Session) -> dict[str, str]:
    """Push each image that the registry does not have yet, in parallel. Returns their digests as
    `images_under_way` does."""
    work = ImageWork(session, builds=False)
    with _stopped_by_exceptions(work):
        return work.wait()


@contextmanager
def _stopped_by_exceptions(work: ImageWork) -> Iterator[None]:
    """Start the work, and wait for it at the end; give it up on an exception."""
    try:
        work.start()
        yield
        work.wait()
    except BaseException:
        work.give_up()
        raise
