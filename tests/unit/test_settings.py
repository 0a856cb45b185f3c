"""Settings: layers, and errors that name the key."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke.config import Config

from spinstack.config import schema, settings
from spinstack.errors import UsageError

BASE: dict[str, Any] = {
    "stack": "demo",
    "destination": "dev",
    "user": "alice",
    "namespace": "alice",
    "project_dir": "/global/cfs/cdirs/desi/demo/",
    "images": {"app": {"context": "app", "name": "uwsgi-demo"}},
    "destinations": {"dev": {"environment": "dev-cattle"}},
}


NEEDED = {"stack": "demo", "project_dir": "/global/cfs/cdirs/desi/demo"}


def load(**changes: Any) -> settings.Settings:
    return settings.load({"spinstack": {**BASE, **changes}}, Path("/somewhere"))


def on_kubernetes(**values: Any) -> dict[str, Any]:
    return {"platform": "kubernetes", "kubernetes": values}


def test_a_cluster_of_the_centre_brings_its_context_and_names() -> None:
    found = load(
        platform="kubernetes",
        kubernetes={"namespace": "nightwatch"},
        project_dir=None,
        destinations={
            "dev": {"kubernetes": {"cluster": "development"}},
            "prod": {
                "kubernetes": {"cluster": "production", "ingress_host": "nightwatch.example.org"}
            },
        },
    )
    dev, prod = found.destination("dev").kubernetes, found.destination("prod").kubernetes
    assert dev and prod
    assert (dev.context, dev.namespace, dev.on_laptop) == ("development", "nightwatch", True)
    assert dev.site("demo") == "demo.nightwatch.development.svc.spin.nersc.org"
    assert (dev.ingress_class, dev.pull_secret) == ("nginx", "registry-nersc")
    assert prod.site("demo") == "nightwatch.example.org"


def test_a_cluster_of_nobody_in_particular_has_no_rules_of_a_centre() -> None:
    found = load(
        profile="generic", **on_kubernetes(context="kind-kind", namespace="demo")
    ).destination()
    assert found.kubernetes
    assert (found.kubernetes.pull_secret, found.kubernetes.site("demo")) == ("", "")
    assert 1234 in found.centre.ports_open[0]
    assert found.environment == "dev-cattle"


def test_a_service_has_a_health_check_and_a_number_of_containers() -> None:
    found = load(
        services={
            "web": {"health": {"port": 8080, "path": "/healthz", "start_within": 90}, "scale": 2},
            "db": {"health": {"port": 5432}, "stop": {"command": "pg_ctl stop"}},
            "cron": None,
        }
    ).services
    web, db = found["web"].health, found["db"].health
    assert web and db
    assert (web.port, web.path, web.start_within, found["web"].scale) == (8080, "/healthz", 90, 2)
    assert (db.path, db.start_within, db.interval, db.timeout, db.retries) == ("", 60, 2, 2, 3)
    assert (found["db"].scale, found["cron"].health) == (1, None)
    assert db.where == "spinstack.services.db.health"
    stop = found["db"].stop
    assert stop
    assert (stop.command, stop.within, found["web"].stop) == ("pg_ctl stop", 30, None)


def test_what_a_destination_says_wins_over_what_holds_for_all(tmp_path: Path) -> None:
    include = tmp_path / "destination.yml"
    include.write_text("user: demo\nport: 4022\nenvironment: dev-cattle\n")
    found = load(
        destinations={
            "dev": {"environment": "dev-cattle"},
            "prod": {"environment": "prod-cattle", "user": "bob", "protected": True},
            "rehearsal": {"include": str(include), "port": 4023},
        }
    )
    assert found.destination().user == "alice"
    assert found.destination("prod").user == "bob"
    assert found.destination("prod").protected
    rehearsal = found.destination("rehearsal")
    assert (rehearsal.user, rehearsal.port) == ("demo", 4023)
    assert rehearsal.project_dir == "/global/cfs/cdirs/desi/demo"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"usr": "x"}, "did you mean user?"),
        ({"destinations": {"dev": {"enviroment": "x"}}}, "destinations.dev.enviroment"),
        ({"destinations": {"dev": {"environment": 7}}}, "must be text, not 7"),
        ({"port": True}, "must be a number, not True"),
        ({"identity_file": "~no-such-person/key"}, "somebody whom this machine does not know"),
        ({"env": {"TITLE": "a\nb"}}, "the variable TITLE has a line break in it"),
        ({"user": "alice\0"}, "the setting user has a control character in it"),
        ({"destinations": {"dev": {"host": "a\x1b[2J"}}}, "the setting host has a control"),
        ({"modules": ["spin", "x\0"]}, "the setting modules has a control character in it"),
        ({"images": {"app": {"context": "app"}}}, "spinstack.images.app"),
        ({"images": {"app": "app"}}, "must be a mapping"),
        ({"services": {"app": {"heath": {}}}}, "did you mean health?"),
        ({"services": {"app": "5000"}}, "app must be a mapping\n  where: spinstack.services.app"),
        ({"services": {"app": {"health": {}}}}, "port is missing"),
        ({"services": {"app": {"health": {"port": 70000}}}}, "write a number from 1 to 65535"),
        ({"services": {"app": {"health": {"port": 1, "path": "ping"}}}}, "such as /healthz"),
        ({"services": {"app": {"health": 5000}}}, "the setting health must be a mapping"),
        ({"services": {"app": {"scale": 0}}}, "scale can't be 0"),
        ({"services": {"app": {"stop": {"within": 5}}}}, "the setting command is missing"),
        ({"stack": ""}, "not a stack's directory"),
        ({"destination": "prd"}, "one of dev"),
        ({"destinations": {"dev": {}}}, "the setting environment is missing"),
        ({"destinations": {"dev": {"include": "/none/x.yml"}}}, "rehearsal.start"),
        ({"centre": {"ports": {"world": ["x"]}}}, "overrides of the centre's rules are not valid"),
        ({"platform": "swarm"}, "one of cattle, kubernetes"),
        ({"platform": "kubernetes"}, "the setting context is missing"),
        (on_kubernetes(cluster="development"), "the setting namespace is missing"),
        (on_kubernetes(cluster="dev", namespace="nw"), "use one of development, production"),
        (on_kubernetes(context="c", namespace="NW"), "namespace can't be 'NW'"),
        (on_kubernetes(context="c", namespace="nw", kubectl="there"), "laptop, login"),
        (on_kubernetes(context="c", namespace="nw", ingress_host="a/b"), "ingress_host can't be"),
        (on_kubernetes(context="c", namespace="nw", storage="x"), "did you mean storage_class?"),
        ({"profile": "nersc"}, "use one of spin, generic"),
        ({"modules": [1]}, "the setting modules must be a list of text, not [1]"),
        ({"env": {"A": [1]}}, "the setting env must be a mapping of single values"),
        ({"destinations": {1: {}}, "destination": "2"}, "one of 1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        load(**changes).destination()
    assert said in str(error.value)
    assert error.value.exit_code == 2


def test_single_values_are_text_as_they_would_be_written() -> None:
    env = {"A": True, "B": None, "C": 60001, "D": date(2020, 1, 2)}
    found = load(env=env).destination().env
    assert found == {"A": "true", "B": "", "C": "60001", "D": "2020-01-02"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("ab-:/", max_size=3) | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from([key.name for key in (*schema.STACK_KEYS, *schema.DESTINATION_KEYS)])


@given(st.dictionaries(KEYS, VALUES, max_size=2), st.dictionaries(KEYS, VALUES, max_size=2))
def test_any_values_are_read_or_refused(everywhere: dict[str, Any], there: dict[str, Any]) -> None:
    own = {"environment": "dev-cattle", **there}
    try:
        load(**{"destinations": {"dev": own}, **everywhere}).destination()
    except UsageError as error:
        assert error.what


@pytest.mark.parametrize(
    "text",
    [
        *("user: 2020-99-99\n", "user: [\n", "- a\n", "user: !!bool foo\n", "port: !!int ''\n"),
        *("user: !!timestamp foo\n", "centre: &c {x: *c}\n"),
    ],
)
def test_an_included_file_that_is_no_settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.yml").write_text(text)
    with pytest.raises(UsageError) as error:
        load(destinations={"dev": {"include": str(tmp_path / "it.yml")}}).destination()
    assert str(tmp_path / "it.yml") in str(error.value)


def test_a_byte_order_mark_is_no_part_of_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "it.yml").write_bytes(b"\xef\xbb\xbfenvironment: dev-cattle\n")
    found = load(destinations={"dev": {"include": str(tmp_path / "it.yml")}}).destination()
    assert found.environment == "dev-cattle"


def test_rules_of_the_centre_can_be_overridden() -> None:
    found = load(centre={"ports": {"world": ["7000-7010"]}})
    assert any(7005 in ports for ports in found.destination().centre.ports_world)
    assert found.destination().centre.ports_lab, "the others stay"


def test_rules_of_a_destination_leave_those_of_the_stack() -> None:
    rules = {"ports": {"world": ["7000-7010"]}}
    own = {"dev": {"environment": "dev-cattle", "centre": rules}}
    found = load(centre={"storage": {"written": ["/app/files"]}}, destinations=own).destination()
    assert found.centre.written == ("/app/files",)
    assert any(7005 in ports for ports in found.centre.ports_world)


def test_a_variable_of_the_environment_is_read_by_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKE_SPINSTACK_PORT", "2222")
    monkeypatch.setenv("INVOKE_SPINSTACK_PRACTISE", "1")
    monkeypatch.setenv("INVOKE_SPINSTACK_USER", "bob")
    config = Config(defaults=schema.known_to_invoke(), overrides={"spinstack": {"stack": "demo"}})
    config.load_overrides({"spinstack": {"destinations": BASE["destinations"], **NEEDED}})
    config.load_shell_env()
    to = settings.load(config, tmp_path).destination("dev")
    assert (to.port, to.practise, to.user) == (2222, True, "bob")


def test_every_key_of_a_destination_is_a_field_of_it() -> None:
    keys = {key.name for key in schema.DESTINATION_KEYS} - {"include", "probe_path"}
    fields = {field.name for field in dataclasses.fields(settings.Destination)}
    assert fields == keys | {"name", "included", "probe_paths"}


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("modules: [spin]\nprobe_path: /a  /b\nport: 4022\n")
    found = load(
        namespace=None,
        identity_file="~/key",
        checkouts={"CODE_DIR": {"url": "https://git.example/code", "ref": "main"}},
        destinations={
            "dev": {"environment": "x", "checkouts": {"CODE_DIR": {"ref": "v1"}}},
            "other": {"environment": "y", "include": str(tmp_path / "more.yml"), "env": {"A": 1}},
        },
    )
    dev, other = found.destination("dev"), found.destination("other")
    assert (dev.namespace, dev.identity_file) == ("alice", Path.home() / "key")
    assert (dev.modules, dev.probe_paths) == (dev.centre.modules, ("/",))
    assert dev.checkouts == (settings.Checkout("CODE_DIR", "https://git.example/code", "v1"),)
    assert (other.modules, other.probe_paths, other.port) == (("spin",), ("/a", "/b"), 4022)
    assert (other.env, other.included) == ({"A": "1"}, tmp_path / "more.yml")
    assert other.checkouts[0].ref == "main"
