"""Checks the answers before anything is created: everything that is wrong, a line each. Then
notes the template and the answers in the new directory.

Cookiecutter fills in the line with angle brackets, then runs this file in the new, still
empty directory, which it removes if the exit code is not 0.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

# Raw and in single quotes, which tojson escapes: no answer can end the string.
ANSWERS = json.loads(r'<< cookiecutter | tojson >>')
# Where stacks are created; programs other than cookiecutter may not set it.
OUTPUT = ANSWERS.get("_output_dir") or str(Path.cwd().parent)

# Runs in the background after a refusal: waits (2 s at most) until cookiecutter has removed
# the directory of the stack, then removes the empty ones that were made above it.
REMOVE_PARENTS = """
import pathlib, sys, time
output = pathlib.Path(sys.argv[1]).resolve()
made = output / sys.argv[2]
for _ in range(200):
    if not made.exists():
        break
    time.sleep(0.01)
for parent in made.parents:
    if parent.resolve() not in (output, *output.parents):
        parent.rmdir()
"""


def template_directory():
    """Where this template is. Its path may be relative to one of several directories:
    cookiecutter gives it as it was typed, and runs this hook from somewhere else."""
    typed = ANSWERS.get("_repo_dir", "")
    # Cookiecutter itself works in the template's directory while a hook runs.
    cookiecutters = f"/proc/{os.getppid()}/cwd"
    bases = ["/", os.environ.get("PWD", "/"), OUTPUT, cookiecutters]
    for directory in [*(Path(base, typed) for base in bases), Path(cookiecutters)]:
        if (directory / "cookiecutter.json").is_file():
            return directory.resolve()
    raise SystemExit(f"Template not found at {typed!r}.")


def import_package():
    """Spin's rules, and the record of the template, from the package that this template belongs to.

    In a checkout the package is beside cookiecutter.json; in an installed package the template
    is its directory `_template`.
    """
    template = template_directory()
    for root in (template, template.parent.parent):
        if (root / "spinstack" / "rules" / "centre.py").is_file():
            sys.dont_write_bytecode = True
            sys.path.insert(0, str(root))
            from spinstack.rules import answers, centre
            from spinstack.template import record

            return answers, centre.load(), record
    raise SystemExit(f"The package spinstack is not beside its template {template}.")


def remove_parents_later():
    """A stack name with slashes has created directories above the one that cookiecutter
    removes."""
    command = [sys.executable, "-c", REMOVE_PARENTS, OUTPUT, ANSWERS["stack_name"]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(command, cwd="/", start_new_session=True, **quiet)


def main():
    rules, centre, record = import_package()
    found = rules.findings(ANSWERS, centre)
    if not found:
        record.begin(Path.cwd(), template_directory(), ANSWERS)
        return
    print("These answers are not valid; nothing was created:", file=sys.stderr)
    for finding in found:
        print(f"  {finding.where}: {finding.problem}; allowed: {finding.remedy}", file=sys.stderr)
    if "/" in ANSWERS["stack_name"]:
        remove_parents_later()
    sys.exit(1)


main()
