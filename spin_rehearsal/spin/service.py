"""The Spin service of a rehearsal: state, monitor and HTTP server in one."""

from __future__ import annotations

import logging
import threading

from spin_rehearsal.spin import secret_files
from spin_rehearsal.spin.api import Api
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.engine import Engine
from spin_rehearsal.spin.http_server import SpinServer
from spin_rehearsal.spin.monitor import Monitor
from spin_rehearsal.spin.store import Store
from spinstack.errors import SpinstackError
from spinstack.transport.runner import LocalRunner, Runner


class SpinService:
    """A pretend Spin: its API on 127.0.0.1, its services as containers of this machine.

    Everything that must survive stands in the config's state file: a new service with the
    same config takes over the containers of the one before.
    """

    def __init__(self, config: SpinConfig, runner: Runner | None = None) -> None:
        self._config = config
        self._log = _logger(config)
        self._engine = Engine(
            config.engine, config.prefix, config.stop_timeout, runner or LocalRunner()
        )
        self._store = Store(config.state_file)
        self._monitor: Monitor | None = None
        self._server: SpinServer | None = None

    def start(self, port: int = 0) -> int:
        """Take over the containers, listen in a thread of its own; the port (a free one for
        0). Raises SpinstackError if the port is taken."""
        monitor = Monitor(self._config, self._store, self._engine, self._log)
        api = Api(self._config, self._store, monitor.wake)
        try:
            server = SpinServer(port, api, self._config.engine, self._log)
        except OSError as error:
            raise SpinstackError(
                f"the rehearsal's Spin service can't listen on port {port}: {error.strerror}",
                where=f"127.0.0.1:{port}",
                remedy="stop what uses the port, then start the rehearsal again",
            ) from None
        self._monitor, self._server = monitor, server
        monitor.start()
        # How often it looks whether it is to end.
        look = (self._config.poll,)
        threading.Thread(
            target=server.serve_forever, args=look, name="spin-http", daemon=True
        ).start()
        self._log.info("listening on port %d", server.server_address[1])
        return int(server.server_address[1])

    def stop(self) -> None:
        """Stop serving. The containers keep running. Harmless when it does not run."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._monitor is not None:
            self._monitor.stop()
            self._monitor = None

    def purge(self) -> None:
        """Stop, then remove every container, network and named volume of this rehearsal,
        and nothing else; the state forgets its stacks, the keys stay valid."""
        self.stop()
        self._engine.purge()
        with self._store.transaction() as state:
            for records in (state.containers, state.services, state.stacks, state.volumes):
                records.clear()
            state.named_volumes.clear()
            state.secrets.clear()
        secret_files.forget(self._config.secret_files)


def _logger(config: SpinConfig) -> logging.Logger:
    """A log of its own: nothing of it reaches the terminal."""
    log = logging.Logger(f"spin.{config.prefix}", logging.INFO)
    if config.log_file is None:
        log.addHandler(logging.NullHandler())
        return log
    handler = logging.FileHandler(config.log_file, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log
