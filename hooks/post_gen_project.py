"""Prints the first steps for the new stack."""

import json

NAME = json.loads(r'<< cookiecutter.stack_name | tojson >>')

print(f"""
The stack {NAME} is ready. Next:

  cd {NAME}
  # check invoke.yaml (names, destinations) and stack.env (group, directories)
  invoke check             # does it follow Spin's rules?
  invoke rehearsal.start   # a pretend NERSC on this machine
  invoke deploy            # to the rehearsal; the real thing: invoke deploy --to development
""")
