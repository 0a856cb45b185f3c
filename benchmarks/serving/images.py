"""The images of the variants: the tutorial's as it builds them, ours from the template."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.figures import GENERATED, NGINX, TUTORIAL
from benchmarks.serving.stage import Variant, copied
from spin_rehearsal import base_images
from spinstack import template
from spinstack.config import env_file
from spinstack.errors import SpinstackError
from spinstack.images import build as images_build
from spinstack.images.engine import Engine
from spinstack.images.tag import ImageSpec, content_tag
from spinstack.transport.command import Command
from spinstack.transport.runner import Runner

HERE = Path(__file__).resolve().parent
# All images of ours are named so; the tag tells the content.
NAMESPACE = "spinstack-bench"
# From source, as the tutorial's requirements say; the template takes a compiled one.
UWSGI = "uWSGI==2.0.31"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where a run keeps its copies, and what every variant mounts."""

    work: Path
    mounts: Mapping[str, str]


@dataclass(frozen=True)
class Workshop:
    """Builds images. `args`: base images that stand in for official ones (may be empty)."""

    runner: Runner
    engine: Engine
    args: Mapping[str, str]
    say: Say

    def build(self, spec: ImageSpec) -> str:
        """The reference of an image, built if the engine does not have it."""
        reference = f"{NAMESPACE}/{spec.name}:{content_tag(spec)}"
        outcome = images_build.build(self.runner, self.engine, spec, reference)
        if outcome.built:
            self.say(f"  built {reference} in {outcome.seconds:.0f} s")
        return reference

    def tutorial_args(self) -> dict[str, str]:
        """Base images of the tutorial's Dockerfiles, where equivalents have to stand in."""
        if not self.args:
            return {}
        base = ImageSpec("base", HERE / "tutorial" / "base", "python", self.args)
        return {
            "TUTORIAL_PYTHON_IMAGE": self.build(base),
            "TUTORIAL_NGINX_IMAGE": self.args["NGINX_IMAGE"],
        }


def workshop(runner: Runner, engine: Engine, say: Say) -> Workshop:
    """With the base images there. Raises SpinstackError if they can't be had."""
    return Workshop(runner, engine, base_images.ensure(runner, engine.name, say), say)


def generated(shop: Workshop, places: Places) -> Variant:
    """The template's stack, baked with its default answers, images built by spinstack."""
    directory = bake(shop.runner, places.work / GENERATED)
    specs = generated_specs(shop, directory)
    references = {variable: shop.build(spec) for variable, spec in specs.items()}
    text = (directory / "stack.env").read_text(encoding="utf-8")
    written, _ = env_file.parse(text, "stack.env")
    values = {name: variable.value for name, variable in written.items()}
    values |= {**places.mounts, **references}
    (directory / "stack.env").write_text(env_file.text(values), encoding="utf-8")
    return Variant(GENERATED, directory, values)


def bake(runner: Runner, target: Path) -> Path:
    """A new stack's directory with the default answers; any user may read it."""
    scratch = target.with_name(f"{target.name}-baked")
    words = ("-m", "cookiecutter", str(template.path()), "--no-input", "--output-dir")
    done = runner.run(Command(sys.executable, *words, str(scratch)), timeout=60)
    if not done.ok:
        raise SpinstackError(
            "the template can't be baked",
            where=str(template.path()),
            remedy="read what cookiecutter says above",
            details=(done.stdout + done.stderr).strip()[-800:],
        )
    return copied(next(scratch.iterdir()), target)


def generated_specs(shop: Workshop, directory: Path) -> dict[str, ImageSpec]:
    """An image for each directory with a Dockerfile, by the variable of the compose file."""
    contexts = sorted(path.parent for path in directory.glob("*/Dockerfile"))
    return {
        f"{context.name.upper()}_IMAGE": ImageSpec(
            context.name, context, f"{GENERATED}-{context.name}", shop.args
        )
        for context in contexts
    }


def tutorial(shop: Workshop, places: Places, ours: Variant, *, quick: bool) -> Variant:
    """The tutorial's stack. `quick`: its application on our image of the packages, which
    behaves alike and needs no minutes to build."""
    directory = copied(HERE / "tutorial", places.work / TUTORIAL)
    app = tutorial_app_spec(shop, directory, ours, quick=quick)
    web = ImageSpec("web", directory / "web", f"{TUTORIAL}-web", web_args(shop))
    values = {"APP_IMAGE": shop.build(app), "WEB_IMAGE": shop.build(web), **places.mounts}
    return Variant(TUTORIAL, directory, values)


def web_args(shop: Workshop) -> dict[str, str]:
    return {"TUTORIAL_NGINX_IMAGE": shop.args["NGINX_IMAGE"]} if shop.args else {}


def tutorial_app_spec(shop: Workshop, directory: Path, ours: Variant, *, quick: bool) -> ImageSpec:
    context = directory / "app"
    pins = (ours.directory / "app" / "requirements.txt").read_text(encoding="utf-8")
    (context / "requirements.txt").write_text(requirements(pins), encoding="utf-8")
    if quick:
        args = {"GENERATED_APP_IMAGE": ours.values["APP_IMAGE"]}
        return ImageSpec("app", context, f"{TUTORIAL}-app", args, "Dockerfile.quick")
    return ImageSpec("app", context, f"{TUTORIAL}-app", shop.tutorial_args())


def requirements(pins: str) -> str:
    """The same packages at the same versions as the template's, as the tutorial lists them:
    no hashes, uWSGI from source."""
    found = _PINNED.findall(pins)
    names = [f"{name}=={version}" for name, version in found if "uwsgi" not in name.lower()]
    return "\n".join([*names, UWSGI, ""])


def raw(shop: Workshop, places: Places, ours: Variant) -> Variant:
    """Bare nginx, of the image that our `web` is built on."""
    directory = copied(HERE / "raw", places.work / NGINX)
    dockerfile = (ours.directory / "web" / "Dockerfile").read_text(encoding="utf-8")
    asked = base_images.asked_for(dockerfile)["NGINX_IMAGE"]
    values = {"WEB_IMAGE": shop.args.get("NGINX_IMAGE", asked), **places.mounts}
    return Variant(NGINX, directory, values)
