"""`invoke update`: a newer template comes into a stack that somebody has changed."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from spinstack import template
from spinstack.checks import run as checks_run
from spinstack.errors import SpinstackError, UsageError
from spinstack.tasks import ns
from spinstack.template import record
from spinstack.template import update as template_update
from spinstack.template.update import Outcome, Source
from spinstack.transport.runner import LocalRunner, PrintingRunner, Result
from tests.baking import REPOSITORY, bake
from tests.unit.newer_template import STACK, VERSION, change, copied, newer
from tests.unit.stack_session import StackSession, baked

# A stack's archive of each released template; the first is from before there were archives.
RELEASED = sorted((REPOSITORY / "tests" / "unit" / "templates").glob("*.zip"))


def git(directory: Path, *words: str) -> str:
    command = ["git", "-C", str(directory), "-c", "user.name=me", "-c", "user.email=me@x", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(stack: Path) -> None:
    git(stack, "add", "--all")
    git(stack, "commit", "--quiet", "--message", "mine")


def committed(stack: Path) -> Path:
    git(stack, "init", "--quiet")
    commit(stack)
    return stack


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return newer(tmp_path_factory.mktemp("later"))


@pytest.fixture
def installed(later: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later spinstack is the one that is installed."""
    monkeypatch.setattr(template, "path", lambda: later)
    monkeypatch.setattr(record, "__version__", VERSION)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return committed(baked(tmp_path))


def updated(stack: Path, source: Source | None = None, **given: str) -> Outcome:
    runner = LocalRunner()
    return template_update.update(runner, runner, stack, given=given, source=source)


