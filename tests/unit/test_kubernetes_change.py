"""What a change on Kubernetes keeps and asks: lock, releases, quota, differences."""

# ruff: noqa: E501 - messages are as long as they are

from __future__ import annotations

import base64
import gzip
import json
import random
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from spinstack.errors import SpinstackError
from spinstack.operate import kept as operate_kept
from spinstack.platforms.base import Garbled
from spinstack.platforms.kubernetes.cluster import (
    access,
    answers,
    differences,
    kept,
    lease,
    quota,
    records,
)
from tests.unit.kubernetes_fake import CLUSTER, printed

NOW = datetime(2026, 11, 29, 16, tzinfo=timezone.utc)
OWNER = {"who": "alice", "host": "laptop", "doing": "deploy"}


def kept_there(made: dict[str, Any], version: str = "7") -> dict[str, Any]:
    """As the server has it afterwards."""
    return {**made, "metadata": {**made["metadata"], "resourceVersion": version, "uid": "u1"}}


# --- Claims ---------------------------------------------------------------------------------

CLAIMS = (
    "kept\tapp.demo\t2026-11-22T16:00:00Z\t\t\tBound\tnfs\n"
    "kept\tdata\t2026-11-22T16:00:00Z\t\tdemo\tBound\tnfs\n"
    "kept\told\t2026-11-22T16:00:00Z\t\t\tBound\tnfs\n"
    "kept\ttheirs\t2026-11-22T16:00:00Z\t\tshop\tBound\tnfs\n"
    "end\n"
)
USERS = (
    "uses\tapp\tapp\tdemo\tdata old\n"
    "uses\tapp-7f-x\tapp\tdemo\tdata old\n"
    "uses\tnightly-1\t\t\tdata\n"
    "uses\tweb\tweb\tshop\ttheirs\n"
    "end\n"
)


def test_all_claims_of_a_stack_are_listed_with_who_uses_them() -> None:
    """What a deploy has made, by its label, and what was there before, by who mounts it."""
    found = operate_kept.of_stack(kept.parse(CLAIMS + USERS), "demo")
    assert [(one.name, one.used_by) for one in found] == [
        ("app.demo", ""),
        ("data", "app, nightly-1"),
        ("old", "app"),
    ]
    assert kept.parse("end\n") == kept.parse("") == []
    for text in (CLAIMS.replace("end\n", ""), CLAIMS + USERS.replace("end\n", "")):
        with pytest.raises(Garbled):
            kept.parse(text)


# --- The lock -------------------------------------------------------------------------------


def test_a_lock_tells_when_its_holder_gave_a_sign_of_life() -> None:
    held = lease.read(kept_there(lease.taken("demo", "n1", OWNER, NOW)))
    assert (held.stack, held.holder, held.owner, held.version) == ("demo", "n1", OWNER, "7")
    assert held.held and held.renewed == NOW
    again = lease.read(kept_there(lease.renewed(held, NOW + timedelta(seconds=30)), "8"))
    assert (again.holder, again.owner) == ("n1", OWNER)
    assert again.renewed == NOW + timedelta(seconds=30)
    free = lease.read(kept_there(lease.released(again, NOW), "9"))
    assert not free.held


def test_every_change_of_a_lock_names_the_version_that_was_read() -> None:
    held = lease.read(kept_there(lease.taken("demo", "n1", OWNER, NOW)))
    made = (
        lease.renewed(held, NOW),
        lease.released(held, NOW),
        lease.taken_over(held, "n2", {}, NOW),
    )
    for one in made:
        assert (one["metadata"]["resourceVersion"], one["metadata"]["uid"]) == ("7", "u1")
    assert made[2]["spec"]["leaseTransitions"] == 1
    first = lease.take(CLUSTER, "demo", None, "n1", OWNER, NOW).script()
    later = lease.take(CLUSTER, "demo", held, "n1", OWNER, NOW).script()
    assert " create " in first and " replace " in later


