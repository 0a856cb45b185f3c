"""Starting a rehearsal in a cluster at hand, and its status. Stopping is in `stop.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from spin_rehearsal import account, base_images
from spin_rehearsal.account import Account
from spin_rehearsal.kubernetes import (
    at_hand,
    cluster,
    destination,
    objects,
    places,
    policies,
)
from spin_rehearsal.kubernetes import (
    registry as own_registry,
)
from spin_rehearsal.kubernetes.at_hand import Context
from spin_rehearsal.kubernetes.kubectl import Kubectl
from spin_rehearsal.kubernetes.places import State, kubeconfig
from spin_rehearsal.paths import DEFAULT_NAME, USER, Places
from spinstack import sample
from spinstack.directories import Directory
from spinstack.errors import SpinstackError
from spinstack.images import engine as images_engine
from spinstack.rules import centre
from spinstack.transport.runner import LocalRunner, Runner

Say = Callable[[str], None]

# As long as Rancher makes a login last. Source: ranchermanager.docs.rancher.com, "API Keys".
_LOGIN_FOR = "720h"
_PRIVATE = "the directory for the rehearsal's state"


@dataclass(frozen=True)
class Status:
    """A rehearsal as a person or a script asks for it. `made`: whether there is one; `running`:
    whether its namespace is there."""

    name: str
    made: bool
    running: bool
    context: str
    namespace: str
    kubeconfig: str
    destination: str
    registry: str
    own_registry: bool
    ingress_class: str
    storage: str
    private: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def start(
    name: str = DEFAULT_NAME,
    *,
    context: str = "",
    registry: str = "",
    runner: Runner | None = None,
    say: Say = print,
    confirm: Say = lambda question: None,
) -> Status | None:
    """Make a namespace of a cluster a pretend Spin: what exists is kept, what is missing is made,
    the login is renewed.

    `context`: of the person's kubeconfig, empty for the only cluster of this machine; `registry`:
    one that the cluster pulls from, empty for one of the rehearsal's own; `confirm`: asks before
    another machine's is changed, and raises for a no. Returns the status (None in a dry run).
    Raises SpinstackError: no cluster, one of the centre, no rights, an old server, no engine.
    """
    runner = runner or LocalRunner()
    where = places.of(name)
    old = places.load(where)
    if old and context not in ("", old.context):
        raise SpinstackError(
            f"the rehearsal {name!r} is in the context {old.context}",
            remedy=f"use another --name, or first `invoke rehearsal.stop {_options(name)}`",
        )
    found = _context(runner, context, confirm) if old is None else None
    decided = old or _new(runner, name, found, registry)
    if registry and registry != decided.registry:
        if decided.engine:
            own_registry.stop(runner, decided)
        decided = replace(decided, registry=registry, engine="")
    kubectl = Kubectl(runner, decided.kubeconfig, decided.context)
    kinds = cluster.served(kubectl)
    cluster.must_be_ours(kubectl, decided)
    decided = replace(
        decided,
        ingress_class=cluster.ingress_class(kubectl),
        architecture=cluster.architecture(kubectl),
        build_args=_base_images(runner, say),
    )
    who = account.of(where)
    if not runner.dry:
        # Before anything is in the cluster, so that a stop finds it.
        _make_directories(decided, where, who)
    if decided.engine:
        own_registry.start(runner, kubectl, decided, where, say)
    _make_objects(kubectl, decided, where, who, kinds)
    token = kubectl.run(
        *("create", "token", USER, "--namespace", decided.namespace, f"--duration={_LOGIN_FOR}")
    )
    if runner.dry:
        return None
    destination.write_kubeconfig(decided, where, cluster.server(kubectl), token.strip())
    destination.write(decided, where, who)
    say(f"the rehearsal {name!r} is in the namespace {decided.namespace} of {decided.context}")
    for line in _missing(decided, kinds):
        say(line)
    return _status(decided, where, running=True)


def _options(name: str) -> str:
    platform = f"--platform {places.PLATFORM}"
    return platform if name == DEFAULT_NAME else f"--name {name} {platform}"


def _context(runner: Runner, name: str, confirm: Say) -> Context:
    if runner.dry:
        # Nothing is read, so nothing can be chosen.
        return Context(name or "CONTEXT", at_hand.kubeconfigs()[0], "")
    known = at_hand.contexts(runner, at_hand.kubeconfigs())
    found, unsure = at_hand.choose(known, name, centre.load())
    if unsure:
        confirm(
            f"The server of {found.name} ({found.server}) is not on this machine. Make a namespace "
            "and policies for a rehearsal there?"
        )
    return found


def _new(runner: Runner, name: str, found: Context | None, registry: str) -> State:
    assert found is not None
    engine = "" if registry else images_engine.find(runner).name
    chosen = registry or own_registry.address()
    return places.decided(name, found.kubeconfig, found.name, chosen, engine)


def _base_images(runner: Runner, say: Say) -> dict[str, str]:
    """The build arguments that images need here; none without an engine, which a deploy misses."""
    try:
        engine = images_engine.find(runner)
    except SpinstackError:
        return {}
    return base_images.ensure(runner, engine.name, say)


def _make_directories(decided: State, where: Places, who: Account) -> None:
    """The state, and the pretend file system with the sample's data."""
    with Directory(where.private, what=_PRIVATE, remedy=f"remove {where.private}"):
        decided.save(where)
    with account.open_storage(where) as storage:
        project = account.lay_out(where, who, (), storage)
        sample.fill(project, who.owner)


