"""What the template makes of good answers: every file by its own tool, every fact once."""

from __future__ import annotations

import compileall
import json
import re
import shutil
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest
import yaml

from spinstack.checks.stack import check
from spinstack.rules import centre
from spinstack.rules.finding import Finding
from spinstack.setup import doctor_machine
from tests.baking import REPOSITORY, bake, text_files
from tests.unit.stack_session import StackSession

STACK_FILES = {
    ".gitignore",
    "README.md",
    "app/.dockerignore",
    "app/Dockerfile",
    "app/app.ini",
    "app/app.py",
    "app/capacity.py",
    "app/requirements.in",
    "app/requirements.txt",
    "app/uwsgi.ini",
    "app/uv.toml",
    "docker-compose.yml",
    "invoke.yaml",
    "stack.env",
    "tasks.py",
    "web/.dockerignore",
    "web/Dockerfile",
    "web/nginx/nginx.conf",
    "web/site.conf",
    "web/start.sh",
}

# What spinstack itself puts into the environment file of a release.
ADDED_BY_A_RELEASE = {"UID", "APP_IMAGE", "WEB_IMAGE"}


def matrix() -> list[dict[str, str]]:
    """Every environment and kind of directory; the other answers take turns."""
    names = cycle(["a", "nw-desi", "x" * 63])
    ports = cycle(["8080", "60000", "50050", "3306"])
    registries = cycle(["registry.spin.nersc.gov", "registry.nersc.gov"])
    directories = ["output", "deep/er/out+put_1.0", "/global/cfs/cdirs/desi/www/nightwatch"]
    return [
        {
            "stack_name": next(names),
            "nersc_user": "desi_user-1",
            "group_id": "4711",
            "project_dir": "/global/project/projectdirs/desi",
            "registry": next(registries),
            "namespace": "desi/night.watch",
            "login_host": "login07.nersc.gov",
            "environment": environment,
            "web_port": next(ports),
            **dict.fromkeys(("static_dir", "data_dir", "nightwatch_dir"), directory),
            **dict.fromkeys(("desimodel_dir", "desiutil_dir"), directory),
        }
        for environment in ("dev-cattle", "prod-cattle", "sandbox")
        for directory in directories
    ]


MATRIX = [{}, *matrix()]


@pytest.fixture(scope="module", params=range(len(MATRIX)))
def baked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(tmp_path_factory.mktemp("baked"), **MATRIX[request.param])


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # But for the namespace, which would be called as the stack is.
    return bake(tmp_path_factory.mktemp("default"), spin_namespace="night")


