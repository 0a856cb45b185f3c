"""`invoke check` on the laptop: the default stack is clean, a planted fault is named, and
nothing else is."""

# ruff: noqa: E501 - a table of faults reads best with one fault a line

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from spinstack.checks import stack
from spinstack.config import compose_keys, settings
from spinstack.config import stack as config_stack
from spinstack.images.tag import ImageSpec, reference
from spinstack.platforms.rancher1.platform import Rancher1
from spinstack.rules.finding import Finding, errors
from tests.unit import stack_session
from tests.unit.older_stack import made_older

COMPOSE, RANCHER, ENV = "docker-compose.yml", "rancher-compose.yml", "stack.env"
NGINX, START, UWSGI, INVOKE = "web/site.conf", "web/start.sh", "app/uwsgi.ini", "invoke.yaml"
MAIN, PARTS = "web/nginx/nginx.conf", "web/nginx/parts"
APPLICATION, FILES = f"{PARTS}/application.conf", f"{PARTS}/files.conf"


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stack_session.baked(tmp_path_factory.mktemp("baked"))


@pytest.fixture
def directory(baked: Path, tmp_path: Path) -> Path:
    """The default stack, to plant a fault in."""
    return Path(shutil.copytree(baked, tmp_path / baked.name))


def check(directory: Path, to: str = "dev") -> list[Finding]:
    """What `invoke check` finds there."""
    config = yaml.safe_load((directory / INVOKE).read_text())
    loaded = settings.load(config, directory)
    destination = loaded.destination(to)
    images = {}
    for image in loaded.images:
        context = directory / image.context
        spec = ImageSpec(image.key, context, image.name, dockerfile=image.dockerfile)
        images[image.variable] = reference(spec, destination.registry, destination.namespace)
    return stack.check(
        loaded, destination, config_stack.read(loaded, images, Rancher1.beside), Rancher1()
    )


def replaced(path: Path, old: str, new: str) -> int:
    """Replace text once; the line (from 1) it was in."""
    text = path.read_text()
    assert text.count(old) >= 1, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_the_default_stack_is_clean(directory: Path) -> None:
    assert check(directory, "dev") == []
    assert check(directory, "prod") == []


def test_a_stack_with_a_file_for_rancher_is_as_clean(directory: Path) -> None:
    made_older(directory)
    assert check(directory, "dev") == []


