"""Tells the first steps in the new stack."""

import json

NAME = json.loads(r'<< cookiecutter.stack_name | tojson >>')

print(f"""
The stack {NAME} is ready. Next:

  cd {NAME}
  # look through invoke.yaml (where it goes) and stack.env (port, group, directories)
  invoke check             # what Spin would have against it
  invoke rehearsal.start   # a pretend NERSC on this machine
  invoke deploy            # to the rehearsal; the real thing: invoke deploy --to dev
""")
