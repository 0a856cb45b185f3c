"""The table of known errors: whole, of known groups, and each entry of an occasion speaks for
the message that it was made for."""

# ruff: noqa: E501 - messages are as long as they are

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.console import known_errors
from spinstack.console.error_table import Entry, Group, Occasion, packaged

# What the callers know on each occasion.
FIELDS: dict[Occasion, set[str]] = {
    "build": {"engine", "key", "platform", "dockerfile", "doing"},
    "push": {"engine", "registry", "namespace", "reference", "not_let_in", "doing"},
    "registry-login": {"engine", "registry", "user", "doing"},
    "local-up": {"engine", "doing"},
    "engine-version": {"engine", "start"},
    "rancher-step": set(),
    "kubectl-step": set(),
    "remote-write": {"what"},
    "ssh-login": {"host"},
    "ssh-config": set(),
    "ssh-connect": {"unreachable"},
}

# Id of the entry, one of its occasions, what is printed then.
MESSAGES: list[tuple[str, Occasion, str]] = [
    ("write-no-space", "remote-write", "tar: app.py: Cannot write: No space left on device"),
    ("write-quota", "remote-write", "mkdir: cannot create directory 'releases': Disk quota exceeded"),
    ("write-read-only", "remote-write", "mkdir: cannot create directory 'lock': Read-only file system"),
    ("write-denied", "remote-write", "mkdir: cannot create directory 'lock': Permission denied"),
    ("write-no-directory", "remote-write", "mkdir: cannot create directory 'a/b': No such file or directory"),
    ("step-no-key", "rancher-step", "RANCHER_URL environment or --url is not set, run `config`"),
    ("step-401", "rancher-step", "Bad response statusCode [401]. Status [401 Unauthorized]."),
    ("step-403", "rancher-step", "Bad response statusCode [403]. Status [403 Forbidden]."),
    ("step-no-environment", "rancher-step", "Not found: dev-catle"),
    ("step-page", "rancher-step", "<html><body>502 Bad Gateway</body></html>"),
    ("step-refused", "rancher-step", "Get http://127.0.0.1:1/v2-beta: dial tcp 127.0.0.1:1: connect: connection refused"),
    ("step-slow", "rancher-step", "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"),
    ('kube-webhook', 'kubectl-step', 'Error from server (Forbidden): admission webhook "v.spin" denied the request: [psp] add user'),
    ('kube-policy', 'kubectl-step', 'The deployments "app" is invalid: : ValidatingAdmissionPolicy \'spin-rules\' with binding \'spin-rules\' denied request: drop ALL is missing'),
    ('kube-pod-security', 'kubectl-step', 'pods "app-1" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volumes "static")'),
    ('kube-quota', 'kubectl-step', 'pods "app-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'),
    ('kube-quota-silent', 'kubectl-step', 'pods "web-1" is forbidden: failed quota: q: must specify limits.cpu for: web; limits.memory for: web'),
    ('kube-mount', 'kubectl-step', 'MountVolume.SetUp failed for volume "c" : hostPath type check failed, /data/x is not a directory, unable to determine its type: path "/data/x" does not exist'),
    ('kube-mount-denied', 'kubectl-step', 'Error: failed to generate container "1" spec: failed to stat "/data/x": stat /data/x: permission denied'),
    ('kube-missing', 'kubectl-step', 'Error: configmap "web-1234" not found'),
    ('kube-missing-key', 'kubectl-step', "Error: couldn't find key demo.token in Secret demo/demo.token"),
    ('kube-root', 'kubectl-step', 'Error: container has runAsNonRoot and image will run as root (pod: "x", container: web)'),
    ('kube-pull-secret', 'kubectl-step', 'Unable to retrieve some image pull secrets (registry-nersc); attempting to pull the image may not succeed.'),
    ('kube-pull-denied', 'kubectl-step', 'pulling from host r.example failed with status code [manifests 1.0]: 401 Unauthorized'),
    ('kube-no-image', 'kubectl-step', 'failed to resolve reference "r.example/a/app:2": r.example/a/app:2: not found'),
    ('kube-platform', 'kubectl-step', 'no match for platform in manifest: not found'),
    ('kube-registry-away', 'kubectl-step', 'failed to do request: Head "https://r.example/v2/x": dial tcp: lookup r.example: no such host'),
    ('kube-image-name', 'kubectl-step', 'Failed to apply default image tag "A:1": couldn\'t parse image name "A:1": invalid reference format'),
    ('kube-memory', 'kubectl-step', 'web has ended: OOMKilled, exit code 137'),
    ('kube-no-program', 'kubectl-step', 'exec: "gunicorn": executable file not found in $PATH: unknown'),
    ('kube-probe', 'kubectl-step', 'Readiness probe failed: HTTP probe failed with statuscode: 404'),
    ('kube-crash', 'kubectl-step', 'Back-off restarting failed container web in pod web-1_demo(7)'),
    ('kube-no-claim', 'kubectl-step', '0/1 nodes are available: persistentvolumeclaim "db.guest-book" not found. not found'),
    ('kube-claim-unbound', 'kubectl-step', '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found'),
    ('kube-no-room', 'kubectl-step', '0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available'),
    ('kube-immutable', 'kubectl-step', 'spec.clusterIPs[0]: Invalid value: []string{"None"}: may not change once set'),
    ('kube-401', 'kubectl-step', 'error: You must be logged in to the server (Unauthorized)'),
    ("kube-old-kubectl", "kubectl-step", 'error: error validating "STDIN": error validating data: failed to check CRD: failed to list CRDs: customresourcedefinitions.apiextensions.k8s.io is forbidden: User "alice" cannot list resource "customresourcedefinitions" in API group "apiextensions.k8s.io" at the cluster scope'),
    ('kube-403', 'kubectl-step', 'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "x"'),
    ('kube-no-config', 'kubectl-step', 'error: stat /home/a/.kube/config: no such file or directory'),
    ('kube-bad-config', 'kubectl-step', 'error: error loading config file "/home/a/kc": json: cannot unmarshal bool into Go struct field Context.contexts.context.namespace of type string'),
    ('kube-no-context', 'kubectl-step', 'error: context "dev" does not exist'),
    ('kube-no-namespace', 'kubectl-step', 'Error from server (NotFound): namespaces "nw" not found'),
    ('kube-no-plugin', 'kubectl-step', 'Unable to connect to the server: getting credentials: exec: executable rancher not found'),
    ('kube-certificate', 'kubectl-step', 'Unable to connect to the server: x509: certificate signed by unknown authority'),
    ('kube-no-name', 'kubectl-step', 'Unable to connect to the server: dial tcp: lookup k.example on 10.0.0.1:53: no such host'),
    ('kube-page', 'kubectl-step', '<html><body>502 Bad Gateway</body></html>'),
    ('kube-refused', 'kubectl-step', 'The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?'),
    ('kube-slow', 'kubectl-step', 'Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)'),
    ('kube-deadline', 'kubectl-step', 'error: deployment "web" exceeded its progress deadline'),
    ("registry-not-stored", "registry-login", "Error saving credentials: permission denied"),
    ("registry-refused", "registry-login", 'Get "https://r/v2/": unauthorized: authentication required'),
    ("push-no-image", "push", "An image does not exist locally with the tag: x/y"),
    ("push-no-namespace", "push", "name unknown: repository name not known to registry"),
    ("push-not-logged-in", "push", "no basic auth credentials"),
    ("push-forbidden", "push", "denied: requested access to the resource is denied"),
    ("push-too-large", "push", "error parsing HTTP 413 response body: 413 Request Entity Too Large"),
    ("engine-forbidden", "engine-version", "permission denied while trying to connect to the Docker daemon"),
    ("engine-stopped", "engine-version", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
    ("engine-disk-full", "registry-login", "write ~/.docker/config.json: no space left on device"),
    ("engine-disk-full", "push", "write /var/lib/registry/x: no space left on device"),
    ("engine-disk-full", "build", "write /usr/lib/x: no space left on device"),
    ("engine-disk-full", "local-up", "mkdir /var/lib/docker/x: no space left on device"),
    ("build-no-buildx", "build", "ERROR: BuildKit is enabled but the buildx component is missing or broken."),
    ("build-platform", "build", "exec /bin/sh: exec format error"),
    ("build-no-file", "build", 'failed to compute cache key: "/nofile": not found'),
    ("build-dockerfile", "build", "dockerfile parse error line 2: unknown instruction: FRM"),
    ("build-no-base", "build", "base name (${BASE}) should not be blank"),
    ("build-base-pull", "build", "manifest for python:3.99 not found: manifest unknown"),
    ("build-no-network", "build", "Temporary failure resolving 'deb.debian.org'"),
    ("build-certificate", "build", "SSLError(SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED])"),
    ("build-no-hash", "build", "ERROR: Hashes are required in --require-hashes mode, but they are missing"),
    ("build-other-hash", "build", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."),
    ("build-no-wheel", "build", "ERROR: No matching distribution found for numpy==1.26.4"),
    ("up-port-taken", "local-up", "Bind for 127.0.0.1:60037 failed: port is already allocated"),
    ("up-not-shared", "local-up", "The path /data is not shared from the host and is not known to Docker."),
    ("up-no-image", "local-up", "pull access denied for demo/app, repository does not exist"),
    ("up-unknown-key", "local-up", "services.web Additional property prots is not allowed"),
    ("up-bad-mount", "local-up", 'invalid mount config for type "bind": bind source path does not exist: /x'),
    ("ssh-host-changed", "ssh-login", "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @"),
    ("ssh-host-unknown", "ssh-login", "No ED25519 host key is known for login and you have requested strict checking."),
    ("ssh-host-refused", "ssh-login", "Host key verification failed."),
    ("ssh-config", "ssh-config", "/home/bob/.ssh/config: line 3: Bad configuration option: hostnam"),
    ("ssh-no-name", "ssh-connect", "ssh: Could not resolve hostname login: Name or service not known"),
    ("ssh-timeout", "ssh-connect", "ssh: connect to host login port 22: Operation timed out"),
    ("ssh-no-connection", "ssh-connect", "ssh: connect to host login port 22: Connection refused"),
    ("ssh-silent", "ssh-connect", "Connection timed out during banner exchange"),
    ("ssh-no-greeting", "ssh-connect", "kex_exchange_identification: read: Connection reset by peer"),
    ("ssh-dropped", "ssh-connect", "Connection closed by 128.55.64.1 port 22"),
    ("ssh-sent-away", "ssh-connect", "Received disconnect from 128.55.64.1 port 22:2: no more sessions"),
    ("registry-certificate", "push", 'Get "https://r/v2/": x509: certificate signed by unknown authority'),
    ("registry-timeout", "push", 'Get "https://r/v2/": dial tcp 192.0.2.1:443: i/o timeout'),
    ("registry-unreachable", "registry-login", 'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host'),
    ("registry-fault", "push", "received unexpected HTTP status: 503 Service Unavailable"),
]  # fmt: skip


@pytest.mark.parametrize("entry", packaged(), ids=lambda entry: entry.id)
def test_an_entry_says_the_cause_and_what_to_do(entry: Entry) -> None:
    assert entry.cause and entry.remedy and entry.source
    assert "\n" not in entry.cause + entry.remedy
    assert entry.group in get_args(Group)
    assert set(entry.when) <= set(get_args(Occasion))
    assert not entry.pattern.search(""), "it would speak for any text"


@pytest.mark.parametrize("entry", packaged(), ids=lambda entry: entry.id)
def test_what_an_entry_leaves_open_can_be_filled_in(entry: Entry) -> None:
    wanted = set(re.findall(r"<(\w+)>", entry.cause + entry.remedy))
    fields = [known for when, known in FIELDS.items() if when in entry.when] or [set()]
    assert wanted <= set(entry.pattern.groupindex) | set.intersection(*fields)


def test_ids_are_unique_and_every_group_and_occasion_has_entries() -> None:
    ids = [entry.id for entry in packaged()]
    assert len(ids) == len(set(ids))
    assert {entry.group for entry in packaged()} == set(get_args(Group))
    assert {when for entry in packaged() for when in entry.when} == set(get_args(Occasion))


def test_every_entry_of_an_occasion_has_a_message() -> None:
    assert list(dict.fromkeys(id for id, _, _ in MESSAGES)) == [e.id for e in packaged() if e.when]


@pytest.mark.parametrize(("wanted", "when", "message"), MESSAGES)
def test_a_message_is_known_on_its_occasion(wanted: str, when: Occasion, message: str) -> None:
    fields = dict.fromkeys(FIELDS[when], "X")
    known = known_errors.find(f"before\n{message}\nafter", when, fields)
    assert known and known.id == wanted
    assert "<" not in known.cause + known.remedy, "something was not filled in"
    assert known_errors.find("all is well", when, fields) is None


@given(st.text(), st.sampled_from(get_args(Occasion)))
def test_any_text_can_be_asked_about(text: str, when: Occasion) -> None:
    known = known_errors.find(text, when)
    assert known is None or known.cause
