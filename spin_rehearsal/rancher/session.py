"""What all commands share: settings, server, environment, the global `--wait`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import config, environment, waiting
from .api import Project, Resource, Server


class Session:
    """One run of the client; everything is looked up when first needed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self._settings: config.Settings | None = None
        self._server: Server | None = None
        self._project: Project | None = None

    @property
    def settings(self) -> config.Settings:
        if self._settings is None:
            self._settings = config.load(self.options)
        return self._settings

    @property
    def server(self) -> Server:
        """Raises Failure when no URL is configured."""
        if self._server is None:
            settings = self.settings
            self._server = Server(settings.url, settings.access_key, settings.secret_key)
        return self._server

    @property
    def project(self) -> Project:
        """The environment to work in. Raises Failure; may ask, without end at end-of-file."""
        if self._project is None:
            self._project = self.ask_project()
        return self._project

    def ask_project(self) -> Project:
        """The same, decided anew: `up` does it twice, and so asks twice."""
        chosen = environment.choose(self.server, self.settings.environment)
        self._project = Project(self.server, chosen)
        return self._project

    @property
    def wait_state(self) -> str:
        return str(self.options["wait-state"] or "active")

    @property
    def wait_timeout(self) -> float:
        return float(self.options["wait-timeout"])

    def wait_if_asked(self, resources: Iterable[Resource]) -> None:
        """With the global `--wait`, wait for all of them. Raises Failure."""
        if self.options["wait"]:
            waiting.wait_for(self.project, resources, self.wait_state, self.wait_timeout)
