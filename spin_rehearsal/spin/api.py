"""The cut of Rancher's API v2-beta that the rehearsal's `rancher` command needs: requests in,
answers out. Knows nothing of sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spin_rehearsal.spin import api_resources, keys
from spin_rehearsal.spin.api_resources import View
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.errors import ApiError, not_found
from spin_rehearsal.spin.resources import Container, Json
from spin_rehearsal.spin.routes import ProjectRoutes, container_in
from spin_rehearsal.spin.store import Store

VERSION = "v2-beta"


@dataclass(frozen=True)
class Request:
    """An HTTP request. `base`: URL of `/v2-beta` as the client sees it."""

    method: str
    path: str
    base: str
    authorization: str | None = None
    query: dict[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with a JSON body."""

    status: int
    body: Json


class Api:
    """Answers requests from the state; `wake` is called when something was asked for."""

    def __init__(self, config: SpinConfig, store: Store, wake: Callable[[], None]) -> None:
        self._config = config
        self._store = store
        self._wake = wake

    def answer(self, request: Request) -> Answer:
        """Raises ApiError for every refusal."""
        parts = request.parts
        if parts[:1] != [VERSION]:
            raise not_found(request.path)
        if parts[1:] == ["keys"] and request.method == "POST":
            return self._new_key(request)
        self.authorize(request)
        shown = View(self._config, request.base, time.time())
        if len(parts) == 1:
            return Answer(200, {"id": VERSION, "type": "apiVersion", "links": {}, "actions": {}})
        if parts[1] != "projects":
            raise not_found(request.path)
        if len(parts) == 2:
            return Answer(200, api_resources.collection(map(shown.project, self._config.projects)))
        return self._in_project(request, shown, parts[2], parts[3:])

    def authorize(self, request: Request) -> None:
        """Raises ApiError (401) unless the request carries a valid key."""
        access, secret = keys.basic(request.authorization)
        with self._store.look() as state:
            if not keys.valid(state, access, secret):
                raise keys.unauthorized()

    def _new_key(self, request: Request) -> Answer:
        account, password = keys.basic(request.authorization)
        if not self._config.password_is(account, password):
            raise keys.unauthorized()
        access, secret = keys.make(self._store)
        return Answer(201, {"accessKey": access, "secretKey": secret, "url": request.base})

    def _in_project(self, request: Request, shown: View, project: str, rest: list[str]) -> Answer:
        self._known(project)
        if not rest:
            found = next(known for known in self._config.projects if known.id == project)
            return Answer(200, shown.project(found))
        looks = request.method == "GET"
        with self._store.look() if looks else self._store.transaction() as state:
            routes = ProjectRoutes(state, shown, project, self._config.centre)
            body = routes.answer(request.method, rest, request.query, request.body)
        if looks:
            return Answer(200, body)
        self._wake()
        made = request.method == "POST" and len(rest) == 1
        return Answer(201 if made else 200, body)

    def _known(self, project: str) -> None:
        """Raises ApiError (403), as Rancher answers for an environment that is not there."""
        if project not in {known.id for known in self._config.projects}:
            raise ApiError(403, "Forbidden", "Forbidden")

    def container(self, request: Request) -> Container:
        """A copy of the record of the container that the request's path names, for what
        streams. Raises ApiError (401, 403, 404)."""
        self.authorize(request)
        self._known(request.parts[2])
        with self._store.look() as state:
            return replace(container_in(state, request.parts[2], request.parts[4]))
