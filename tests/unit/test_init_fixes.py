"""The fixes that `spinstack init` offers do what they say, or are not offered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from invoke.context import Context

from spinstack.checks import mend
from spinstack.errors import SpinstackError
from spinstack.images import engine, registry, registry_login
from spinstack.rules.finding import Finding
from spinstack.setup import adopt, fixes, offer

DIGEST = "sha256:" + "0" * 64
SERVICE = "    image: nginx:1.27.1\n    user: '999:999'\n    cap_drop: [ALL]\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No engine, no settings of a person, and a registry that knows each image."""

    def none(*_: object) -> None:
        raise SpinstackError("no engine")

    monkeypatch.setattr(engine, "find", none)
    monkeypatch.setattr(registry_login, "credentials", none)
    monkeypatch.setattr(registry, "manifest", lambda *_: SimpleNamespace(digest=DIGEST))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


def fixed(
    directory: Path,
    services: str,
    env: str | None = None,
    answer: Callable[[Finding], bool] = lambda finding: True,
) -> tuple[str, str, list[Finding]]:
    """The compose file and the env file after each question was answered, and the questions."""
    (directory / "docker-compose.yml").write_text(f"version: '2'\n{services}")
    if env is not None:
        (directory / "stack.env").write_text(env)
    session = offer.made(Context(), directory, adopt.look(directory, stack="s"))
    asked: list[Finding] = []

    def ask(finding: Finding) -> bool:
        asked.append(finding)
        return answer(finding)

    offer.one_by_one(
        directory,
        lambda: offer.checked(session).findings,
        ask,
        lambda finding: fixes.offered(session, finding),
    )
    variables = directory / "stack.env"
    text = (directory / "docker-compose.yml").read_text().removeprefix("version: '2'\n")
    return text, variables.read_text() if variables.exists() else "", asked


def rules(asked: list[Finding]) -> list[str]:
    return [finding.rule for finding in asked]


def test_two_volumes_never_become_one(tmp_path: Path) -> None:
    services = f"""\
services:
  web:
{SERVICE}    volumes: ['web_data:/data', 'web_cache:/cache', 'shared:/shared']
  app:
{SERVICE}    volumes: ['shared:/shared']
volumes:
  web_data: {{}}
  web_cache: {{}}
  shared: {{}}
"""
    text, _, asked = fixed(tmp_path, services)
    written = yaml.safe_load(text)
    # The one that nobody else mounts keeps its name, and its finding.
    assert written["services"]["app"]["volumes"] == ["app.s:/shared"]
    volumes = written["services"]["web"]["volumes"]
    assert volumes[2] == "app.s:/shared" and len({*volumes}) == 3
    assert len(written["volumes"]) == 3 and rules(asked) == ["volume-name", "volume-name"]


@pytest.mark.parametrize(("mounted", "declared"), [("", "  web.s: {}\n"), (", 'web.s:/b'", "")])
def test_a_volume_does_not_take_the_name_of_another(
    tmp_path: Path, mounted: str, declared: str
) -> None:
    services = f"""\
services:
  web:
{SERVICE}    volumes: ['data:/a'{mounted}]
volumes:
  data: {{}}
{declared}"""
    text, _, asked = fixed(tmp_path, services)
    assert (text, asked) == (services, [])


def test_a_volume_is_renamed_wherever_it_is_mounted(tmp_path: Path) -> None:
    services = f"""\
services:
  web:
{SERVICE}    volumes:
      - data:/data  # data of the group
  app:
{SERVICE}    volumes:
      - type: volume
        source: data
        target: /data
        volume: {{subpath: x}}
      - {{type: bind, source: data, target: /here}}
      - &data data:/other
      - *data
volumes:
  data: {{}}
"""

    def answer(finding: Finding) -> bool:
        return finding.rule == "volume-name"

    text, _, _ = fixed(tmp_path, services, answer=answer)
    expected = services.replace("- data:", "- web.s:").replace("&data data:", "&data web.s:")
    expected = expected.replace("        source: data\n", "        source: web.s\n")
    assert text == expected.replace("  data: {}\n", "  web.s: {}\n")


