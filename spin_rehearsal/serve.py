"""The supervisor of a rehearsal: one process with the ssh server, Spin and the registry.

Started by `start.start`, detached: `python -m spin_rehearsal.serve DIRECTORY`, the
directory being the rehearsal's private one. SIGTERM ends it; containers keep running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from spin_rehearsal import account, paths, registry_child, sshd, state, supervisor_lock
from spin_rehearsal.login_codes import LoginCodes
from spin_rehearsal.paths import Places
from spin_rehearsal.spin.config import SpinConfig
from spin_rehearsal.spin.service import SpinService
from spin_rehearsal.state import State
from spinstack.errors import SpinstackError


def spin_config(decided: State, where: Places, codes: LoginCodes) -> SpinConfig:
    """What this rehearsal's Spin service is told."""
    return SpinConfig(
        state_file=where.spin_state,
        engine="podman" if decided.engine == "podman" else "docker",
        prefix=decided.prefix,
        centre=decided.centre(where),
        account=paths.USER,
        check_password=codes.password_is,
        node_address=decided.node_address,
        log_file=where.private / "spin.log",
    )


async def serve(decided: State, where: Places, log: logging.Logger) -> None:
    """Run everything until SIGTERM or SIGINT. Raises SpinstackError or OSError if it can't."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    codes = LoginCodes(where.login)
    spin = SpinService(spin_config(decided, where, codes))
    registry = asyncio.ensure_future(
        registry_child.keep_running(decided.registry, where.registry, codes.password, log)
    )
    try:
        spin.start(decided.spin_port)
        ssh = await sshd.listen(decided.ssh_port, where.host_key, account.of(where), codes.accept)
        log.info("serving on ports %s", [decided.ssh_port, decided.spin_port, decided.registry])
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((stopped, registry), return_when=asyncio.FIRST_COMPLETED)
        ssh.close()
        if registry.done():
            registry.result()  # it ends only by an error
    finally:
        registry.cancel()
        with contextlib.suppress(asyncio.CancelledError, SpinstackError):
            await registry
        await asyncio.to_thread(spin.stop)


def main(private: Path) -> int:
    """Exit code 0 after a stop that was asked for, 1 with a message in the log otherwise."""
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    log = logging.getLogger("rehearsal")
    decided = state.load(private / "state.json")
    if decided is None:
        log.error("there is no rehearsal in %s", private)
        return 1
    where = Places(private, Path(decided.storage))
    try:
        with supervisor_lock.become_supervisor(where):
            asyncio.run(serve(decided, where, log))
    except (SpinstackError, OSError) as error:
        log.error("%s", error)
        return 1
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
