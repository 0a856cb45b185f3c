"""A person's own additions to what is generated: files in the stack's directory `kubernetes/`.

What is applied is a kustomization (kubectl has kustomize built in): `manifests.yaml`, which is
generated, changed by what stands in `kubernetes/`. There, either a `kustomization.yaml` says what
is to be done, as a component of the whole; or each file is a patch of a generated object that it
names, or else one more object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spinstack.config import goyaml, release_files
from spinstack.config.stack import Stack
from spinstack.errors import SpinstackError
from spinstack.platforms.kubernetes.compose_check import ADDITIONS
from spinstack.rules import isolation
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding

MANIFESTS = "manifests.yaml"
# kubectl reads any of these. Source: kustomize, "Kustomization file".
OVERALL = "kustomization.yaml"
_OVERALL = (OVERALL, "kustomization.yml", "Kustomization")
_COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
_KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
_YAML = (".yaml", ".yml")


def additions(stack: Stack) -> dict[str, Path]:
    """The files in the stack's directory of additions, by their names from the stack's own."""
    root = stack.directory
    found = (path.relative_to(root).as_posix() for path in release_files.files(root))
    return {name: root / name for name in found if PurePosixPath(name).parts[0] == ADDITIONS}


def release(stack: Stack, namespace: str, objects: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """The files that `kubectl apply -k` deploys. `objects`: those generated. Raises SpinstackError
    for additions that can't be read."""
    own = {name: _read(path) for name, path in additions(stack).items()}
    overall: dict[str, Any] = {**_KUSTOMIZATION, "namespace": namespace}
    resources, patches = [MANIFESTS], []
    component = next((name for name in own if _is_overall(name)), None)
    if component:
        told = next(iter(_documents(component, own[component])), {})
        own[component] = goyaml.dump({**told, **_COMPONENT}, width=1000, blocks=True).encode()
        overall["components"] = [ADDITIONS]
    else:
        generated = {_key(it) for it in objects}
        for name, data in own.items():
            documents = _documents(name, data)
            if _is_patch(name, documents, generated):
                patches.append({"path": name})
            elif documents:
                resources.append(name)
    overall["resources"] = resources
    if patches:
        overall["patches"] = patches
    made = {
        OVERALL: goyaml.dump(overall, width=1000),
        MANIFESTS: documents_text([_anywhere(it) for it in objects]),
    }
    return {**{name: it.encode() for name, it in made.items()}, **own}


def _anywhere(it: Mapping[str, Any]) -> dict[str, Any]:
    """An object without its namespace, which the kustomization has: a patch that names none would
    not find it."""
    metadata = {key: value for key, value in it["metadata"].items() if key != "namespace"}
    return {**it, "metadata": metadata}


def documents_text(objects: Sequence[Mapping[str, Any]]) -> str:
    """The objects as YAML, one document each."""
    return "---\n".join(goyaml.dump(dict(one), width=1000, blocks=True) for one in objects)


def findings(
    stack: Stack, generated: Collection[tuple[str, str]], centre: Centre
) -> Iterator[Finding]:
    """What kubectl could not read in the additions, and what the centre does not let through.
    `generated`: kinds and names of objects."""
    own = additions(stack)
    component = any(map(_is_overall, own))
    for name, path in own.items():
        try:
            documents = _documents(name, _read(path))
            if not component:
                _is_patch(name, documents, generated)
            for it in documents:
                yield from isolation.findings(it, centre, name)
        except SpinstackError as error:
            yield Finding("kubernetes-additions", error.where, error.what, error.remedy)


def _is_patch(
    name: str, documents: Sequence[Mapping[str, Any]], generated: Collection[tuple[str, str]]
) -> bool:
    """Whether a file changes generated objects, or adds others. Raises SpinstackError for one that
    does both, and for what is no object."""
    for it in documents:
        if "" in _key(it):
            raise SpinstackError(
                f"an object in {name} lacks its kind or its name",
                where=name,
                remedy="write apiVersion:, kind: and metadata: with name:",
            )
    known = {_key(it) in generated for it in documents}
    if len(known) > 1:
        raise SpinstackError(
            f"{name} changes objects of the stack and adds others",
            where=name,
            remedy="put what changes objects into a file of its own",
        )
    return known == {True}


def _is_overall(name: str) -> bool:
    return PurePosixPath(name).parts[1:] in [(it,) for it in _OVERALL]


def _key(it: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name, by which an object is found."""
    metadata = it.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(it.get("kind") or ""), str(name or "")


def _documents(name: str, data: bytes) -> list[dict[str, Any]]:
    """The objects of a file; none of one that is no YAML by its name. Raises SpinstackError."""
    import yaml

    if not name.endswith(_YAML) and not _is_overall(name):
        return []
    try:
        found = [it for it in yaml.safe_load_all(data) if it is not None]
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SpinstackError(
            f"not valid YAML: {getattr(error, 'problem', None) or error}",
            where=f"{name}:{mark.line + 1}" if mark else name,
            remedy="fix this line or the one above it",
        ) from None
    if not all(isinstance(it, dict) for it in found):
        raise SpinstackError(
            f"{name} is no object of Kubernetes", where=name, remedy="write a mapping with kind:"
        )
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpinstackError(
            f"can't read {path.name}: {error.strerror}", where=str(path), remedy="make it readable"
        ) from None
