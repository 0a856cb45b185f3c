"""The components of a cluster: how each is called, and its configuration file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .place import POD_NETWORK, SERVICE_NETWORK, Place

ETCD = "http://127.0.0.1:2379"
PAUSE_IMAGE = "spinstack-cluster/pause:1"
# What Debian's containernetworking-plugins brings.
PLUGINS = "/usr/lib/cni"
DOMAIN = "cluster.local"


def commands(place: Place) -> Mapping[str, tuple[str, ...]]:
    """Component -> the words of its command, in the order in which they are started."""
    at, kube = place.directory, place.programs / "kube"
    return {
        "etcd": (
            *(str(kube), "etcd", "--data-dir", str(at / "etcd"), "--client-url", ETCD),
            *("--peer-url", "http://127.0.0.1:2380"),
        ),
        "apiserver": _apiserver(place, kube),
        "controller-manager": _controller_manager(place, kube),
        "scheduler": (
            *(str(kube), "scheduler", "--kubeconfig", _kubeconfig(place, "scheduler")),
            "--leader-elect=false",
        ),
        "containerd": ("containerd", "--config", str(at / "containerd.toml")),
        "kubelet": (
            *(str(kube), "kubelet", "--config", str(at / "kubelet.json")),
            *("--kubeconfig", _kubeconfig(place, "kubelet"), "--root-dir", str(at / "kubelet")),
            *("--cert-dir", str(at / "kubelet-pki"), "--node-ip", place.address),
            "--hostname-override=node",
        ),
        "proxy": (str(kube), "proxy", "--config", str(at / "proxy.json")),
        "dns": _ours(place, kube, "dns"),
        "ingress": _ours(place, kube, "ingress"),
    }


def _ours(place: Place, kube: Path, name: str) -> tuple[str, ...]:
    """A component of our own, from kube/."""
    at = ("--kubeconfig", _kubeconfig(place, name), "--address", place.address)
    return (str(kube), name, *at)


def _kubeconfig(place: Place, component: str) -> str:
    return str(place.certificates / f"{component}.kubeconfig")


def _apiserver(place: Place, kube: Path) -> tuple[str, ...]:
    at = place.certificates
    options = {
        "etcd-servers": ETCD,
        "service-cluster-ip-range": SERVICE_NETWORK,
        "advertise-address": place.address,
        "secure-port": "6443",
        "tls-cert-file": f"{at}/apiserver.crt",
        "tls-private-key-file": f"{at}/apiserver.key",
        "client-ca-file": f"{at}/ca.crt",
        "service-account-key-file": f"{at}/tokens.pub",
        "service-account-signing-key-file": f"{at}/tokens.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "kubelet-client-certificate": f"{at}/apiserver-client.crt",
        "kubelet-client-key": f"{at}/apiserver-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "authorization-mode": "Node,RBAC",
        "allow-privileged": "true",
        "profiling": "false",
    }
    return (str(kube), "apiserver", *(f"--{name}={value}" for name, value in options.items()))


def _controller_manager(place: Place, kube: Path) -> tuple[str, ...]:
    at = place.certificates
    options = {
        "kubeconfig": _kubeconfig(place, "controller-manager"),
        "root-ca-file": f"{at}/ca.crt",
        "service-account-private-key-file": f"{at}/tokens.key",
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "profiling": "false",
    }
    words = (f"--{name}={value}" for name, value in options.items())
    return (str(kube), "controller-manager", *words)


def write_files(place: Place) -> None:
    """The configuration of those components that want theirs in a file."""
    at = place.directory
    (at / "kubelet.json").write_text(json.dumps(_kubelet(place), indent=1))
    (at / "proxy.json").write_text(json.dumps(_proxy(place), indent=1))
    (at / "containerd.toml").write_text(_containerd(place))
    # What the centre's own resolvers would be: nothing outside the cluster is looked up.
    (at / "resolv.conf").write_text(f"nameserver {place.address}\n")
    (at / "cni").mkdir()
    (at / "cni" / "pods.conflist").write_text(json.dumps(_pod_network(place), indent=1))


def _kubelet(place: Place) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{place.certificates}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{place.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{place.cgroup}",
        # Machines that build and test often have the older kind of control groups, and swap.
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [place.address],
        "clusterDomain": DOMAIN,
        "resolvConf": f"{place.directory}/resolv.conf",
        # A disk that is nearly full is no reason to end pods or to remove images.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "localStorageCapacityIsolation": False,
        # Small waits: a test waits for each of them.
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "10s",
        "volumeStatsAggPeriod": "-1s",
        "logging": {"verbosity": 1},
    }


def _proxy(place: Place) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": _kubeconfig(place, "proxy")},
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": "node",
        "bindAddress": place.address,
        # Limits of the whole machine, which a network namespace can't and need not change.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "100ms"},
    }


def _containerd(place: Place) -> str:
    at = place.directory
    return f"""\
version = 2
root = "{at}/containerd"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{place.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Root of a machine like CI's may not make processes safer from the kernel than it is itself.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{at}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{at}/registries"
"""


def _pod_network(place: Place) -> dict[str, Any]:
    """Each pod on a wire of its own, so that all that goes between them is routed: over a bridge
    services would work only with a kernel module that not every machine has."""
    addresses = {
        "type": "host-local",
        "dataDir": f"{place.directory}/addresses",
        "ranges": [[{"subnet": POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