@pytest.mark.parametrize(
    ("mount", "declared"),
    [
        ("'${PLACE}:/b'", "{}"),
        ('"d\\x61ta:/b"', "{}"),
        ("'data:/b'", "{external: true}"),
        ("'data:/b'", "{name: elsewhere}"),
    ],
)
def test_a_volume_that_is_named_in_other_ways_keeps_its_name(
    tmp_path: Path, mount: str, declared: str
) -> None:
    services = f"""\
services:
  web:
{SERVICE}    volumes: ['data:/a', {mount}]
volumes:
  data: {declared}
"""
    text, _, _ = fixed(tmp_path, services, "PLACE=data\n")
    assert text == services


def test_the_question_names_the_new_volume(tmp_path: Path) -> None:
    services = f"services:\n  web:\n{SERVICE}    volumes: ['data:/a']\nvolumes: {{data: {{}}}}\n"
    (tmp_path / "docker-compose.yml").write_text(services)
    session = offer.made(Context(), tmp_path, adopt.look(tmp_path, stack="s"))
    found = [it for it in offer.checked(session).findings if it.rule == "volume-name"]
    assert "web.s" in fixes.remedy(session, found[0])
    assert "SERVICE" not in fixes.remedy(session, found[0])


def environment(*lines: str) -> str:
    values = "".join(f"      {line}\n" for line in lines)
    return f"services:\n  web:\n{SERVICE}    environment:\n{values}"


@pytest.mark.parametrize(
    ("lines", "env"),
    [
        # Two defaults, or none, of one variable.
        (("A: '${V:-a}'", "B: '${V:-b}'"), ""),
        (("A: ['${V:-a}', '${V:-b}']",), ""),
        (("A: '${V:-a}'", "B: '$V'"), ""),
        (("A: '${V:-a}'", "B: '${V:+x}'"), ""),
        # The env file has something else.
        (("A: '${V:-80}'",), "V=\n"),
        (("A: '${V-80}'",), "V=\n"),
        (("A: '${V:-80}'",), "V=90\n"),
        # It can't hold that.
        (("A: '${V:- }'",), ""),
        (("A: '${V:- x}'",), ""),
        (("A: '${V:-\"x\"}'",), ""),
        (("A: '${V:-}'",), ""),
        (("A: '${V:-it''s}'",), ""),
        # Nested, and set by the product.
        (("A: '${V:-a} ${W:-${V:-a}}'",), ""),
        (("A: '${UID:-1000}'",), ""),
    ],
)
def test_a_default_that_would_be_another_value_stays(
    tmp_path: Path, lines: tuple[str, ...], env: str
) -> None:
    services = environment(*lines)
    text, variables, asked = fixed(tmp_path, services, env)
    assert (text, variables, rules(asked)) == (services, env, [])


@pytest.mark.parametrize("env", ["W=x\n", ""])
def test_a_default_moves_to_the_env_file_where_it_is_one(tmp_path: Path, env: str) -> None:
    services = environment(
        "A: '$${W:-x} ${W:-x} $$${W:-x} ${W:-x}'  # ${W:-x}", 'B: "${W-x}"', "${W:-x}: 'y'"
    )
    text, variables, asked = fixed(tmp_path, services, env)
    assert text == environment(
        "A: '$${W:-x} ${W} $$${W} ${W}'  # ${W:-x}", 'B: "${W}"', "${W:-x}: 'y'"
    )
    assert variables == "W=x\n" and rules(asked) == ["variable-form"] * 2


def test_the_env_file_is_written_before_what_lost_the_default(tmp_path: Path) -> None:
    services = environment("A: '${V:-a}'")
    (tmp_path / "stack.env").mkdir()
    (tmp_path / "docker-compose.yml").write_text(services)
    with pytest.raises(OSError):
        fixes.write(tmp_path, {"stack.env": "V=a\n", "docker-compose.yml": "x"})
    assert (tmp_path / "docker-compose.yml").read_text() == services
    (tmp_path / "stack.env").rmdir()
    (tmp_path / "stack.env").write_text("")
    session = offer.made(Context(), tmp_path, adopt.look(tmp_path, stack="s"))
    found = [it for it in offer.checked(session).findings if it.rule == "variable-form"]
    assert [*fixes.offered(session, found[0])] == ["stack.env", "docker-compose.yml"]