def env_values(stack: Path) -> dict[str, str]:
    lines = (stack / "stack.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs}


def load(stack: Path, name: str) -> dict:
    return yaml.safe_load((stack / name).read_text(encoding="utf-8"))


def test_the_stack_holds_what_a_stack_needs(default: Path):
    files = set(text_files(default))
    assert files >= STACK_FILES
    inside = ("app/nightwatch_web/", "app/image/", "web/nginx/parts/")
    assert all(name.startswith(inside) for name in files - STACK_FILES)


@pytest.mark.parametrize(
    ("name", "most"),
    [("web/site.conf", 40), ("app/app.ini", 40), ("app/Dockerfile", 50), ("web/Dockerfile", 20)],
)
def test_what_a_person_edits_is_short(default: Path, name: str, most: int):
    assert (default / name).read_text().count("\n") <= most


def test_who_deploys_elsewhere_meets_no_rancher(default: Path):
    assert not [name for name, text in text_files(default).items() if "rancher" in text.lower()]


def test_nothing_of_the_template_is_left_over(baked: Path):
    for name, text in text_files(baked).items():
        assert not re.search(r"<<|>>|<%|%>|<#|#>|cookiecutter", text), name
        assert not re.search(r"\blatest\b", text), name
        assert "{{" not in text, f"{name}: a template to Rancher"


def test_yaml_says_what_was_answered(baked: Path):
    settings = load(baked, "invoke.yaml")["spinstack"]
    assert settings["stack"] == baked.name
    ready = {
        "rehearsal",
        "spin-rehearsal",
        *centre.load().kubernetes.clusters,
        "files",
        "dev",
        "prod",
    }
    assert set(settings["destinations"]) == ready
    for key in ("user", "host", "registry", "namespace", "project_dir"):
        assert isinstance(settings[key], str) and settings[key]
    compose = load(baked, "docker-compose.yml")
    assert compose["version"] == "2"
    assert set(compose["services"]) == set(settings["services"]) == {"app", "web"}


def test_the_destinations_of_spin_today_are_ready(tmp_path: Path):
    """For who answers everything; who does not is told what to add."""
    stack = bake(tmp_path, nersc_user="alice", nersc_uid="41037", spin_namespace="night")
    for name in (*centre.load().kubernetes.clusters, "files"):
        assert judged(stack, name) == []
    to = StackSession(stack, to="production").destination
    assert (to.registry, to.namespace) == ("registry.nersc.gov", "desi/alice")
    assert (to.cluster.context, to.cluster.namespace, to.cluster.uid) == (
        "production",
        "night",
        41037,
    )
    assert to.protected and to.on_laptop
    assert not StackSession(stack, to="files").destination.on_laptop


def test_a_user_id_that_was_not_given_is_asked_for_and_added_as_the_remedy_says(tmp_path: Path):
    stack = bake(tmp_path, nersc_user="alice")
    (found,) = judged(stack, "development")
    assert (found.rule, found.remedy.partition(" ")[2][:4]) == ("uid-unset", "uid:")
    assert "development, kubernetes.uid" in found.where
    outcome = doctor_machine.settings(StackSession(stack, to="development"))
    assert outcome.remedy == found.remedy and found.problem in outcome.found
    written = stack / "invoke.yaml"
    text = written.read_text(encoding="utf-8")
    written.write_text(text.replace("{cluster: development}", "{cluster: development, uid: 41037}"))
    assert judged(stack, "development") == []


def judged(stack: Path, to: str) -> list[Finding]:
    session = StackSession(stack, to=to)
    read = session.stack
    return check(session.settings, session.destination, read, session.platform)


def test_compose_asks_only_for_variables_that_there_are(baked: Path):
    text = (baked / "docker-compose.yml").read_text(encoding="utf-8")
    code = "\n".join(line.split("#")[0] for line in text.splitlines())
    asked = set(re.findall(r"\$\{(\w+)\}", code))
    assert asked == set(env_values(baked)) | ADDED_BY_A_RELEASE
    assert code.count("$") == len(re.findall(r"\$\{\w+\}", code)), "only ${NAME} is understood"


def test_python_is_clean(default: Path):
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--config",
        str(REPOSITORY / "pyproject.toml"),
    ]
    done = subprocess.run([*command, str(default)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    compileall = [sys.executable, "-m", "compileall", "-q", str(default)]
    assert (
        subprocess.run(compileall, env={"PYTHONPYCACHEPREFIX": str(default / "pyc")}).returncode
        == 0
    )
    shutil.rmtree(default / "pyc")


@pytest.mark.parametrize(
    "fact", ["58102", "60037", "nightwatchtest/output", "nightwatch-desi", "perlmutter.nersc.gov"]
)
def test_each_fact_stands_once(default: Path, fact: str):
    files = text_files(default)
    places = [name for name, text in files.items() for _ in re.findall(re.escape(fact), text)]
    assert len(places) == 1, places


def test_each_variable_has_a_comment(default: Path):
    paragraphs = (default / "stack.env").read_text(encoding="utf-8").split("\n\n")[1:]
    for paragraph in paragraphs:
        assert paragraph.startswith("#"), paragraph
        assert re.search(r"^[A-Z_]+=\S+$", paragraph, re.MULTILINE), paragraph


def test_services_are_as_spin_wants_them(default: Path):
    services = load(default, "docker-compose.yml")["services"]
    app, web = services["app"], services["web"]
    assert [volume.rsplit(":", 1)[1] for volume in app["volumes"]] == ["rw", "ro", "ro", "ro", "ro"]
    assert web["volumes"][1] == "${STATIC_DIR}:/srv/static:ro"
    assert web["ports"] == ["${WEB_PORT}:8080"]
    for service in (app, web):
        assert service["user"] == "${UID}:${GROUP_ID}"
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert not {"build", "cap_add", "healthcheck"} & set(service)


def test_an_environment_for_production_is_protected(tmp_path: Path):
    for environment, protected in (("prod-cattle", True), ("dev-cattle", False)):
        stack = bake(tmp_path, stack_name=environment, environment=environment)
        dev = load(stack, "invoke.yaml")["spinstack"]["destinations"]["dev"]
        assert dev.get("protected", False) is protected


def test_every_question_is_asked_in_words():
    questions = json.loads((REPOSITORY / "cookiecutter.json").read_text(encoding="utf-8"))
    asked = {name for name in questions if not name.startswith("_")}
    assert set(questions["__prompts__"]) == asked


def test_the_template_works_from_within_the_package(tmp_path: Path):
    package = tmp_path / "site-packages" / "spinstack"
    template = package / "_template"
    for name in ("hooks", "<<cookiecutter.stack_name>>"):
        shutil.copytree(REPOSITORY / name, template / name)
    shutil.copy(REPOSITORY / "cookiecutter.json", template)
    shutil.copy(REPOSITORY / "spinstack" / "__init__.py", package)
    for name in ("rules", "template"):
        shutil.copytree(REPOSITORY / "spinstack" / name, package / name)
    shutil.copy(REPOSITORY / "spinstack" / "errors.py", package)
    # As pip does with what it installs.
    assert compileall.compile_dir(template, quiet=2)
    stack = bake(tmp_path, template=template)
    assert set(text_files(stack)) >= STACK_FILES
    assert not [*stack.rglob("*.pyc")]


def test_tasks_without_the_package_say_how_to_get_it(default: Path, tmp_path: Path):
    # An empty environment: no site-packages (-S), nothing but invoke on the path.
    invoke = tmp_path / "only-invoke"
    invoke.mkdir()
    source = Path(__import__("invoke").__file__).parent
    (invoke / "invoke").symlink_to(source, target_is_directory=True)
    run = f"import sys; sys.path.append({str(invoke)!r}); from invoke.main import program; "
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", run + "program.run(['invoke', '--list'])"],
        cwd=default,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "pip install spinstack" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
