"""The tag of a build context: what changes it, what does not, and what can't be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.errors import SpinstackError, UsageError
from spinstack.images.tag import ImageSpec, content_tag, declared_args, reference
from spinstack.rules.centre import load
from spinstack.rules.names import image_reference


@pytest.fixture
def spec(tmp_path: Path) -> ImageSpec:
    context = tmp_path / "app"
    (context / "sub").mkdir(parents=True)
    (context / "Dockerfile").write_text("ARG BASE=scratch\nFROM ${BASE}\nCOPY . /\n")
    (context / "app.py").write_text("print('hello')\n")
    (context / "sub" / "run").write_text("#!/bin/sh\n")
    (context / "sub" / "link").symlink_to("run")
    return ImageSpec("app", context, "nightwatch", {"BASE": "alpine:3.20"})


def test_is_an_immutable_tag_that_spin_accepts(spec: ImageSpec) -> None:
    name = reference(spec, "registry.spin.nersc.gov", "demo")
    assert name.startswith("registry.spin.nersc.gov/demo/nightwatch:c-")
    assert len(content_tag(spec)) == 14
    assert image_reference(name, load(), "image") == []


def _elsewhere(spec: ImageSpec) -> ImageSpec:
    """The same content in another directory, made in another order, later, by a stricter umask."""
    copy = spec.context.parent / "another"
    copy.mkdir()
    shutil.copytree(spec.context / "sub", copy / "sub", symlinks=True)
    for name in ("app.py", "Dockerfile"):
        shutil.copyfile(spec.context / name, copy / name)
        (copy / name).chmod(0o600)
        os.utime(copy / name, (1, 1))
    (copy / "sub").chmod(0o700)
    return replace(spec, context=copy)


def test_does_not_depend_on_when_where_and_how_the_files_were_made(spec: ImageSpec) -> None:
    assert content_tag(_elsewhere(spec)) == content_tag(spec)


def test_every_part_of_the_content_counts(spec: ImageSpec) -> None:
    context = spec.context
    tags = [content_tag(spec)]

    def changed() -> None:
        tags.append(content_tag(spec))

    (context / "app.py").write_text("print('hellp')\n")
    changed()
    (context / "app.py").rename(context / "main.py")
    changed()
    (context / "sub" / "run").chmod(0o755)
    changed()
    (context / "sub" / "link").unlink()
    (context / "sub" / "link").symlink_to("elsewhere")
    changed()
    (context / "empty").mkdir()
    changed()
    (context / "Dockerfile").write_text("ARG BASE=scratch\nFROM ${BASE}\nCOPY sub /\n")
    changed()
    for other in (replace(spec, build_args={}), replace(spec, platform="linux/arm64")):
        tags.append(content_tag(other))
    assert len(set(tags)) == len(tags)


def test_only_declared_build_arguments_count(spec: ImageSpec) -> None:
    more = {**spec.build_args, "NGINX_IMAGE": "nginx:1", "HTTPS_PROXY": "http://proxy:3128"}
    richer = replace(spec, build_args=more)
    assert content_tag(richer) == content_tag(spec)
    assert richer.used_args() == {"BASE": "alpine:3.20", "HTTPS_PROXY": "http://proxy:3128"}


def test_reads_the_arguments_as_docker_does() -> None:
    text = (
        "# ARG NO\narg one\nFROM x\n  ARG\tTWO=2 THREE\nRUN echo \\\n ARG FOUR\nARG \\\n  FIVE=5\n"
    )
    assert declared_args(text) == {"one", "TWO", "THREE", "FIVE"}


def test_ignored_files_do_not_count_and_the_dockerfile_always_does(spec: ImageSpec) -> None:
    ignore = spec.context / ".dockerignore"
    ignore.write_text("Dockerfile\n.dockerignore\n*.log\ncache\n!cache/keep\n")
    before = content_tag(spec)
    (spec.context / "x.log").write_text("noise")
    (spec.context / "cache").mkdir()
    (spec.context / "cache" / "noise").write_text("noise")
    ignore.write_text("# comment\n" + ignore.read_text())
    assert content_tag(spec) == before
    (spec.context / "cache" / "keep").write_text("signal")
    assert content_tag(spec) != before
    (spec.context / "cache" / "keep").unlink()
    spec.dockerfile_path.write_text("FROM scratch\n")
    assert content_tag(spec) != before


NAMES = st.sampled_from(["a", "b", "a b", "é", "a\nb"])
TREES = st.recursive(
    st.tuples(st.binary(max_size=4), st.booleans()),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def _plant(tree: object, path: Path) -> None:
    if isinstance(tree, dict):
        path.mkdir(exist_ok=True)
        for name, inner in tree.items():
            _plant(inner, path / name)
    else:
        assert isinstance(tree, tuple)
        path.write_bytes(tree[0])
        path.chmod(0o755 if tree[1] else 0o644)


def _tag_of(tree: object) -> str:
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory)
        (context / "Dockerfile").write_text("FROM scratch\n")
        _plant(tree, context / "tree")
        return content_tag(ImageSpec("app", context, "app"))


def _backwards(tree: object) -> object:
    if isinstance(tree, dict):
        return {name: _backwards(tree[name]) for name in reversed(tree)}
    return tree


@given(TREES, TREES)
def test_two_trees_have_one_tag_exactly_if_they_are_equal(one: object, other: object) -> None:
    assert (_tag_of(one) == _tag_of(other)) is (one == other)
    assert _tag_of(_backwards(one)) == _tag_of(one)


def test_a_missing_directory_or_dockerfile_is_told(spec: ImageSpec) -> None:
    with pytest.raises(SpinstackError, match="directory of the image app is missing") as caught:
        content_tag(replace(spec, context=spec.context / "nowhere"))
    assert caught.value.where.endswith("nowhere")
    with pytest.raises(SpinstackError, match=r"the Other\.file of the image app is missing"):
        content_tag(replace(spec, dockerfile="Other.file"))


def test_a_bad_dockerignore_is_told_with_its_line(spec: ImageSpec) -> None:
    (spec.context / ".dockerignore").write_text("ok\n[a\n")
    with pytest.raises(SpinstackError, match="line 2"):
        content_tag(spec)


def test_ignore_files_that_only_some_engines_read_are_refused(spec: ImageSpec) -> None:
    (spec.context / "Dockerfile.dockerignore").write_text("x\n")
    with pytest.raises(SpinstackError, match="not every engine reads"):
        content_tag(spec)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of a user who may not read everything, also where root runs the tests."""
    with tempfile.TemporaryDirectory() as directory:
        if os.geteuid() != 0:
            yield Path(directory)
            return
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
        try:
            yield Path(directory)
        finally:
            os.seteuid(0)


def test_an_unreadable_file_is_told_unless_it_is_ignored(unprivileged: Path) -> None:
    spec = ImageSpec("app", unprivileged, "app")
    spec.dockerfile_path.write_text("FROM scratch\n")
    (unprivileged / "private").write_text("x")
    (unprivileged / "private").chmod(0)
    with pytest.raises(SpinstackError, match="permission denied") as caught:
        content_tag(spec)
    assert caught.value.where.endswith("private")
    (unprivileged / ".dockerignore").write_text("private\n")
    content_tag(spec)


@pytest.mark.parametrize(
    ("registry", "namespace", "name"),
    [
        ("", "demo", "app"),
        ("registry.example.org", "", "app"),
        ("https://registry.example.org", "demo", "app"),
        ("registry", "demo", "app"),
        ("registry.example.org", "Demo", "app"),
        ("registry.example.org", "demo", "My_App"),
    ],
)
def test_what_makes_no_reference_is_wrong_use(
    spec: ImageSpec, registry: str, namespace: str, name: str
) -> None:
    with pytest.raises(UsageError):
        reference(replace(spec, name=name), registry, namespace)
