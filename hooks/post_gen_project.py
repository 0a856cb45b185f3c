"""Removes what pip has compiled in an installed template, and prints the first steps."""

import json
import shutil
from pathlib import Path

NAME = json.loads(r'<< cookiecutter.stack_name | tojson >>')

for compiled in [*Path.cwd().rglob("__pycache__")]:
    shutil.rmtree(compiled)

print(f"""
The stack {NAME} is ready. Next:

  cd {NAME}
  # check invoke.yaml (names, destinations) and stack.env (group, directories)
  invoke check             # does it follow Spin's rules?
  invoke rehearsal.start   # a pretend NERSC on this machine
  invoke deploy            # to the rehearsal; the real thing: invoke deploy --to development
""")