# Rule, file, what is replaced, by what, and lines from there to the line that is named.
FAULTS = [
    ("compose-version", COMPOSE, "version: '2'", "version: '3.8'", 0),
    ("compose-version", RANCHER, "version: '2'", "version: 2.0", 0),
    ("compose-section", COMPOSE, "services:\n", "configs: {}\nservices:\n", 0),
    ("compose-key", COMPOSE, "    read_only: true", "    healthcheck: {test: 'true'}", 0),
    ("compose-key", COMPOSE, "    read_only: true", "    retain-ip: true", 0),
    ("compose-key", RANCHER, "    scale: 1", "    scales: 1", 0),
    ("compose-type", COMPOSE, "    read_only: true", "    read_only: 'yes'", 0),
    ("compose-type", COMPOSE, "    read_only: true", "    mem_limit: much", 0),
    ("compose-type", COMPOSE, "    cap_drop:\n      - ALL", "    cap_drop: ALL", 0),
    ("compose-value", COMPOSE, ":/app/data:ro", ":/app/data:readonly", 0),
    ("compose-value", COMPOSE, ":8080'", "'", 0),
    ("compose-build", COMPOSE, "    read_only: true", "    build: ./app", 0),
    ("compose-forbidden", COMPOSE, "    read_only: true", "    privileged: true", 0),
    ("compose-forbidden", COMPOSE, "    read_only: true", "    network_mode: host", 0),
    ("compose-forbidden", COMPOSE, "    read_only: true", "    pid: host", 0),
    ("service-unknown", RANCHER, "  web:\n", "  wbe: {scale: 1}\n  web:\n", 0),
    ("service-unknown", INVOKE, "    web: {scale", "    wbe: {scale: 1}\n    web: {scale", None),
    ("yaml", COMPOSE, "services:\n", "services: {\n", 3),
    ("yaml", COMPOSE, "    read_only: true", "    labels: &a {x: *a}", 0),
    ("yaml-twice", COMPOSE, "    read_only: true", "    read_only: true\n    read_only: true", 1),
    ("compose-services", COMPOSE, "services:\n", "servers:\n", None),
    ("line-ends", ENV, "GROUP_ID=58102\n", "GROUP_ID=58102\r\n", 0),
    ("line-ends", START, "#!/bin/sh\n", "#!/bin/sh\r\n", 0),
    ("directory-name", INVOKE, "stack: nightwatch-desi", "stack: nightwatch-two", None),
    ("env-line", ENV, "WEB_PORT=60037", "WEB_PORT = 60037", 0),
    ("env-line", ENV, "WEB_PORT=60037", "WEB_PORT=60037\nTITLE=a\0b", 1),
    ("env-quotes", ENV, "WEB_PORT=60037", "WEB_PORT='60037'", 0),
    ("env-twice", ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\nWEB_PORT=60038\n", 1),
    ("env-file-missing", COMPOSE, "./stack.env", "./.env", 0),
    ("variable-unset", ENV, "DATA_DIR=", "DATA_DRI=", None),
    ("variable-unset", COMPOSE, "${DATA_DIR}", "${DATA_PLACE}", 0),
    ("variable-form", COMPOSE, "${DATA_DIR}", "${DATA_DIR:-/global/cfs/cdirs/desi/x}", 0),
    ("variable-unused", ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\nWEB_PROT=1\n", 1),
    ("variable-reserved", ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\nUID=1234\n", 1),
    ("variable-reserved", ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\nAPP_IMAGE=x\n", 1),
    ("stack-name", INVOKE, "stack: nightwatch-desi", "stack: Nightwatch_Desi", None),
    ("image-name", INVOKE, "name: nginx-nightwatch", "name: nginx--nightwatch", None),
    ("secret-name", COMPOSE, "    read_only: true", "    secrets: [password]", 0),
    ("volume-name", COMPOSE, "${DATA_DIR}:/app/data:ro", "cache:/app/data", 0),
    ("environment", INVOKE, "environment: dev-cattle", "environment: dev", None),
    ("user-name", INVOKE, "user: alice", "user: your-nersc-name", None),
    ("image-reference", COMPOSE, "${WEB_IMAGE}", "Nginx:1", 0),
    ("image-registry", COMPOSE, "${WEB_IMAGE}", "quay.io/me/nginx:1.28", 0),
    ("image-tag", COMPOSE, "${WEB_IMAGE}", "docker.io/nginx:latest", 0),
    ("image-base", "web/Dockerfile", "nginx:1.28.0-bookworm", "nginx:latest", 0),
    ("image-base", "web/Dockerfile", "FROM ${NGINX_IMAGE}", "FROM nginx", 0),
    ("image-copy", "web/Dockerfile", "COPY nginx /etc", "COPY ngin /etc", 0),
    ("image-copy", "web/Dockerfile", "COPY start.sh /usr", "COPY --chown=1:1 start.sh no/such*.sh /usr", 0),
    ("image-copy", "app/Dockerfile", "image/sbom.py /tmp/", "\\\n  image/sbom.pi /tmp/", 0),
    ("numeric-id", COMPOSE, "    read_only: true", "    group_add: [desi]", 0),
    ("image-unused", COMPOSE, "${WEB_IMAGE}", "docker.io/nginx:1.28", None),
    ("user-numeric", COMPOSE, "    user: '${UID}:${GROUP_ID}'\n", "", None),
    ("numeric-id", COMPOSE, "user: '${UID}:", "user: 'root:", 0),
    ("numeric-id", ENV, "GROUP_ID=58102", "GROUP_ID=0", None),
    ("cap-drop", COMPOSE, "    cap_drop:\n      - ALL\n", "", None),
    ("cap-add", COMPOSE, "    read_only: true", "    cap_add: [SYS_ADMIN]", 0),
    ("port-number", ENV, "WEB_PORT=60037", "WEB_PORT=web", None),
    ("port-reserved", ENV, "WEB_PORT=60037", "WEB_PORT=443", None),
    ("port-range", ENV, "WEB_PORT=60037", "WEB_PORT=61000", None),
    ("port-twice", COMPOSE, "    read_only: true", "    ports: ['${WEB_PORT}:5000']", None),
    ("port-listen", NGINX, "listen 8080;", "listen 8181;", None),
    ("health-port", INVOKE, "port: 5000", "port: 5055", None),
    ("health-check", INVOKE, "      health: {port: 5000, path: /healthz, start_within: 60}\n", "", None),
    ("service-twice", COMPOSE, "    read_only: true", "    scale: 2", 0),
    ("health-port", RANCHER, "port: 5000", "port: 5055", 0),
    ("health-check", RANCHER, "    health_check:\n      port: 5000", "    metadata:\n      port: 5000", None),
    ("nginx-syntax", NGINX, "    listen 8080;", "    listen 8080", 0),
    ("nginx-syntax", NGINX, "    location / {", "    location / {{", 0),
    ("nginx-syntax", NGINX, "    listen 8080;", "    listen 8080 {}", 0),
    ("nginx-syntax", NGINX, "include parts/page.conf;", "include parts/pages.conf;", 0),
    ("nginx-syntax", f"{PARTS}/page.conf", "set $file $page;", "set $file $page", 0),
    ("line-ends", APPLICATION, "upstream app_service {\n", "upstream app_service {\r\n", 0),
    ("nginx-directive", FILES, "sendfile on;", "sendfil on;", 0),
    ("nginx-directive", f"{PARTS}/server.conf", "absolute_redirect off;", "    no_such_thing_at_all on;", 0),
    ("nginx-directive", MAIN, "    server_tokens", "    server_token", 0),
    ("nginx-upstream", APPLICATION, "    include /tmp/app-server.conf;", "    server ap:5000;", 0),
    ("nginx-upstream", APPLICATION, "    include /tmp/app-server.conf;", "    server app:5055;", 0),
    ("nginx-upstream", START, "port=5001", "port=5055", 0),
    ("nginx-upstream", START, "service=app", "service=application", 0),
    ("path-mountable", ENV, "DATA_DIR=", "DATA_DIR=/global/homes/a/alice/", None),
    ("path-mountable", INVOKE, "project_dir: /global/cfs/cdirs/desi", "project_dir: /pscratch", None),
    ("mount-missing", COMPOSE, "./web/site.conf", "./web/site.cnf", 0),
    ("mount-twice", COMPOSE, ":/app/desiutil:ro", ":/app/desimodel:ro", 0),
    ("mount-depth", ENV, "DATA_DIR=", "DATA_DIR=/global/cfs/cdirs/desi\n# ", None),
    ("mount-writable", COMPOSE, ":/app/data:ro", ":/app/data", 0),
    ("mount-writable", COMPOSE, "/nginx/site.conf:ro", "/nginx/site.conf", 0),
]  # fmt: skip

# What one fault makes wrong besides, because it is wrong: no other rule is at fault.
FOLLOWS = {
    "stack-name": {"directory-name"},
    "image-registry": {"image-unused"},
    "image-reference": {"image-unused"},
    "image-tag": {"image-unused"},
    "port-listen": {"health-port"},
    "variable-unset": {"variable-unused"},
    "volume-name": {"variable-unused"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "file", "old", "new", "lines"),
    FAULTS,
    ids=[f"{fault[0]}-{number}" for number, fault in enumerate(FAULTS)],
)
def test_a_planted_fault_is_named_and_no_other(
    directory: Path, rule: str, file: str, old: str, new: str, lines: int | None
) -> None:
    if file == RANCHER:
        made_older(directory)
    line = replaced(directory / file, old, new)
    found = check(directory)
    named = [finding for finding in found if finding.rule == rule]
    assert named, found
    assert {finding.rule for finding in found} <= {rule, *FOLLOWS.get(rule, ())}, found
    assert all(finding.remedy and finding.problem for finding in named)
    if lines is not None:
        assert f"{file}:{line + lines}" in [finding.where for finding in named], named


WARNINGS = {"compose-section", "directory-name", "variable-unused", "image-unused", "mount-depth", "mount-writable", "health-check"}  # fmt: skip


def test_advice_does_not_forbid_a_deploy(directory: Path) -> None:
    replaced(directory / COMPOSE, ":/app/data:ro", ":/app/data")
    replaced(directory / ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\nWEB_PROT=1\n")
    found = check(directory)
    assert found and not errors(found)
    assert {finding.rule for finding in found} <= WARNINGS


def test_good_names_of_secrets_and_volumes_pass(directory: Path) -> None:
    replaced(
        directory / COMPOSE,
        "    read_only: true",
        "    secrets:\n"
        "      - app.nightwatch-desi.password\n"
        "      - {source: nightwatch-desi.token, target: token}\n",
    )
    replaced(directory / COMPOSE, "${DATA_DIR}:/app/data:ro", "app.nightwatch-desi:/app/data")
    replaced(directory / ENV, "DATA_DIR=", "# ")
    assert check(directory) == []


def test_findings_are_in_the_order_of_the_files(directory: Path) -> None:
    replaced(directory / COMPOSE, ":/app/data:ro", ":/app/data")
    replaced(directory / COMPOSE, "    read_only: true", "    privileged: true")
    replaced(directory / INVOKE, "port: 5000", "port: 5055")
    rules = [finding.rule for finding in check(directory)]
    assert rules == ["compose-forbidden", "health-port", "mount-writable"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["${A}", "a:/b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
SERVICES = st.dictionaries(
    st.sampled_from(["app", "web", 1, None]),
    VALUES | st.dictionaries(st.sampled_from([*compose_keys.TYPES, 7]), VALUES, max_size=8),
    min_size=1,
    max_size=3,
)


@settings_of_hypothesis(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(SERVICES, st.dictionaries(st.sampled_from(["secrets", "volumes", "x"]), VALUES), SERVICES)
def test_any_file_that_is_yaml_gives_findings_and_no_exception(
    directory: Path, services: object, sections: dict[str, object], rancher: object
) -> None:
    data = {"version": "2", "services": services, **sections}
    (directory / COMPOSE).write_text(yaml.safe_dump(data))
    (directory / RANCHER).write_text(yaml.safe_dump({"version": "2", "services": rancher}))
    for finding in check(directory):
        assert finding.rule and finding.where


def test_an_nginx_of_another_version_may_have_other_directives(directory: Path) -> None:
    replaced(directory / FILES, "sendfile on;", "sendfil on;")
    (told,) = check(directory)
    assert (told.severity, told.remedy) == ("error", "change it to sendfile")
    replaced(directory / "web/Dockerfile", "nginx:1.28.0-bookworm", "nginx:1.29.3-bookworm")
    (told,) = check(directory)
    assert (told.rule, told.severity) == ("nginx-directive", "warning")


@pytest.mark.parametrize(
    "passed",
    [
        "uwsgi_pass uwsgi://app:5001;",
        "proxy_pass http://app:5000$request_uri;",
        "proxy_pass http://[::1]:80;",
        "proxy_pass https://www.example.org;",
    ],
)
def test_what_nginx_forwards_to_is_read_as_nginx_reads_it(directory: Path, passed: str) -> None:
    replaced(directory / APPLICATION, "uwsgi_pass app_service;", passed)
    assert check(directory) == []


def test_without_a_port_the_protocol_says_which(directory: Path) -> None:
    replaced(directory / APPLICATION, "uwsgi_pass app_service;", "proxy_pass https://app;")
    (told,) = check(directory)
    assert told.rule == "nginx-upstream" and "port 443 of app" in told.problem


def test_nothing_to_forward_to_is_told_as_that(directory: Path) -> None:
    replaced(directory / APPLICATION, "uwsgi_pass app_service;", "uwsgi_pass :;")
    (told,) = check(directory)
    assert told.problem == "nginx forwards to no host, which is not a service of the stack"


def test_an_upstream_of_two_protocols_may_listen_for_either(directory: Path) -> None:
    one = "uwsgi_pass app_service;"
    replaced(
        directory / APPLICATION, one, f"{one} }} location /other {{ proxy_pass http://app_service;"
    )
    assert check(directory) == []


def test_a_base_image_with_the_name_of_an_argument_is_told_in_its_own_line(
    directory: Path,
) -> None:
    path = directory / "web/Dockerfile"
    replaced(path, "FROM ${NGINX_IMAGE}", "FROM nginx")
    path.write_text(f"ARG nginx=1.28\n{path.read_text()}")
    line = path.read_text().split("\n").index("FROM nginx") + 1
    (told,) = [found for found in check(directory) if found.rule == "image-base"]
    assert told.where == f"web/Dockerfile:{line}"


def test_an_upstream_may_stand_in_another_file(directory: Path) -> None:
    replaced(directory / APPLICATION, "uwsgi_pass app_service;", "include parts/pass.conf;")
    (directory / PARTS / "pass.conf").write_text("uwsgi_pass app_service;\n")
    assert check(directory) == []


def test_a_module_of_nginx_brings_directives_for_all_files(directory: Path) -> None:
    replaced(directory / FILES, "sendfile on;", "sendfile on; js_import site.js;")
    assert [found.rule for found in check(directory)] == ["nginx-directive"]
    main = directory / MAIN
    main.write_text(f"load_module modules/ngx_http_js_module.so;\n{main.read_text()}")
    assert check(directory) == []


def test_what_copies_take_as_docker_does(directory: Path) -> None:
    """None of it is missing; then it is left out of the context."""
    web = directory / "web"
    dockerfile = web / "Dockerfile"
    text = dockerfile.read_text() + "\n".join(
        [
            'COPY ["start.sh", "/my place/"]',
            "COPY nginx/nginx** st**.sh /x/",
            "COPY --from=build /no/such /x",
            "ADD https://example.org/no-such /x",
            "ARG name=x",
            "COPY $name /x",
            "COPY ../nginx/nginx.conf /start.sh *.sh . /x/",
            "COPY <<END /x",
            "FROM nights",
            "COPY no-such /y",
            "END",
            "# COPY no-such /y",
            "RUN echo \\",
            "  # a comment",
            "  COPY no-such /y",
        ]
    )
    dockerfile.write_text(text)
    assert check(directory) == []
    (web / ".dockerignore").write_text("*.sh\nnginx/nginx.conf\n")
    found = check(directory)
    assert {told.rule for told in found} == {"image-copy"}
    # As it says.
    lines = {told.remedy.split("add ")[1].split(" as")[0] for told in found}
    with (web / ".dockerignore").open("a") as ignore:
        ignore.write("\n".join(sorted(lines)))
    assert check(directory) == []


def test_a_dockerfile_of_another_name_is_checked_like_any(directory: Path) -> None:
    web = directory / "web"
    (web / "Dockerfile").rename(web / "Dockerfile.prod")
    replaced(directory / INVOKE, "{context: web,", "{context: web, dockerfile: Dockerfile.prod,")
    assert check(directory) == []
    replaced(web / "nginx/nginx.conf", "    server_tokens", "    server_token")
    replaced(web / "Dockerfile.prod", "nginx:1.28.0-bookworm", "nginx:latest")
    replaced(web / "Dockerfile.prod", "COPY start.sh", "COPY star.sh")
    found = {one.rule: one.where.rpartition(":")[0] for one in check(directory)}
    at = "web/Dockerfile.prod"
    directive = {"nginx-directive": "web/nginx/nginx.conf"}
    assert found == {"image-base": at, "image-copy": at, **directive}


def test_a_broken_compose_file_hides_no_wrong_environment(directory: Path) -> None:
    (directory / COMPOSE).write_text("services: {web: [")
    replaced(directory / INVOKE, "{environment: dev-cattle", "{environment: nowhere")
    assert {found.rule for found in check(directory)} >= {"yaml", "environment"}