@pytest.mark.parametrize(
    ("said", "exists", "conflict", "missing"),
    [
        (
            'Error from server (AlreadyExists): error when creating "STDIN": '
            'leases.coordination.k8s.io "spinstack-demo" already exists',
            *(True, False, False),
        ),
        (
            'Error from server (Conflict): error when replacing "STDIN": Operation cannot be '
            'fulfilled on leases.coordination.k8s.io "spinstack-demo": the object has been modified;'
            " please apply your changes to the latest version and try again",
            *(False, True, False),
        ),
        (
            'Error from server (NotFound): leases.coordination.k8s.io "spinstack-demo" not found',
            *(False, False, True),
        ),
    ],
)
def test_somebody_else_was_faster(said: str, exists: bool, conflict: bool, missing: bool) -> None:
    found = answers.read(said)
    assert (found.exists, found.conflict, found.missing) == (exists, conflict, missing)
    assert not found.ok and lease.read_answer(found) is None


def test_any_other_answer_is_none() -> None:
    assert answers.read("").objects == ()
    # Before the first deploy.
    nothing = (
        '{"apiVersion": "v1", "items": [], "kind": "List", "metadata": {"resourceVersion": ""}}'
    )
    assert answers.read(nothing) == answers.read("")
    for said in ("Unable to connect to the server: EOF", "Segmentation fault", "<html>no</html>"):
        with pytest.raises(Garbled):
            answers.read(said)


# --- What is kept ---------------------------------------------------------------------------


def row(made: dict[str, Any], version: str = "7") -> str:
    """As the template of `records.look` prints an object."""
    metadata = made["metadata"]

    def as_json(value: Any) -> str:
        return json.dumps(value) if value else ""

    fields = [
        metadata["labels"]["spinstack/kind"],
        metadata["name"],
        *(version, "u1", as_json(metadata.get("annotations"))),
        *(as_json(made.get("spec")), as_json(made.get("data"))),
    ]
    return "\t".join(["kept", *fields]) + "\n"


def test_all_that_is_kept_is_read_in_one_go() -> None:
    note = {"commit": "0123abc", "images": {"APP_IMAGE": "r/app:1\ttab"}}
    history = tuple(f'{{"n": {n}}}' for n in range(300))
    written = records.Record("r2", {"doing": "deploy"}, history)
    later = records.release("demo", "r2", "kind: B\n", {})
    later["metadata"]["annotations"] = {records.STATE: records.CONFIRMED}
    told = "".join(
        [
            row(later),
            row(records.release("demo", "r1", "kind: A\n", note)),
            row(lease.taken("demo", "n1", OWNER, NOW)),
            row(records.record("demo", written), "12"),
            "end\n",
        ]
    )
    found = records.read(told, "demo")
    assert found.lock and (found.lock.holder, found.lock.owner) == ("n1", OWNER)
    assert [(one.id, one.confirmed, one.note) for one in found.releases] == [
        ("r1", False, note),
        ("r2", True, {}),
    ]
    assert (found.record.current, found.record.unfinished) == ("r2", {"doing": "deploy"})
    assert found.record.history == history[-records.HISTORY :], "the oldest lines are dropped"
    assert (found.record.version, found.record.uid) == ("12", "u1")
    assert records.read("", "demo") == records.read("end\n", "demo") == records.Kept()
    with pytest.raises(Garbled):
        records.read(told.removesuffix("end\n"), "demo")


def test_manifests_come_back_as_they_were() -> None:
    text = "kind: ConfigMap\ndata: {a: é}\n" * 5000
    made = records.release("demo", "r1", text, {})
    packed = made["binaryData"]["manifests.gz"]
    assert len(packed) < len(text) / 50
    assert records.read_manifests(packed + "\n") == text
    for bad in ("", "no base64", base64.b64encode(b"x").decode(), packed[:40]):
        with pytest.raises(ValueError):
            records.read_manifests(bad)


def test_a_release_that_kubernetes_could_not_keep_is_refused_before() -> None:
    noise = random.Random(1).randbytes(1_200_000).hex()
    with pytest.raises(SpinstackError, match=r"Kubernetes keeps at most") as error:
        records.release("demo", "r1", noise, {})
    assert "into an image" in error.value.remedy
    records.release("demo", "r1", noise[:1_000_000], {})


def test_a_record_is_only_replaced_as_it_was_read() -> None:
    first = records.write(CLUSTER, "demo", records.Record("r1")).script()
    later = records.write(CLUSTER, "demo", records.Record("r1", version="7", uid="u1")).script()
    assert " create " in first and "resourceVersion" not in first
    assert " replace " in later and '"resourceVersion":"7"' in later


# --- Quota ----------------------------------------------------------------------------------