def _make_objects(
    kubectl: Kubectl, decided: State, where: Places, who: Account, kinds: dict[str, str]
) -> None:
    rules = decided.centre(where)
    made = policies.objects(rules, decided.namespace, decided.labels)
    version = kinds.get("mutatingadmissionpolicies")
    if version:
        made += objects.stamps(decided, who, version)
    kubectl.apply([objects.namespace(decided), *made])
    login = own_registry.pull_login(kubectl.runner, decided, where)
    secret = own_registry.pull_secret(decided.registry, login)
    kubectl.apply(objects.member(decided, rules, secret))
    names = {str(one["metadata"]["name"]) for one in made}
    cluster.remove_policies(kubectl, decided, keep=names)
    cluster.wait_until_in_force(kubectl, decided)


def _missing(decided: State, kinds: dict[str, str]) -> list[str]:
    """What this cluster lacks that Spin has."""
    found = []
    if not decided.ingress_class:
        found.append(
            "the cluster has no ingress class, so the site has no name: install an ingress "
            "controller (minikube: `minikube addons enable ingress`; others: Traefik's Helm "
            "chart), then start the rehearsal again"
        )
    if "mutatingadmissionpolicies" not in kinds:
        found.append(
            "the server has no MutatingAdmissionPolicy, so it does not stamp pods as Spin does"
        )
    return found


def status(name: str = DEFAULT_NAME, *, runner: Runner | None = None) -> Status:
    """How a rehearsal is. Raises SpinstackError if its cluster does not answer."""
    where = places.of(name)
    decided = places.load(where)
    if decided is None:
        nothing = State(name, "", "", "", "")
        return replace(_status(nothing, where, running=False), made=False)
    kubectl = Kubectl(runner or LocalRunner(), decided.kubeconfig, decided.context)
    running = kubectl.get("namespace", decided.namespace) is not None
    return _status(decided, where, running=running)


def _status(decided: State, where: Places, *, running: bool) -> Status:
    return Status(
        name=decided.name,
        made=True,
        running=running,
        context=decided.context,
        namespace=decided.namespace,
        kubeconfig=str(kubeconfig(where)),
        destination=str(where.destination),
        registry=decided.registry,
        own_registry=bool(decided.engine),
        ingress_class=decided.ingress_class,
        storage=str(where.storage),
        private=str(where.private),
    )
