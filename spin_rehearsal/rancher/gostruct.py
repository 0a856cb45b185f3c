"""Resources with the fields of the client's Go structs, for the templates of `ps`."""

from __future__ import annotations

from typing import Any

from .api import Resource
from .govalue import Struct

_COMMON = (
    "Id Type Links Actions AccountId Created CreatedTS Data Description Kind Name RemoveTime"
    " Removed State Transitioning TransitioningMessage TransitioningProgress Uuid HealthState"
)
_FIELDS = {
    "Service": "AssignServiceIpAddress CreateIndex CreateOnly CurrentScale ExternalId Fqdn"
    " InstanceIds LaunchConfig LbConfig LinkedServices Metadata PublicEndpoints RetainIp Scale"
    " ScalePolicy SecondaryLaunchConfigs SelectorContainer SelectorLink StackId StartOnCreate"
    " System Upgrade Vip",
    "Stack": "Answers Binding DockerCompose Environment ExternalId Group Outputs"
    " PreviousEnvironment PreviousExternalId RancherCompose ServiceIds StartOnCreate System"
    " Templates",
    "Container": "AllocationState CapAdd CapDrop Command Count DataVolumes DeploymentUnitUuid"
    " EntryPoint Environment Expose ExternalId FirstRunning GroupAdd HealthCheck HostId Hostname"
    " ImageUuid InstanceLinks Labels Mounts NetworkMode Ports PrimaryIpAddress Privileged"
    " ReadOnly RestartPolicy RunningCount ServiceId ServiceIds StackId StartCount StartOnCreate"
    " StdinOpen System Tty User Version WorkingDir",
    "LaunchConfig": "CapAdd CapDrop Command DataVolumes EntryPoint Environment Expose GroupAdd"
    " HealthCheck Hostname ImageUuid Labels Memory NetworkMode Ports Privileged ReadOnly Secrets"
    " StartOnCreate StdinOpen Tmpfs Tty User Version WorkingDir",
    "Secret": "Value",
    "Volume": "AccessMode Driver DriverOpts ExternalId HostId ImageId InstanceId IsHostPath Mounts"
    " SizeMb StackId StorageDriverId Uri VolumeTemplateId",
    "PublicEndpoint": "HostId InstanceId IpAddress Port ServiceId",
}
# Where a resource holds another struct; what is not listed is a map or a plain value.
_INNER = {
    "launchConfig": "LaunchConfig",
    "secondaryLaunchConfigs": "LaunchConfig",
    "publicEndpoints": "PublicEndpoint",
}


def struct(kind: str, resource: Resource) -> Struct:
    """The resource as Go's client.KIND."""
    names = f"{_COMMON} {_FIELDS[kind]}" if kind != "PublicEndpoint" else _FIELDS[kind]
    values = {_go_name(key): _value(key, value) for key, value in resource.items()}
    return Struct(f"client.{kind}", frozenset(names.split()), values)


def _go_name(key: str) -> str:
    return key[:1].upper() + key[1:]


def _value(key: str, value: Any) -> Any:
    kind = _INNER.get(key)
    if kind is None:
        return "" if value is None else value
    if isinstance(value, list):
        return [struct(kind, item) for item in value]
    return struct(kind, value or {})
