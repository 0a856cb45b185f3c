"""A cluster of one namespace in memory, at the seam of scripts: for the flows of changes.

It knows the few kubectl commands that a change is made of, keeps objects with versions as an API
server does (who names an old one is refused), and rolls a Deployment out at the second look. What
a real server says and does beyond that is in tests/real.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from spinstack.platforms.kubernetes import labels
from spinstack.transport.command import Command, Raw, Secret, Word
from spinstack.transport.login_node import Answer, OnBegin, OnLine, OnSent
from spinstack.transport.runner import Result
from spinstack.transport.script import Script, ScriptResult, StepResult

Object = dict[str, Any]
RESOURCES = {
    "leases.coordination.k8s.io": "Lease",
    "configmaps": "ConfigMap",
    "deployments.apps": "Deployment",
    "pods": "Pod",
    "services": "Service",
    "ingresses.networking.k8s.io": "Ingress",
}


# What the server notes about a patch by `scale` or `stop`.
SCALED = {
    **{"manager": "spinstack", "operation": "Update", "apiVersion": "apps/v1"},
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


# Some of what `kubectl describe` says, values with several lines included.
DESCRIBED = """\
Name:  web-1
Containers:
  web:
    Image:  web:2.0
    Environment:
      HTTP_PORT:  hush
      PASSWORD:   hush: hush

                  hush
      KEY:        <set to the key 'key' in secret 'web'>  Optional: false
    Mounts:
      /srv from static (ro)
