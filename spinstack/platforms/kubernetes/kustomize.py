"""A person's own additions to what is generated: files in the stack's directory `kubernetes/`.

What is applied is a kustomization (kubectl has kustomize built in): `manifests.yaml`, which is
generated, changed by what stands in `kubernetes/`. There, either a `kustomization.yaml` says what
is to be done, as a component of the whole; or each file is a patch of a generated object that it
names, or else one more object. The same holds of `kubernetes/DESTINATION/`, for one destination.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Group:
    """Files of one directory of additions, by their names from the stack's own."""

    directory: str
    files: Mapping[str, Path]

    @property
    def overall(self) -> str:
        """The kustomization that says what is done with the others; empty without one."""
        names = (f"{self.directory}/{name}" for name in _OVERALL)
        return next((name for name in names if name in self.files), "")


def additions(stack: Stack, to: str) -> list[Group]:
    """The files in the stack's directory of additions that the destination `to` gets: those for
    all destinations, then those in a directory of its name."""
    root = stack.directory
    found = [path.relative_to(root).as_posix() for path in release_files.files(root)]
    names = [name for name in found if PurePosixPath(name).parts[0] == ADDITIONS]
    for_one = {name: _for_one(name, stack.destinations) for name in names}
    return [
        Group(directory, {name: root / name for name in names if for_one[name] == chosen})
        for directory, chosen in ((ADDITIONS, ""), (f"{ADDITIONS}/{to}", to))
    ]


def _for_one(name: str, destinations: Collection[str]) -> str:
    """The destination that alone gets a file; empty for all."""
    parts = PurePosixPath(name).parts
    return parts[1] if len(parts) > 2 and parts[1] in destinations else ""


def release(
    stack: Stack, to: str, namespace: str, objects: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    """The files that `kubectl apply -k` deploys. `objects`: those generated. Raises SpinstackError
    for additions that can't be read, or that hold the values of secrets."""
    overall: dict[str, Any] = {**_KUSTOMIZATION, "namespace": namespace}
    resources, patches, components = [MANIFESTS], [], []
    known = {_key(it) for it in objects}
    own: dict[str, bytes] = {}
    for group in additions(stack, to):
        for name, path in group.files.items():
            own[name] = data = _read(path)
            documents = _documents(name, data, stack)
            if name == group.overall:
                told = {**next(iter(documents), {}), **_COMPONENT}
                own[name] = goyaml.dump(told, width=1000, blocks=True).encode()
                components.append(group.directory)
            elif not group.overall and _is_patch(group, name, documents, known):
                patches.append({"path": name})
            elif not group.overall and documents:
                resources.append(name)
                known |= {_key(it) for it in documents}
    if components:
        overall["components"] = components
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
    stack: Stack, to: str, generated: Collection[tuple[str, str]], centre: Centre
) -> Iterator[Finding]:
    """What kubectl could not read in the additions, and what the centre does not let through.
    `generated`: kinds and names of objects."""
    known = set(generated)
    for group in additions(stack, to):
        for name, path in group.files.items():
            try:
                documents = _documents(name, _read(path), stack)
                if not group.overall and not _is_patch(group, name, documents, known):
                    known |= {_key(it) for it in documents}
                for it in documents:
                    yield from isolation.findings(it, centre, name)
            except SpinstackError as error:
                yield Finding("kubernetes-additions", error.where, error.what, error.remedy)


def _is_patch(
    group: Group,
    name: str,
    documents: Sequence[Mapping[str, Any]],
    generated: Collection[tuple[str, str]],
) -> bool:
    """Whether a file changes objects that there are, or adds others. Raises SpinstackError for one
    that does both, for what is no object, and for one in a directory of no destination."""
    if str(PurePosixPath(name).parent) != group.directory:
        raise SpinstackError(
            f"{PurePosixPath(name).parent} is called as no destination is",
            where=name,
            remedy=f"call it as the destination that it is for, or move the file to {ADDITIONS}/",
        )
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


def _key(it: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and name, by which an object is found."""
    metadata = it.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return str(it.get("kind") or ""), str(name or "")


def _documents(name: str, data: bytes, stack: Stack) -> list[dict[str, Any]]:
    """The objects of a file; none of one that is no YAML by its name. Raises SpinstackError, also
    for one with the values of a secret."""
    import yaml

    if not name.endswith(_YAML) and PurePosixPath(name).name not in _OVERALL:
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
    if any(map(_has_secret_values, found)):
        raise SpinstackError(
            "a secret's values would be in every release, which all in the namespace can read",
            where=name,
            remedy=f"create it in the namespace (`invoke secret.create {stack.name}.FILE`, or "
            "kubectl), and leave it out here",
        )
    return found


def _has_secret_values(it: Mapping[str, Any]) -> bool:
    listed = it.get("items") if it.get("kind") == "List" else None
    objects = [it, *(listed if isinstance(listed, list) else ())]
    return bool(it.get("secretGenerator")) or any(map(_is_secret_with_values, objects))


def _is_secret_with_values(it: Any) -> bool:
    if not isinstance(it, dict) or it.get("kind") != "Secret":
        return False
    return bool(it.get("data") or it.get("stringData"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpinstackError(
            f"can't read {path.name}: {error.strerror}", where=str(path), remedy="make it readable"
        ) from None