def test_equal_findings_are_asked_about_one_by_one(tmp_path: Path) -> None:
    item = "      - {target: 8080, published: 8080}\n"
    services = f"services:\n  web:\n{SERVICE}    ports:\n{item * 3}"
    answers = iter([False, True, True])
    text, _, asked = fixed(
        tmp_path, services, answer=lambda it: it.rule == "compose-value" and next(answers)
    )
    assert rules(asked).count("compose-value") == 3
    assert text == services.replace(item * 3, item + "      - '8080:8080'\n" * 2)


@pytest.mark.parametrize("helps", [True, False])
def test_questions_end_even_if_fixes_do_not_help(tmp_path: Path, helps: bool) -> None:
    """Each fix undoes the other one, or does nothing."""
    state = ["a"]

    def check() -> list[Finding]:
        return [Finding(state[0], f"x:{number}", "wrong", "right") for number in (1, 2)]

    def beyond(finding: Finding) -> dict[str, str]:
        return {"x": "text"}

    def ask(finding: Finding) -> bool:
        asked.append(finding)
        state[0] = {"a": "b", "b": "a"}[state[0]] if helps else state[0]
        return True

    asked: list[Finding] = []
    offer.one_by_one(tmp_path, check, ask, beyond)
    assert 2 <= len(asked) <= 4


def test_a_user_goes_to_the_service_whatever_is_written_around_it(tmp_path: Path) -> None:
    services = """\
services:
  web:
      # A comment that stands deeper.
    image: nginx:1.27.1
    cap_drop: [ALL]
    volumes: ['/global/cfs/cdirs/desi/x:/data']
  app: {image: 'nginx:1.27.1', cap_drop: [ALL], volumes: ['/global/cfs/cdirs/desi/x:/data']}
"""
    text, variables, asked = fixed(tmp_path, services)
    assert rules(asked) == ["user-numeric"] * 2 and variables == "GROUP_ID=58102\n"
    assert "# A comment that stands deeper." in text
    written = yaml.safe_load(text)["services"]
    assert {it["user"] for it in written.values()} == {"${UID}:${GROUP_ID}"}


def test_no_fix_makes_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    finding = Finding("a", "docker-compose.yml:1", "wrong", "right")
    done = offer.one_by_one(
        tmp_path,
        lambda: [finding],
        lambda _: True,
        lambda _: {"docker-compose.yml": "services: {\n", "stack.env": "A=1\n"},
    )
    assert done == [] and [path.name for path in tmp_path.iterdir()] == ["docker-compose.yml"]
    assert mend.still_reads("docker-compose.yml", "{", "}")


def test_only_the_image_gets_a_digest(tmp_path: Path) -> None:
    services = """\
services:
  nginx: {image: nginx, user: '999:999', cap_drop: [ALL]}
  web:
    image: &nginx "nginx:latest"  # nginx:latest, pinned below
    user: '999:999'
    cap_drop: [ALL]
"""
    text, _, asked = fixed(tmp_path, services)
    assert rules(asked) == ["image-tag"] * 2
    assert text == services.replace("image: nginx,", f"image: nginx@{DIGEST},").replace(
        '"nginx:latest"', f'"nginx@{DIGEST}"'
    )


def test_only_the_group_gets_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixes, "_group_of", lambda *_: "33")
    services = f"services:\n  web:\n{SERVICE}    group_add: [disk, web, web-x]  # of web\n"
    text, _, asked = fixed(tmp_path, services, answer=lambda finding: "'web'" in finding.problem)
    assert text == services.replace(" web,", " '33',") and "numeric-id" in rules(asked)
