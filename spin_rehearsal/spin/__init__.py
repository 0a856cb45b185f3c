"""The pretend Spin of the rehearsal: a server with Rancher 1.6's API whose services are real
containers on this machine."""

from spin_rehearsal.spin.config import Project, SpinConfig
from spin_rehearsal.spin.service import SpinService

__all__ = ["Project", "SpinConfig", "SpinService"]
