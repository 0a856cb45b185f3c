"""The task collection: what a person can type in a stack's directory.

    from spinstack.tasks import ns

Tasks are thin: they parse, call and print. Each module is one topic or two.
"""

from __future__ import annotations

from pathlib import Path

from spinstack.console import streams
from spinstack.tasks import (
    doctor,
    env,
    image,
    local,
    login,
    operate,
    prepare,
    rehearsal,
    secrets,
    setup,
    ship,
)
from spinstack.tasks.settings_file import allow_empty_sections, explain_unreadable
from spinstack.tasks.task import improve_parsing
from spinstack.tasks.topics import collected

TOPICS = (
    prepare.TOPIC,
    env.TOPIC,
    doctor.TOPIC,
    login.TOPIC,
    setup.TOPIC,
    prepare.REGISTRY,
    image.TOPIC,
    local.TOPIC,
    ship.TOPIC,
    operate.TOPIC,
    secrets.SECRETS,
    secrets.VOLUMES,
    rehearsal.TOPIC,
)

ns = collected("spinstack", TOPICS)

streams.prepare()
improve_parsing()
allow_empty_sections()
explain_unreadable(Path.cwd())
