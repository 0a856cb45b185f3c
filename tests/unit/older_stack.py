"""A stack as older templates made it: health checks and scale in rancher-compose.yml, for Rancher
alone, and none of them in invoke.yaml."""

from __future__ import annotations

import re
from pathlib import Path

RANCHER = """\
version: '2'

services:
  app:
    # One: a page that is requested twice is built only once, within one container.
    scale: 1
    health_check:
      port: 5000
      request_line: GET /healthz HTTP/1.0
      interval: 2000
      response_timeout: 2000
      initializing_timeout: 60000
      reinitializing_timeout: 60000
      healthy_threshold: 2
      unhealthy_threshold: 3
      strategy: recreate

  web:
    scale: 1
    health_check:
      port: 8080
      request_line: GET /healthz HTTP/1.0
      interval: 2000
      response_timeout: 2000
      initializing_timeout: 60000
      reinitializing_timeout: 60000
      healthy_threshold: 2
      unhealthy_threshold: 3
      strategy: recreate
"""
_SETTING = re.compile(r"^  services:\n(?:    .*\n)+", re.MULTILINE)


def made_older(directory: Path) -> None:
    """Change a stack of today's template to an older one."""
    invoke, compose = directory / "invoke.yaml", directory / "docker-compose.yml"
    (directory / "rancher-compose.yml").write_text(RANCHER)
    settings, count = _SETTING.subn("", invoke.read_text())
    assert count == 1
    invoke.write_text(settings)
    text = compose.read_text()
    assert "    entrypoint: uwsgi\n" in text
    compose.write_text(
        text.replace("    entrypoint: uwsgi\n", "    entrypoint: uwsgi\n    retain_ip: true\n", 1)
    )
