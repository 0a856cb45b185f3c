"""The command `spinstack`: the same tasks, without a tasks.py.

Outside a stack, `spinstack new` creates one from the template in the wheel; inside a stack it
does what `invoke` does there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.program import Program

from spinstack import __version__


class SpinstackProgram(Program):
    """Invoke's program with a built-in collection, which still reads the stack's settings."""

    def parse_collection(self) -> None:
        """Take the settings of the stack around the current directory, as invoke would: with a
        built-in collection Invoke loads none."""
        from spinstack.tasks.settings_file import stack_directory

        super().parse_collection()
        self.config.set_project_location(str(stack_directory(Path.cwd())))
        self.config.load_project()

    def list_flat(self) -> None:
        """Topic by topic, in the order in which people need them."""
        from spinstack.tasks import TOPICS

        if self.list_root:
            super().list_flat()
            return
        width = max(len(name) for topic in TOPICS for name in topic.names())
        for topic in TOPICS:
            print(f"{topic.about}:\n")
            for name, line in topic.lines():
                print(f"  {name:<{width}}  {line}")
            print()


def main() -> None:
    """Entry point of the installed command; shells call it with `--complete -- WORDS`."""
    if sys.argv[1:3] == ["--complete", "--"]:
        from spinstack import completion

        completion.tell(sys.argv[3:])
        return
    from spinstack.tasks import ns

    SpinstackProgram(name="spinstack", binary="spinstack", namespace=ns, version=__version__).run()
