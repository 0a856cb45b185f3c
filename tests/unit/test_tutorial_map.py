"""docs/tutorial-map.md against the tasks, the rules and the template that there are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from spinstack.checks import catalogue
from spinstack.tasks import TOPICS
from tests.baking import REPOSITORY, application

MAP = REPOSITORY / "docs" / "tutorial-map.md"
# A stack as the template makes it.
TEMPLATE = application().parent
NOTHING = "–"

# Every command that the tutorial types, without names of its own.
COMMANDS = """
docker container run hello-world
mkdir workdir
vim Dockerfile
docker image build --tag
docker image list
docker container run --rm --publish
docker image tag
docker login
docker image push
ssh
module load spin
spin-keygen.sh
export RANCHER_ENVIRONMENT
export PROJECTDIR
mkdir $PROJECTDIR
cd $PROJECTDIR
git pull
cp nightwatch.env.template nightwatch.env
vim nightwatch.env
echo $UID
export UID
chmod o+x
rancher up --render
rancher up -d --stack --env-file
rancher ps
rancher logs --follow --tail
rancher inspect
jq '.fqdn'
jq '.publicEndpoints'
rancher rm --type stack
rancher rm --type service
rancher stop
rancher exec -it … /bin/bash
rancher up --upgrade -d
rancher ps --containers --all
rancher up -d --upgrade --confirm-upgrade
""".strip().splitlines()


@dataclass(frozen=True)
class Row:
    """A row of a table: what the tutorial has, and what does it here."""

    subject: str
    cells: tuple[str, str, str]

    def named(self, column: int) -> list[str]:
        return re.findall(r"`([^`]+)`", self.cells[column])


def rows() -> list[Row]:
    found = []
    for line in MAP.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(cells[0]) == {"-"} or cells[1] == "Task":
            continue
        assert len(cells) == 4, line
        found.append(Row(cells[0], (cells[1], cells[2], cells[3])))
    return found


def tasks() -> set[str]:
    return {name for topic in TOPICS for name in topic.names()}


def test_no_cell_is_empty_and_every_row_leads_somewhere() -> None:
    assert len(rows()) > 60
    for row in rows():
        assert row.subject and all(row.cells), row
        assert any(row.named(column) for column in range(3)), row
        for column, cell in enumerate(row.cells):
            assert bool(row.named(column)) != (cell == NOTHING), row


@pytest.mark.parametrize("column", [0, 1, 2], ids=["tasks", "rules", "files"])
def test_what_is_named_exists(column: int) -> None:
    known = {
        0: tasks(),
        1: set(catalogue.rules()),
        2: {path.relative_to(TEMPLATE).as_posix() for path in TEMPLATE.rglob("*")},
    }[column]
    named = {name for row in rows() for name in row.named(column)}
    assert named <= known, f"there is no {sorted(named - known)}"


def test_every_task_of_the_collection_has_a_row() -> None:
    named = {name for row in rows() for name in row.named(0)}
    assert tasks() <= named, f"no row for {sorted(tasks() - named)}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_tutorial_has_a_row(command: str) -> None:
    subjects = [subject for row in rows() for subject in re.findall(r"`([^`]+)`", row.subject)]
    assert command in subjects


def test_every_file_of_the_tutorial_has_a_row() -> None:
    files = {name for row in rows() for name in row.named(2)}
    assert files >= {
        *("app/Dockerfile", "app/app.ini", "app/app.py", "app/requirements.txt"),
        *("web/Dockerfile", "web/site.conf", "docker-compose.yml", "stack.env"),
    }