what there is to know
"""


class Refused(Exception):
    """What the server says instead of doing it."""


@dataclass
class KubeNode:
    """`ill`: text of an image → why its pods don't run; `judge`: refuses objects; `conflict`: what
    is said about those with fields of others; `token`: what is said about the login; `before`: is
    called with each command line, to interfere; `logs`: what all pods have said; `kept`: names of
    secrets and claims. `calls`: the command lines so far."""

    name: str = "this machine"
    dry: bool = False
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    ill: dict[str, str] = field(default_factory=dict)
    quotas: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    judge: Callable[[Object], str] = lambda one: ""
    conflict: str = ""
    logs: str = ""
    token: str = ""
    before: Callable[[str], None] = lambda line: None
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _version: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def open(self) -> None:
        return

    def close(self) -> None:
        return

    def run(
        self,
        script: Script,
        *,
        on_begin: OnBegin | None = None,
        on_line: OnLine | None = None,
        on_sent: OnSent | None = None,
    ) -> ScriptResult:
        result = ScriptResult()
        for step in script.steps:
            told, code = [self.token] if step.name == "token" else [], 0
            for command in step.commands:
                said, code = self._carried_out(command)
                told.append(said)
                if code:
                    break
            result.steps.append(StepResult(step.name, "".join(told), code, step.must))
            if code and step.must:
                break
        result.complete = True
        return result

    def converse(self, command: Command, answer: Answer, *, seconds: float = 60) -> Result:
        raise AssertionError("nothing is asked here")

    def interact(
        self, prepare: Command, command: Command, *, terminal: bool, input: bytes = b"", **more: Any
    ) -> int:
        raise AssertionError("not a part of a change")

    def _carried_out(self, command: Command) -> tuple[str, int]:
        words = [_text(word) for word in command.words]
        if " logs -l " in words[0]:
            return self.logs, 0
        if words[0] == "command":
            return "/usr/bin/kubectl\n", 0
        if "kubectl" not in words or words[0] == "export":
            return "", 0
        at = words.index("kubectl")
        given = words[2] if words[0] == "printf" else ""
        rest = [word for word in words[at + 1 :] if not word.startswith("--request-timeout")]
        # --kubeconfig FILE --context NAME --namespace NAME
        verb, *more = rest[6:]
        line = " ".join((verb, *more))
        with self._lock:
            try:
                self.before(line)
                self.calls.append(line)
                return getattr(self, f"_{verb}")(more, given), 0
            except Refused as refused:
                return f"{refused}\n", 1

    # Reading.

    def _get(self, words: list[str], given: str) -> str:
        if words[0] == "-f":
            named = [(one["kind"], _name(one)) for one in yaml.safe_load_all(given) if one]
            return _listed([self.objects[key] for key in named if key in self.objects])
        resource, output = words[0], words[words.index("-o") + 1] if "-o" in words else ""
        if resource in self.kept or resource == "deployments.apps,pods":
            names = self.kept.get(resource, ())
            return (
                "".join(f"kept\t{name}\t2026-01-01T00:00:00Z\t\t\t\t\n" for name in names) + "end\n"
            )
        if len(words) > 1 and not words[1].startswith("-"):
            found = self.objects.get((RESOURCES[resource], words[1]))
            if found is None and "--ignore-not-found" in words:
                return ""
            if found is None:
                raise Refused(f'Error from server (NotFound): {resource} "{words[1]}" not found')
            return self._shown(found, output)
        if resource == "events":
            return _listed(self.events) if output == "json" else "no events\n"
        if resource == "resourcequotas,limitranges":
            return _listed(self.quotas)
        kinds = [RESOURCES[one] for one in resource.split(",")]
        selector = words[words.index("-l") + 1]
        listed = [one for one in self._all() if one["kind"] in kinds and _selected(one, selector)]
        if output == "json":
            return _listed(listed)
        return "".join(map(_kept_row, listed)) + "end\n"

    def _shown(self, found: Object, output: str) -> str:
        if output == "json":
            return json.dumps(found) + "\n"
        if output == "jsonpath={.data.history}":
            return str(found.get("data", {}).get("history", ""))
        return str(found["binaryData"]["manifests.gz"])

    def _all(self) -> list[Object]:
        found = list(self.objects.values())
        started = [
            one for one in found if one["kind"] == "Deployment" and "template" in one["spec"]
        ]
        return found + [pod for one in started for pod in _pods(one, self.ill)]

    def _describe(self, words: list[str], given: str) -> str:
        return DESCRIBED

    # Changing.

    def _create(self, words: list[str], given: str) -> str:
        made = json.loads(given)
        if (made["kind"], _name(made)) in self.objects:
            raise Refused(f'Error from server (AlreadyExists): "{_name(made)}" already exists')
        return self._put(made)

    def _replace(self, words: list[str], given: str) -> str:
        made = json.loads(given)
        old = self.objects.get((made["kind"], _name(made)))
        if old is None:
            raise Refused(f'Error from server (NotFound): "{_name(made)}" not found')
        if made["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise Refused("Error from server (Conflict): the object has been modified")
        return self._put(made)

    def _patch(self, words: list[str], given: str) -> str:
        resource, name, *_ = words
        found = self.objects.get((RESOURCES[resource], name))
        if found is None:
            raise Refused(f'Error from server (NotFound): {resource} "{name}" not found')
        patch = json.loads(words[words.index("-p") + 1])
        made = _merged(found, patch)
        if "replicas" in patch.get("spec", {}):
            made["metadata"]["managedFields"] = [SCALED]
        self._put(made)
        return f"{resource}/{name} patched\n"

    def _apply(self, words: list[str], given: str) -> str:
        told = []
        objects = [one for one in yaml.safe_load_all(given) if one]
        for one in objects:
            if why := self.judge(one):
                raise Refused(f"Error from server (Forbidden): {why}")
            old = self.objects.get(key(one), {"metadata": {}})
            if "--force-conflicts" not in words and "managedFields" in old["metadata"]:
                raise Refused(self.conflict)
            if "--dry-run=server" not in words:
                old = self.objects.get((one["kind"], _name(one)), {})
                self._put(_applied(old, one))
            told.append(f"{one['kind'].lower()}/{_name(one)} serverside-applied\n")
        if "-o" in words:
            return _listed([{**self.objects.get(key(one), {}), **one} for one in objects])
        return "".join(told)

    def _delete(self, words: list[str], given: str) -> str:
        kind = {**RESOURCES}.get(words[0], words[0].partition(".")[0])
        if "-l" in words:
            field_selector = words[words.index("--field-selector") + 1]
            names = [field_selector.removeprefix("metadata.name=")]
            selector = words[words.index("-l") + 1]
        else:
            names, selector = [word for word in words[1:] if not word.startswith("-")], ""
        for name in names:
            found = self.objects.get((kind, name))
            if found is not None and _selected(found, selector):
                del self.objects[kind, name]
        return ""

    def _put(self, one: Object) -> str:
        self._version += 1
        one["metadata"] = {**one["metadata"], "resourceVersion": str(self._version)}
        one["metadata"].setdefault("uid", f"uid-{self._version}")
        self.objects[one["kind"], _name(one)] = one
        return json.dumps(one) + "\n"


def _text(word: Word) -> str:
    if isinstance(word, Secret):
        return word.value
    return word.text if isinstance(word, Raw) else str(word)


def _name(one: Object) -> str:
    return str(one["metadata"]["name"])


def key(one: Object) -> tuple[str, str]:
    return str(one["kind"]), _name(one)


def _listed(found: list[Object]) -> str:
    return json.dumps({"kind": "List", "items": found}) + "\n"


def _selected(one: Object, selector: str) -> bool:
    found = one["metadata"].get("labels", {})
    for part in filter(None, selector.split(",")):
        key, equals, value = part.partition("=")
        if part.startswith("!"):
            if part[1:] in found:
                return False
        elif key not in found or (equals and found[key] != value):
            return False
    return True


def _kept_row(one: Object) -> str:
    metadata = one["metadata"]
    told = [metadata.get("annotations"), one.get("spec"), one.get("data")]
    fields = [metadata["labels"].get(labels.KIND, ""), _name(one), metadata["resourceVersion"]]
    fields += [metadata["uid"], *("" if it is None else json.dumps(it) for it in told)]
    return "\t".join(("kept", *fields)) + "\n"


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    base = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = _merged(base.get(key), value)
    return base


def _applied(old: Object, new: Object) -> Object:
    """A Deployment with a new template is rolled out from here on."""
    made = {**new, "metadata": dict(new["metadata"])}
    if new["kind"] != "Deployment":
        return made
    ours = [one for one in old.get("metadata", {}).get("managedFields", []) if one == SCALED]
    made["metadata"] |= {"managedFields": ours} if ours else {}
    same = old and old["spec"]["template"] == new["spec"]["template"]
    generation = old["metadata"]["generation"] + (0 if same else 1) if old else 1
    made["metadata"]["generation"] = generation
    made["looks"] = old.get("looks", 0) if same else 0
    made["served"] = old.get("served") if same else old.get("template_well")
    return made


def _pods(deployment: Object, ill: dict[str, str]) -> list[Object]:
    """The pod of a Deployment, whose status is brought up to date: it is ready at the second look,
    unless its image is ill."""
    template = deployment["spec"]["template"]
    image = template["spec"]["containers"][0]["image"]
    why = next((why for text, why in ill.items() if text in image), "")
    deployment["looks"] = deployment.get("looks", 0) + 1
    well = not why and deployment["looks"] > 1
    wanted = deployment["spec"].get("replicas", 1)
    ready = wanted if well else 0
    number = deployment["metadata"]["generation"]
    deployment["status"] = {
        **{"observedGeneration": number, "replicas": wanted, "updatedReplicas": wanted},
        **{"readyReplicas": ready, "availableReplicas": ready},
        "conditions": [
            {
                "type": "Progressing",
                "status": "True",
                "reason": "NewReplicaSetAvailable" if well else "ReplicaSetUpdated",
            }
        ],
    }
    name = _name(deployment)
    state = {"running": {}} if well else {"waiting": {"reason": why or "ContainerCreating"}}
    if why:
        state["waiting"]["message"] = f"{image}: not found"
    return [
        {
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{number}",
                "labels": {**template["metadata"]["labels"], labels.MANAGED_BY: labels.MANAGER},
                "creationTimestamp": f"2026-11-29T00:{number:02d}:00Z",
            },
            "spec": template["spec"],
            "status": {
                "phase": "Running" if well else "Pending",
                "conditions": [
                    {
                        **{"type": "Ready", "status": "True" if well else "False"},
                        "lastTransitionTime": f"2026-11-29T00:{number:02d}:04Z",
                    }
                ],
                "containerStatuses": [{"name": name, "image": image, "state": state}],
            },
        }
    ]