def room(hard: dict[str, str], used: dict[str, str], *defaults: dict[str, Any]) -> quota.Room:
    status = {"hard": hard, "used": used}
    limits = {
        "kind": "LimitRange",
        "spec": {"limits": [{"type": "Container", **one} for one in defaults]},
    }
    return quota.parse(
        printed({"kind": "ResourceQuota", "metadata": {"name": "q"}, "status": status}, limits)
    )


def spec(**resources: dict[str, str]) -> dict[str, Any]:
    return {"containers": [{"name": "web", "resources": resources}]}


def test_a_quota_without_room_for_one_more_pod_is_told() -> None:
    full = room({"pods": "2", "limits.memory": "1Gi"}, {"pods": "2", "limits.memory": "600Mi"})
    found = quota.shortages(full, [spec(limits={"memory": "512Mi"})])
    assert [str(one) for one in found] == [
        "quota q: pods 2 of 2 used, 1 more wanted",
        "quota q: limits.memory 600Mi of 1Gi used, 512Mi more wanted",
    ]
    assert quota.shortages(full, []) == []


def test_a_quota_of_what_containers_do_not_say_refuses_them() -> None:
    strict = room({"requests.cpu": "4"}, {"requests.cpu": "500m"})
    (found,) = quota.shortages(strict, [spec()])
    assert str(found) == "quota q: containers must say requests.cpu"
    assert quota.shortages(strict, [spec(limits={"cpu": "2"})]) == [], "a limit is a request, too"
    given = room({"cpu": "4"}, {"cpu": "3500m"}, {"defaultRequest": {"cpu": "600m"}})
    assert [one.wanted * 10 for one in quota.shortages(given, [spec()])] == [6]


# --- Differences ----------------------------------------------------------------------------


def test_only_what_an_apply_would_change_differs() -> None:
    def made(image: str, stamp: str, **metadata: Any) -> dict[str, Any]:
        container = {"name": "web", "image": image, "env": [{"name": "A", "value": "1"}]}
        notes = {"annotations": {"nersc.gov/uid": stamp}, "labels": {"a": "b"}}
        return {
            "kind": "Deployment",
            "metadata": {"name": "web", **notes, **metadata},
            "spec": {"template": {"metadata": notes, "spec": {"containers": [container]}}},
            "status": {"replicas": len(stamp)},
        }

    there = made("r/web:1", "1000", resourceVersion="7", generation=3)
    wanted = made("r/web:2", "23", managedFields=[{"manager": "x"}])
    found = differences.differences([there], [wanted], ("nersc.gov/",))
    assert [one.line for one in found] == [
        "Deployment web, spec.template.spec.containers[web].image: r/web:1 → r/web:2"
    ]
    stamped = differences.differences([there], [made("r/web:1", "23")])
    assert {one.where for one in stamped} == {
        "metadata.annotations.nersc.gov/uid",
        "spec.template.metadata.annotations.nersc.gov/uid",
    }
    new, gone = (
        {"kind": "Service", "metadata": {"name": "new"}},
        {"kind": "Service", "metadata": {"name": "old"}},
    )
    assert [one.line for one in differences.differences([gone], [new])] == [
        "Service old: - removed",
        "Service new: + new",
    ]


def test_a_secret_is_not_shown_in_a_difference() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"s": value}}

    (found,) = differences.differences([secret("aHVudGVyMg==")], [secret("eA==")])
    assert found.line == "Secret s, data.s: ******** → ********"


# --- Access ---------------------------------------------------------------------------------


def test_the_end_of_a_token_is_read_from_its_claims() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1796000000}).encode()).decode().rstrip("=")
    assert access.read_token(f"Warning: x\n{claims}\n") == datetime(
        2026, 11, 30, 0, 53, 20, tzinfo=timezone.utc
    )
    rancher = '"expiresAt":"2026-11-30T00:53:20Z"\n'
    assert access.read_token(rancher) == datetime(2026, 11, 30, 0, 53, 20, tzinfo=timezone.utc)
    for other in ("", '"expiresAt":""', "kubeconfig-u-abcde", "e30", "bnVsbA", "é", "1" * 300):
        assert access.read_token(other) is None