def files(stack: Path) -> dict[str, bytes]:
    paths = [path for path in stack.rglob("*") if path.is_file() and ".git/" not in str(path)]
    return {path.relative_to(stack).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.usefixtures("installed")
def test_what_a_person_changed_stays_and_what_the_template_changed_comes(stack: Path) -> None:
    change(stack / "docker-compose.yml", "services:\n", "services:\n  # mine\n")
    change(stack / "stack.env", "WEB_PORT=60037", "WEB_PORT=60021")
    change(stack / "app" / "app.ini", "[uwsgi]", "[uwsgi]\n# mine")
    change(stack / "tasks.py", '"""The tasks of', '"""My tasks of')
    (stack / "README.md").unlink()
    (stack / "notes.txt").write_text("mine")
    # As a person's own settings of git may have it.
    git(stack, "rm", "--quiet", "--cached", "web/nginx/nginx.conf")
    (stack / ".git" / "info" / "exclude").write_text("nginx.conf\n")
    commit(stack)
    before = git(stack, "rev-parse", "HEAD")

    outcome = updated(stack)

    assert git(stack, "rev-parse", "HEAD") == before
    assert outcome.conflicts == ["tasks.py"]
    assert outcome.kept == ["app/app.ini"]
    assert outcome.left_out == ["README.md", "web/nginx/nginx.conf"]
    assert "colour" in outcome.new_answers
    tasks = (stack / "tasks.py").read_text()
    assert tasks.startswith('<<<<<<< ours\n"""My tasks of') and '=======\n"""All tasks of' in tasks
    assert "UU tasks.py" in git(stack, "status", "--porcelain")
    assert "  # mine\n" in (stack / "compose.yml").read_text()
    variables = (stack / "stack.env").read_text()
    assert "# The port of the site," in variables and "WEB_PORT=60021\n" in variables
    assert (stack / "NEWS.md").read_text() == "It is blue.\n"
    assert (stack / "notes.txt").read_text() == "mine"
    assert "# mine" in (stack / "app" / "app.ini").read_text()
    for gone in ("README.md", "docker-compose.yml", "app/app.py"):
        assert not (stack / gone).exists()

    commit(stack)
    assert updated(stack).nothing_to_do
    assert git(stack, "status", "--porcelain") == ""


@pytest.mark.usefixtures("installed")
def test_a_stack_inside_a_larger_repository_is_updated_there(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    stack = baked(tmp_path / "deploy")
    (tmp_path / "tasks.py").write_text("of somebody else")
    committed(tmp_path)
    assert updated(stack, colour="green").conflicts == []
    assert (stack / "NEWS.md").read_text() == "It is green.\n"
    assert (tmp_path / "tasks.py").read_text() == "of somebody else"
    assert "deploy/" in git(tmp_path, "diff", "--staged", "--name-only").split("\n", 1)[0]


@pytest.mark.usefixtures("installed")
def test_what_is_not_committed_is_never_at_stake(tmp_path: Path) -> None:
    stack = baked(tmp_path)
    before = files(stack)
    with pytest.raises(SpinstackError, match="no git repository"):
        updated(stack)
    committed(stack)
    (stack / "notes.txt").write_text("mine")
    with pytest.raises(SpinstackError, match="not committed") as refused:
        updated(stack)
    assert refused.value.where == "notes.txt"
    assert files(stack) == {**before, "notes.txt": b"mine"}


@pytest.mark.usefixtures("installed")
def test_a_dry_run_shows_the_difference_and_changes_nothing(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(stack)
    config = Config(overrides={"run": {"dry": True}})
    config.set_project_location(str(stack))
    ns["update"].body(Context(config))
    shown = capsys.readouterr().out
    assert "+It is blue." in shown and "rename to new/compose.yml" in shown
    assert "apply --3way" in shown and "would update from 0.1.0 to 99.0.0" in shown
    assert ".cruft.json" not in shown
    assert files(stack) == before and git(stack, "status", "--porcelain") == ""


@pytest.mark.usefixtures("installed")
def test_conflicts_are_told_with_an_exit_code_of_their_own(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(stack / "tasks.py", '"""The tasks of', '"""My tasks of')
    commit(stack)
    config = Config()
    config.set_project_location(str(stack))
    with pytest.raises(Exit) as ended:
        ns["update"].body(Context(config), json=True)
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["conflicts"] == ["tasks.py"] and told["new"] == VERSION


@pytest.mark.parametrize("archive", RELEASED, ids=lambda path: path.stem)
def test_every_released_template_is_followed_by_this_one(archive: Path, tmp_path: Path) -> None:
    made = bake(tmp_path / "now", nersc_user="alice")
    stack = tmp_path / "stack"
    with zipfile.ZipFile(archive) as kept:
        kept.extractall(stack)
    (stack / record.ORIGINAL).write_bytes(archive.read_bytes())
    value = json.loads((made / record.FILE).read_text())
    (stack / record.FILE).write_text(json.dumps({**value, "version": archive.stem}))
    change(stack / "stack.env", "WEB_PORT=60037", "WEB_PORT=60021")
    change(stack / "invoke.yaml", "    prod: ", "    mine: {environment: sandbox}\n    prod: ")
    (stack / "notes.txt").write_text("mine")
    committed(stack)

    outcome = updated(stack)

    assert set(outcome.conflicts) <= {"stack.env", "invoke.yaml"}
    now, then = files(stack), files(made)
    assert "WEB_PORT=60021" in now["stack.env"].decode()
    assert "    mine: {environment: sandbox}\n" in now["invoke.yaml"].decode()
    for name in ("stack.env", "invoke.yaml", "notes.txt"):
        del now[name]
    for name in ("stack.env", "invoke.yaml"):
        del then[name]
    assert now == then


def test_every_release_left_its_archive_here() -> None:
    tags = git(REPOSITORY, "tag", "--list", "v[0-9]*").split()
    assert {tag.removeprefix("v") for tag in tags} <= {path.stem for path in RELEASED}


@pytest.mark.usefixtures("installed")
def test_a_stack_without_a_record_names_its_template(tmp_path: Path) -> None:
    repository = copied(tmp_path / "template")
    git(repository, "init", "--quiet")
    commit(repository)
    git(repository, "tag", "then")
    change(repository / "cookiecutter.json", "60037", "60050")
    commit(repository)
    stack = baked(tmp_path, web_port="60021")
    for name in record.FILES:
        (stack / name).unlink()
    change(stack / "stack.env", "GROUP_ID=58102", "GROUP_ID=4711")
    committed(stack)
    with pytest.raises(UsageError, match="not known which template") as refused:
        updated(stack)
    assert "--from" in refused.value.remedy

    outcome = updated(stack, Source(str(repository), "then"))

    assert outcome.conflicts == [] and "colour" in outcome.new_answers
    variables = (stack / "stack.env").read_text()
    assert "# The port of the site," in variables
    assert "GROUP_ID=4711" in variables and "WEB_PORT=60021" in variables
    known = record.read(stack)
    assert known and known.version == VERSION and known.answers["web_port"] == "60021"
    commit(stack)
    assert updated(stack).nothing_to_do


@pytest.mark.usefixtures("installed")
def test_an_answer_to_no_question_and_a_refused_one_change_nothing(stack: Path) -> None:
    with pytest.raises(UsageError, match="no question 'color'"):
        updated(stack, color="red")
    with pytest.raises(SpinstackError, match="can't be filled in") as refused:
        updated(stack, web_port="80")
    assert "web_port" in refused.value.details
    assert git(stack, "status", "--porcelain") == ""


@pytest.mark.usefixtures("installed")
def test_a_template_that_can_not_be_fetched_is_told_without_its_password(stack: Path) -> None:
    with pytest.raises(SpinstackError, match="can't be filled in") as refused:
        updated(stack, Source("https://me:hid@den@127.0.0.1:1/x.git", "main"))
    error = refused.value
    assert "https://me:********@127.0.0.1:1/x.git main" in error.where
    assert "hid" not in error.where + error.details and "den@" not in error.details
    assert "git clone" in error.details.replace("', '", " ")
    assert "Traceback" not in error.details and "File" not in error.details


@pytest.mark.usefixtures("installed")
def test_what_git_refuses_is_told(stack: Path) -> None:
    (stack / ".gitignore").write_text("NEWS.md\n")
    commit(stack)
    (stack / "NEWS.md").write_text("mine, and not for git")
    with pytest.raises(SpinstackError, match="git refuses") as refused:
        updated(stack)
    assert "NEWS.md" in refused.value.details
    assert (stack / "NEWS.md").read_text() == "mine, and not for git"
    assert git(stack, "status", "--porcelain") == ""


def test_check_says_that_there_is_a_newer_template(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StackSession(stack, {"docker image inspect": Result(code=1)}, to=None)
    assert not [note for note in checks_run.run(session).notes if "update" in note]
    monkeypatch.setattr(record, "__version__", "0.10.0")
    (told,) = [note for note in checks_run.run(session).notes if "update" in note]
    assert "0.1.0" in told and "0.10.0" in told


def test_a_record_is_what_cruft_reads_and_holds_no_password(tmp_path: Path) -> None:
    repository = copied(tmp_path / "template")
    git(repository, "init", "--quiet")
    commit(repository)
    git(repository, "remote", "add", "origin", "https://me:to@ken@example.org/spinstack")
    stack = bake(tmp_path, template=repository)
    value = json.loads((stack / record.FILE).read_text())
    assert value["template"] == "https://example.org/spinstack"
    assert value["commit"] == git(repository, "rev-parse", "HEAD").strip()
    assert value["context"]["cookiecutter"]["web_port"] == "60037"
    assert set(value) == {"template", "commit", "checkout", "context", "directory", "version"}


def test_the_archive_holds_what_the_template_made_and_nothing_else(tmp_path: Path) -> None:
    from cookiecutter.main import cookiecutter

    stack = bake(tmp_path)
    with zipfile.ZipFile(stack / record.ORIGINAL) as kept:
        held = {name: kept.read(name) for name in kept.namelist()}
    made = files(stack)
    assert held == {name: made[name] for name in made if name not in record.FILES}
    mine = [stack / "password.txt", stack / "kinds" / "of" / "mine.txt"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    words = {"no_input": True, "output_dir": str(tmp_path), "overwrite_if_exists": True}
    cookiecutter(str(REPOSITORY), **words)
    assert not (stack / record.ORIGINAL).exists()
    assert all(path.is_file() for path in mine)


def test_an_archive_of_somebody_elses_reaches_nothing_outside(tmp_path: Path) -> None:
    stack, into = tmp_path / "stack", tmp_path / "into"
    key = tmp_path / "key"
    stack.mkdir()
    key.write_text("mine")
    key.chmod(0o600)
    for name in ("../key", str(key)):
        with zipfile.ZipFile(stack / record.ORIGINAL, "w") as made:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o666 << 16
            made.writestr(entry, "theirs")
        record.unpack(stack, into)
        assert (key.read_text(), key.stat().st_mode & 0o777) == ("mine", 0o600)
    broken = (stack / record.ORIGINAL).read_bytes().replace(b"theirs", b"broken")
    (stack / record.ORIGINAL).write_bytes(broken)
    with pytest.raises(SpinstackError, match="can't be read"):
        record.unpack(stack, into)


def test_what_pip_compiled_of_an_installed_template_is_not_the_stacks(tmp_path: Path) -> None:
    installed = copied(tmp_path / "template")
    compiled = installed / STACK / "app" / "__pycache__"
    compiled.mkdir()
    (compiled / "app.cpython-311.pyc").write_bytes(b"\xcb\r\r\n\0")
    made = files(bake(tmp_path, template=installed))
    assert not [name for name in made if "__pycache__" in name]


def test_nothing_of_the_record_is_uploaded(stack: Path) -> None:
    from spinstack.config import release_files

    names = {path.name for path in release_files.files(stack)}
    assert not names & set(record.FILES)
    assert "?? " not in git(stack, "status", "--porcelain", "--ignored")


def test_nothing_is_started_in_a_dry_run_but_what_looks(stack: Path, tmp_path: Path) -> None:
    said: list[str] = []
    looking = LocalRunner()
    outcome = template_update.update(looking, PrintingRunner(said.append), stack, given={})
    assert outcome.nothing_to_do and said == []


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither of git nor of cookiecutter."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
