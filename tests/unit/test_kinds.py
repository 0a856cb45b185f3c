"""The kinds of stacks that the template makes: each whole, clean, and without a word about
another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from spinstack import template
from spinstack.console.console import Console
from spinstack.errors import SpinstackError
from spinstack.template import git
from spinstack.transport.runner import LocalRunner
from tests.baking import REPOSITORY, bake, text_files
from tests.unit import kubernetes_stack
from tests.unit.test_check_laptop import check

# What each kind has nothing to do with.
WORDS = {
    "wsgi": r"night|desi\b|desi[a-z]|calendar|exposure|astropy|fits\b|readyz|checkout",
    "static": r"night|desi\b|desi[a-z]|calendar|exposure|\bapp\b|application|uwsgi|flask|python",
}
# Of Spin, whatever runs there, and of spinstack itself.
ALLOWED = (
    r"cdirs/desi|namespace: desi/alice|uwsgi_temp_path .*|application/|"
    r"[Pp]ython (environment|and editors)"
)


@pytest.fixture(scope="module", params=["nightwatch", "wsgi", "static"])
def baked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bake(tmp_path_factory.mktemp(request.param), kind=request.param, nersc_user="alice")


def test_each_kind_follows_the_rules(baked: Path) -> None:
    assert check(baked, "dev") == check(baked, "prod") == []
    assert kubernetes_stack.check(baked) == []
    kinds = [it["kind"] for it in kubernetes_stack.objects(baked)]
    images = len(list(baked.glob("*/Dockerfile")))
    assert kinds.count("Deployment") == images and "Ingress" in kinds


def test_nothing_of_the_template_is_left_over(baked: Path) -> None:
    assert not (baked / "kinds").exists()
    for name, text in text_files(baked).items():
        assert not re.search(r"<<|>>|<%|%>|<#|#>|cookiecutter", text), name
        assert name.endswith(".py") or not re.search(r"\n\n\n|^\n", text), name
        assert text.endswith("\n") or not text, name


def test_what_a_person_edits_is_short(baked: Path) -> None:
    for name in ("web/site.conf", "app/app.ini"):
        if (baked / name).exists():
            assert (baked / name).read_text().count("\n") <= 40


@pytest.mark.parametrize("kind", WORDS)
def test_no_kind_has_a_word_about_another(kind: str, tmp_path: Path) -> None:
    for name, text in text_files(bake(tmp_path, kind=kind, nersc_user="alice")).items():
        for line in text.split("\n"):
            left = re.sub(ALLOWED, "", line)
            assert not re.search(WORDS[kind], left, re.IGNORECASE), f"{name}: {line}"


def test_every_part_of_nginx_is_included_somewhere(baked: Path) -> None:
    texts = text_files(baked / "web")
    included = set(re.findall(r"include (parts/\S+);", "\n".join(texts.values())))
    assert {f"nginx/{name}" for name in included} == {
        name for name in texts if name.startswith("nginx/parts/")
    }


def test_every_image_is_made_of_packages_that_are_pinned(baked: Path) -> None:
    images = yaml.safe_load((baked / "invoke.yaml").read_text())["spinstack"]["images"]
    assert {image["context"] for image in images.values()} == {
        path.parent.name for path in baked.glob("*/Dockerfile")
    }
    if "app" in images:
        pinned = (baked / "app/requirements.txt").read_text()
        assert re.findall(r"^pyuwsgi==", pinned, re.MULTILINE) and "--hash=sha256:" in pinned


def test_an_application_of_ones_own_needs_no_other_file_of_the_template() -> None:
    """What kinds share is there once: a file of a kind is not also a shared one."""
    root = REPOSITORY / "<<cookiecutter.stack_name>>"
    shared = set(text_files(root))
    for name in [name for name in shared if name.startswith("kinds/")]:
        assert name.split("/", 2)[2] not in shared, name


@pytest.mark.parametrize(("kind", "asked"), [("nightwatch", 16), ("wsgi", 12), ("static", 12)])
def test_a_person_is_asked_only_what_their_kind_needs(
    kind: str, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def typed(name: str, default: str, prompts: dict[str, str]) -> str:
        questions.append(name)
        return {"nersc_user": "alice", "web_port": "60021"}.get(name, default)

    def chosen(name: str, options: list[str], prompts: dict[str, str]) -> str:
        questions.append(name)
        return kind if name == "kind" else options[0]

    monkeypatch.setattr("cookiecutter.prompt.read_user_variable", typed)
    monkeypatch.setattr("cookiecutter.prompt.read_user_choice", chosen)
    made = template.make(str(tmp_path), ["group_id=4711"], ask=True, dry=False)
    assert len(questions) == asked, questions
    assert "group_id" not in questions and ("data_dir" in questions) == (kind == "nightwatch")
    env = (Path(made) / "stack.env").read_text()
    assert "GROUP_ID=4711\n" in env and "WEB_PORT=60021\n" in env


def test_only_wrong_answers_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = {"stack_name": ["No_Name", "no name", "my-site"], "web_port": ["80", "60021"]}
    questions: list[str] = []

    def answer(name: str, default: str, prompts: dict[str, str]) -> str:
        questions.append(name)
        return typed[name].pop(0) if typed.get(name) else default

    monkeypatch.setattr("cookiecutter.prompt.read_user_variable", answer)
    monkeypatch.setattr("cookiecutter.prompt.read_user_choice", lambda name, options, _: options[0])
    made = template.make(str(tmp_path), [], ask=True, dry=False)
    assert Path(made).name == "my-site"
    assert "WEB_PORT=60021\n" in (Path(made) / "stack.env").read_text()
    # The namespace was suggested from the wrong name.
    assert questions[-4:] == ["stack_name", "web_port", "stack_name", "spin_namespace"]
    assert "port 80 belongs to" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "initialized"), [("yes", True), ("", False)])
def test_a_new_stack_can_be_a_git_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, initialized: bool
) -> None:
    stack = bake(tmp_path, kind="static")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    git.offer(LocalRunner(), stack, Console())
    assert (stack / ".git").is_dir() == initialized
    assert bool(git.tracked(LocalRunner(), stack)) == initialized
    # Not asked again, nor inside a repository.
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked again"))
    if initialized:
        git.offer(LocalRunner(), stack / "web", Console())


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpinstackError, match="django"):
        template.make(str(tmp_path), ["kind=django"], ask=False, dry=False)
    assert not list(tmp_path.iterdir())