@pytest.mark.parametrize(
    ("token", "printed"),
    [
        ("aaa.claims.signature", "claims"),
        ("kubeconfig-u-abc:hunter2", '"expiresAt":"2026-12-24T00:00:00Z"'),
        ("hunter2", ""),
        ("", ""),
    ],
)
def test_of_a_token_nothing_is_printed_that_lets_anybody_in(
    tmp_path: Path, token: str, printed: str
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(
        """#!/bin/bash
        case "$*" in
        *'--server https://r.example.org get --raw /v3/tokens/kubeconfig-u-abc')
            echo '{"token":"hunter2","expiresAt":"2026-12-24T00:00:00Z"}' ;;
        *view*) printf 'https://r.example.org/k8s/clusters/c-1 %s' "$TOKEN" ;;
        *) exit 1
        esac
        """
    )
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TOKEN": token, "HOME": "/none"}
    body = access.token_step(CLUSTER).body()
    done = subprocess.run(["bash", "-c", body], env=path, capture_output=True, text=True)
    assert done.stdout.strip() == printed
    assert "hunter2" not in done.stdout + done.stderr


def test_rights_that_are_missing_are_named() -> None:
    told = "can patch deployments.apps yes\ncan list pods no\ncan create configmaps error: x y\n"
    (found,) = access.missing_rights(CLUSTER, told)
    assert found.problem == "you may not list pods there"
    assert access.missing_rights(CLUSTER, "") == []


def test_compressed_manifests_are_the_same_each_time() -> None:
    one = records.release("demo", "r1", "a", {})["binaryData"]["manifests.gz"]
    assert gzip.decompress(base64.b64decode(one)) == b"a"
    assert one == records.release("demo", "r1", "a", {})["binaryData"]["manifests.gz"]


@pytest.mark.parametrize(
    ("claims", "gone"),
    [
        ("|\n|x data\n|\n", False),
        ("|mydata\n", True),
        ("", True),
        ("2026-11-29T21:00:00Z|data", True),
    ],
)
@pytest.mark.parametrize("kind", ["secret", "volume"])
def test_what_a_pod_mounts_is_not_removed(kind: str, claims: str, gone: bool) -> None:
    program = f"""kubectl() {{ case "$*" in
        *"get pods"*) printf '%s' '{claims}' ;;
        *"delete persistentvolumeclaims data"*|*"delete secrets data"*) echo deleted ;;
    esac; }}"""
    body = kept.remove_step(CLUSTER, kind, "data").body()
    said = subprocess.run(["bash", "-c", f"{program}\n{body}"], capture_output=True, text=True)
    assert (said.returncode == 0, "deleted" in said.stdout) == (gone, gone), said
    assert gone or said.stdout.startswith("error: pods mount it")


def test_a_claim_is_not_removed_where_nobody_knows_who_mounts_it() -> None:
    body = kept.remove_step(CLUSTER, "volume", "data").body()
    program = 'kubectl() { case "$*" in *"get pods"*) echo no; false ;; *) echo deleted ;; esac; }'
    said = subprocess.run(["bash", "-c", f"{program}\n{body}"], capture_output=True, text=True)
    assert said.returncode and said.stdout == "no\n"


def test_secrets_and_claims_are_marked_with_their_stack_and_not_their_service() -> None:
    part_of = "app.kubernetes.io/part-of"
    assert part_of not in kept.create_secret_step(CLUSTER, "app.demo.password", b"x").body()
    assert f"{part_of}=demo" in kept.create_secret_step(CLUSTER, "demo.password", b"x").body()
    assert f'"{part_of}":"demo"' in kept.create_volume_step(CLUSTER, "app.demo", "").body()


@pytest.mark.parametrize(("between", "places"), [(10, ["2", "13"]), (5000, ["2"])])
def test_changed_lines_of_a_file_are_found_and_of_a_huge_one_not_matched(
    between: int, places: list[str]
) -> None:
    """Matching hundreds of thousands of lines would take hours."""

    def made(name: str, text: str) -> dict[str, Any]:
        marks = {"name": name, "labels": {"app.kubernetes.io/name": "web"}}
        return {"kind": "ConfigMap", "metadata": marks, "data": {"a.conf": text}}

    mounts = {"volumes": [{"configMap": {"name": "old"}}]}
    web = {
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": mounts}},
    }
    same = "a\n" * between
    old, new = f"x\n1\n{same}2\ny\n", f"x\n3\n{same}4\ny\n"
    begun = [differences.Difference("ConfigMap", "new", new="new")]
    found = differences.in_files(begun, [web], [made("old", old)], [made("new", new)])
    assert [one.where.rpartition(" ")[2] for one in found] == places
    assert found[0].old and found[0].old.startswith("1") and found[0].old.count("\n") <= 20
