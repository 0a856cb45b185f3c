"""Puts the files of the kind that was chosen into their places, removes those of the others and what
pip has compiled, keeps the files as the template made them, and prints the first steps.

Files that all kinds share lie where they belong; kinds/KIND has what only that kind has, laid out
like the stack.
"""

import contextlib
import json
import shutil
import zipfile
from pathlib import Path

NAME = json.loads(r'<< cookiecutter.stack_name | tojson >>')
KIND = json.loads(r'<< cookiecutter.kind | tojson >>')
KINDS = ("nightwatch", "wsgi", "static")
# Left empty by the hook that ran before the files were made, where all files are the template's;
# see spinstack/template/record.py.
ORIGINAL = Path(".template.zip")


def choose_kind():
    own = Path("kinds", KIND)
    for image in ("app", "web"):
        # What is shared for an image that this kind has not. In a directory that was there before,
        # files beside it may be somebody's.
        if not (own / image).is_dir() and ORIGINAL.exists():
            shutil.rmtree(image)
    shutil.copytree(own, ".", dirs_exist_ok=True)
    for kind in KINDS:
        shutil.rmtree(Path("kinds", kind))
    # As above.
    with contextlib.suppress(OSError):
        Path("kinds").rmdir()


def remove_compiled():
    """What pip has compiled of an installed template is not the stack's."""
    for path in list(Path().rglob("__pycache__")):
        shutil.rmtree(path)


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


choose_kind()
if ORIGINAL.exists():
    remove_compiled()
    keep_original()

DIRECTORIES = {"wsgi": "directory of its files", "static": "directory of the pages"}
# Nightwatch's have sample data.
FILES = "\n  # with your pages: add --files DIRECTORY" if KIND == "static" else ""
print(f"""
The stack {NAME} is ready. Next:

  cd {NAME}
  # check invoke.yaml (names, destinations) and stack.env (group, {DIRECTORIES.get(KIND, "directories")})
  invoke check             # does it follow Spin's rules?
  invoke rehearsal.start   # a pretend NERSC on this machine{FILES}
  invoke deploy            # to the rehearsal; the real thing: invoke deploy --to development
""")
