"""Removes what pip has compiled in an installed template, keeps the files as the template made them,
and prints the first steps for the new stack."""

import json
import shutil
import zipfile
from pathlib import Path

NAME = json.loads(r'<< cookiecutter.stack_name | tojson >>')
# Left empty by the hook that ran before the files were made, where all files are the template's;
# see spinstack/template/record.py.
ORIGINAL = Path(".template.zip")


def keep_original():
    files = sorted(path for path in Path().rglob("*") if path.is_file())
    with zipfile.ZipFile(ORIGINAL, "w", zipfile.ZIP_DEFLATED) as kept:
        for path in files:
            if path.name in (ORIGINAL.name, ".cruft.json"):
                continue
            # Without what differs from one machine to the next.
            entry = zipfile.ZipInfo(path.as_posix())
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            # Shifted by 16 bits: the operator for it is one of the template's delimiters.
            entry.external_attr = mode * 0x10000
            kept.writestr(entry, path.read_bytes())


for compiled in [*Path.cwd().rglob("__pycache__")]:
    shutil.rmtree(compiled)

if ORIGINAL.exists():
    keep_original()
print(f"""
The stack {NAME} is ready. Next:

  cd {NAME}
  # check invoke.yaml (names, destinations) and stack.env (group, directories)
  invoke check             # does it follow Spin's rules?
  invoke rehearsal.start   # a pretend NERSC on this machine
  invoke deploy            # to the rehearsal; the real thing: invoke deploy --to development
""")
