"""The task collection: what a person can type in a stack's directory.

    from spinstack.tasks import ns

Tasks are thin: they parse, call and print. Each module is one topic or two.
"""

from __future__ import annotations

import atexit
import gc
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
from spinstack.tasks.settings_file import allow_empty_sections, explain_unreadable, read_fast
from spinstack.tasks.task import improve_parsing, spare_options
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

# What a command has loaded, it keeps. Python would look for garbage in all of it before it ends.
atexit.register(gc.freeze)
streams.prepare()
improve_parsing()
spare_options()
allow_empty_sections()
read_fast()
explain_unreadable(Path.cwd())
