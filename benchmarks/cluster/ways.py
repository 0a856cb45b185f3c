"""The ways that are compared, each on the stack in its own namespace of the same cluster."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.cluster.bench import Bench, Way
from benchmarks.cluster.place import HELM, KUBECTL, OURS, Site
from spinstack.errors import SpinstackError

TO = ("--to", "kube")
RELEASE = "site"
# The service whose file is changed, and all of them: a pod each.
CHANGED = "web"
PODS = 2
# Seconds for the first deploy, which pushes images to an empty registry, and pulls them.
_FIRST_WITHIN = 1200.0
# Seconds for the pods of before a change to be gone.
_SETTLED_WITHIN = 90.0

STATUS = "invoke status"
GET = "kubectl get deployments,pods"
START = "invoke, a task that does nothing"
GET_AND_START = "kubectl get deployments,pods, then invoke with a task that does nothing"
NOTHING = "invoke deploy, nothing to do"
CHANGE = "invoke deploy, a file changed"
_APPLY = "kubectl apply and rollout status"
NOTHING_KUBECTL, CHANGE_KUBECTL = f"{_APPLY}, nothing to do", f"{_APPLY}, a file changed"
NOTHING_HELM, CHANGE_HELM = (f"helm upgrade --wait, {what}" for what in
                             ("nothing to do", "a file changed"))  # fmt: skip


def quick_ways(bench: Bench) -> list[Way]:
    """Those that change nothing."""
    helm = [Way(NOTHING_HELM, _plain(HELM, _helm), _settle)]
    return [
        Way(STATUS, _counted("status"), _settle),
        Way(GET_AND_START, _get_and_start),
        Way(NOTHING, _counted("deploy")),
        Way(NOTHING_KUBECTL, _plain(KUBECTL, _apply)),
        *(helm if HELM in bench.place.sites else ()),
    ]


def changes(bench: Bench) -> list[Way]:
    """A line of a file that a ConfigMap brings."""
    helm = [Way(CHANGE_HELM, _changed(HELM, _helm), _next(HELM))]
    return [
        Way(CHANGE, _changed(OURS, _deploy), _next(OURS)),
        Way(CHANGE_KUBECTL, _changed(KUBECTL, _apply), _next(KUBECTL)),
        *(helm if HELM in bench.place.sites else ()),
    ]


def first(bench: Bench) -> None:
    """Bring the stack to all namespaces; the first one builds and pushes the images."""
    for way, words in ((OURS, _deploy), (KUBECTL, _apply), (HELM, _helm)):
        if site := bench.place.sites.get(way):
            bench.say(f"first deploy by {way} …")
            bench.changes[way] = 0
            _render(bench, way)
            bench.timed(words(site), site.stack, within=_FIRST_WITHIN)


def _deploy(site: Site) -> tuple[str, ...]:
    return ("invoke", "deploy", *TO)


def _apply(site: Site) -> tuple[str, ...]:
    """What a person types who has the manifests: one line of a shell."""
    kubectl = " ".join(site.kubectl)
    apply = f"{kubectl} apply -k {site.rendered}"
    return ("sh", "-c", f"{apply} && {kubectl} rollout status deployment/{CHANGED}")


def _helm(site: Site) -> tuple[str, ...]:
    where = ("--kubeconfig", str(site.namespace.kubeconfig), "--namespace", site.namespace.name)
    return ("helm", "upgrade", "--install", RELEASE, str(_chart(site)), "--wait", *where)


def _plain(
    way: str, words: Callable[[Site], tuple[str, ...]]
) -> Callable[[Bench], dict[str, float]]:
    def go(bench: Bench) -> dict[str, float]:
        site = bench.place.sites[way]
        return {"seconds": bench.timed(words(site), site.stack)}

    return go


def _counted(task: str) -> Callable[[Bench], dict[str, float]]:
    """A task, as typed; then once more, to count the calls of kubectl."""

    def go(bench: Bench) -> dict[str, float]:
        words, at = ("invoke", task, *TO), bench.place.sites[OURS].stack
        return {"seconds": bench.timed(words, at), "calls": len(bench.calls(words, at))}

    return go


def _get_and_start(bench: Bench) -> dict[str, float]:
    """Both at once, and each."""
    site = bench.place.sites[OURS]
    get = bench.timed((*site.kubectl, "get", "deployments,pods"), site.stack)
    start = bench.timed(("invoke", "build"), bench.place.trivial)
    bench.results.add(GET, len(bench.results.values(GET, "seconds")), seconds=get)
    bench.results.add(START, len(bench.results.values(START, "seconds")), seconds=start)
    return {"seconds": get + start}


def _changed(
    way: str, words: Callable[[Site], tuple[str, ...]]
) -> Callable[[Bench], dict[str, float]]:
    def go(bench: Bench) -> dict[str, float]:
        site = bench.place.sites[way]
        return bench.changed(way, words(site), site.stack)

    return go


def _next(way: str) -> Callable[[Bench], None]:
    """Before a change: nothing moves any more, and the file is another one."""

    def before(bench: Bench) -> None:
        _settle(bench)
        bench.changes[way] += 1
        bench.place.sites[way].change(bench.changes[way])
        _render(bench, way)

    return before


def _render(bench: Bench, way: str) -> None:
    """The manifests for kubectl and Helm, made by the product from the same stack."""
    site = bench.place.sites[way]
    if way == KUBECTL:
        shutil.rmtree(site.rendered, ignore_errors=True)
        _done(bench, site, "render", "--output", str(site.rendered))
    if way == HELM:
        chart = _chart(site)
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        about = {"apiVersion": "v2", "name": RELEASE, "version": "0.1.0"}
        (chart / "Chart.yaml").write_text(json.dumps(about))
        # Braces of the files in it are none of Helm's.
        (chart / "templates" / "all.yaml").write_text('{{ .Files.Get "all.yaml" }}\n')
        (chart / "all.yaml").write_text(_done(bench, site, "render"))


def _chart(site: Site) -> Path:
    return site.rendered / "chart"


def _done(bench: Bench, site: Site, *words: str) -> str:
    done = bench.place.run(("invoke", *words, *TO), site.stack)
    if done.returncode:
        raise SpinstackError(f"failed: invoke {' '.join(words)}", details=done.stderr[-2000:])
    return done.stdout


def _settle(bench: Bench) -> None:
    """Wait until no site has a pod left from before its last change."""
    wanted = sorted(site.namespace.name for site in bench.place.sites.values() for _ in range(PODS))
    words = ("get", "pods", "--all-namespaces", "-o", "jsonpath={.items[*].metadata.namespace}")
    deadline = time.monotonic() + _SETTLED_WITHIN
    while time.monotonic() < deadline:
        pods = bench.place.cluster.admin.run(*words).split()
        if sorted(name for name in pods if name in wanted) == wanted:
            return
        time.sleep(0.3)
    raise SpinstackError("pods of before the last change stay", details=" ".join(pods))
