"""What a finding of `invoke check` advises, done to the letter where it says, removes it, and
makes nothing else wrong."""

# ruff: noqa: E501 - a table of remedies reads best with one remedy a line

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from spinstack.rules import centre, names
from spinstack.rules.finding import Finding, errors
from tests.unit import test_check_compose, test_check_laptop, test_check_there
from tests.unit.older_stack import made_older
from tests.unit.test_check_laptop import (
    APPLICATION,
    COMPOSE,
    ENV,
    INVOKE,
    NGINX,
    RANCHER,
    START,
    UWSGI,
    baked,
    check,
    directory,
    replaced,
)
from tests.unit.test_check_rules import emitted

__all__ = ["baked", "directory"]

HERE = test_check_compose.HERE
WEB, APP = "web/Dockerfile", "app/Dockerfile"
UPSTREAM = "    include /tmp/app-server.conf;"
CENTRE = centre.load()

# Rule, file, what is replaced, by what; more than the tables of the tests beside this one have.
MORE = [
    ("compose-text", COMPOSE, HERE, "    environment: {COMMIT: 680841e1}"),
    ("compose-type", COMPOSE, HERE, "    ports: 60038:5000"),
    ("compose-type", RANCHER, "services:\n", "services: [app]\nx-old:\n"),
    ("compose-services", COMPOSE, "services:\n", "srvcs:\n"),
    ("compose-type", COMPOSE, "    user: '${UID}:${GROUP_ID}'", "    user: 1000"),
    ("path-characters", ENV, "DATA_DIR=", "DATA_DIR=~/"),
    ("path-characters", ENV, "DATA_DIR=", "DATA_DIR=$CFS/desi/"),
    ("path-characters", ENV, "DATA_DIR=", "DATA_DIR=../"),
    ("path-mountable", INVOKE, "project_dir: /global/cfs/cdirs/desi", "project_dir: /global/cfs/cdirs/your-project"),
    ("env-line", ENV, "GROUP_ID=", "export GROUP_ID="),
    ("env-line", ENV, "WEB_PORT=60037\n", "WEB_PORT=60037\n2ND_PORT=1\n"),
    ("env-quotes", ENV, "WEB_PORT=60037", "WEB_PORT=60037  # the calendar"),
    ("variable-unset", COMPOSE, "${WEB_IMAGE}", "${WBE_IMAGE}"),
    ("numeric-id", COMPOSE, "'${UID}:${GROUP_ID}'", "'${UID}'"),
    ("service-name", COMPOSE, "  web:\n", "  nginx:\n"),
    ("image-reference", COMPOSE, "${WEB_IMAGE}", "registry.nersc.gov/you/nginx:1.28:2"),
    ("port-inside", COMPOSE, ":8080'", ":80'"),
    ("port-listen", NGINX, "listen 8080;", "listen 80;"),
    ("health-port", RANCHER, "port: 5000", "port: 5001"),
    ("nginx-upstream", START, "port=5001", "port=5000"),
    ("nginx-upstream", APPLICATION, UPSTREAM, "    server app;"),
    ("nginx-upstream", APPLICATION, "uwsgi_pass app_service;", "proxy_pass http://app:5001;"),
    ("health-port", UWSGI, "http-socket = :5000", "# "),
    ("nginx-syntax", NGINX, "    listen 8080;", "    listen 8080;\n    location /x;"),
    ("nginx-directive", NGINX, "    listen 8080;", "    listen 8080;\n    gzipp on;"),
    ("yaml", COMPOSE, "version: '2'\n", "version: '2'\nservices: {app: {image: x}}\n---\n"),
    ("image-copy", WEB, "COPY nginx /etc", "COPY mime.types /etc"),
]  # fmt: skip

FAULTS = [
    *((rule, file, old, new) for rule, file, old, new, _ in test_check_laptop.FAULTS),
    *((rule, COMPOSE, HERE, new) for rule, new, _, _ in test_check_compose.FAULTS),
    *MORE,
]

# Rule; what was planted; words of the remedy; the change that they ask for, where the finding is:
# what is replaced (None: what was planted) and by what. A third part names another file, which
# the remedy must name. Several remedies of one fault have a row each.
REMEDIES: list[tuple[str, str, str, tuple[str | None, str] | tuple[str, str, str]]] = [
    ("compose-version", "version: '3.8'", "write version: '2'", (None, "version: '2'")),
    ("compose-version", "version: 2.0", "write version: '2'", (None, "version: '2'")),
    ("compose-section", "configs: {}\nservices:\n", "or remove it", (None, "services:\n")),
    ("compose-section", "configs: {}\nservices:\n", "use one of .catalog, catalog, c", ("configs", "catalog")),
    ("compose-key", "    healthcheck: {test: 'true'}", "remove it, and use health: below services: in invoke.yaml", (None, "")),
    ("compose-key", "    retain-ip: true", "did you mean retain_ip?", (None, HERE)),
    ("compose-key", "    log_driver: syslog", "write logging: {driver: …}", (None, "    logging: {driver: syslog}")),
    ("compose-key", "    scales: 1", "did you mean scale?", (None, "    scale: 1")),
    ("compose-key", "    environment: {ON: 1}", "quote it: 'ON'", ("ON", "'ON'")),
    ("compose-key", "    labels: {08: x}", "quote it: '08'", ("08", "'08'")),
    ("compose-type", "    read_only: 'yes'", "must be true or false", ("'yes'", "true")),
    ("compose-type", "    mem_limit: much", "or a size such as 512m", ("much", "512m")),
    ("compose-type", "    mem_limit: much", "must be a number of bytes", ("much", "536870912")),
    ("compose-type", "    cap_drop: ALL", "cap_drop: ['ALL']", (None, "    cap_drop: ['ALL']")),
    ("compose-type", "    environment: 5", "a list of text values (quote them)", ("5", "['A=5']")),
    ("compose-type", "    environment: 5", "a mapping of single values", ("5", "{A: 5}")),
    ("compose-type", "    environment: {A: [1]}", "a mapping of single values", ("[1]", "1")),
    ("compose-type", "    environment:", "or a mapping of single values", (None, "    environment: {A: b}")),
    ("compose-type", "    dns_opt: a", "must be a list of text values (quote them)", (": a", ": ['a']")),
    ("compose-repeated", "    dns: [10.0.0.1, 10.0.0.2, 10.0.0.1]", "remove one", (", 10.0.0.2, 10.0.0.1", ", 10.0.0.2")),
    ("compose-repeated", "    volumes_from: ['${GROUP_ID}', '58102']", "remove one", (", '58102'", "")),
    ("compose-type", "    hostname: 680841e1", "must be text (quote it)", ("680841e1", "'680841e1'")),
    ("compose-type", "    hostname: yes", "must be text (quote it)", ("yes", "'yes'")),
    ("compose-type", "    ports: 60038:5000", "ports: ['60038:5000']", (None, "    ports: ['60038:5000']")),
    ("compose-type", "    user: 1000", "write `user: '${UID}:${GROUP_ID}'`", (None, "    user: '${UID}:${GROUP_ID}'")),
    ("compose-type", "services: [app]\nx-old:\n", "the name of each service below it, with a colon", (None, "services:\n")),
    ("compose-text", "    environment: {COMMIT: 680841e1}", "quote the value", ("680841e1", "'680841e1'")),
    ("compose-value", ":/app/data:readonly", "SOURCE:TARGET:MODE, such as ${DATA_DIR}:/app/data:ro", ("${DATA_DIR}:/app/data:readonly", "${DATA_DIR}:/app/data:ro")),
    ("compose-value", "'", "such as '${WEB_PORT}:8080'", ("'${WEB_PORT}'", "'${WEB_PORT}:8080'")),
    ("compose-value", "    ports: [{target: 5000, published: 60038}]", "write '60038:5000'", ("{target: 5000, published: 60038}", "'60038:5000'")),
    ("compose-value", "    ports: [{target: 5000, published: 60038, protocol: udp}]", "write '60038:5000/udp'", ("{target: 5000, published: 60038, protocol: udp}", "'60038:5000/udp'")),
    ("compose-value", "    ports: [[5000]]", "OUTSIDE:INSIDE", ("[5000]", "60038:5000")),
    ("compose-value", "    ports: [5000]", "OUTSIDE:INSIDE", ("5000", "60038:5000")),
    ("compose-build", "    build: ./app", "remove build:", (None, "")),
    ("compose-forbidden", "    privileged: true", "write privileged: false", (None, "    privileged: false")),
    ("compose-forbidden", "    network_mode: host", "write network_mode: managed", (None, "    network_mode: managed")),
    ("compose-forbidden", "    network_mode: host", "or bridge", (None, "    network_mode: bridge")),
    ("compose-forbidden", "    pid: host", "remove the key", (None, "")),
    ("compose-services", "servers:\n", "write services: in place of servers:", (None, "services:\n")),
    ("compose-services", "srvcs:\n", "write services: in place of srvcs:", (None, "services:\n")),
    ("compose-template", "    labels: {log.tag: 'x {{.Name}}'}", "write {{`{{.Name}}`}}", ("{{.Name}}", "{{`{{.Name}}`}}")),
    ("compose-template", "    {{- if .Values.DISK }}", "write what it stands for instead", (None, "")),
    ("compose-template", "    hostname: '{{ .Values.HOST }}'", "write ${HOST} instead", ("{{ .Values.HOST }}", "${GROUP_ID}")),
    ("compose-template", "    labels: {log.tag: '{{'}", "write {{`{{`}}", ("{{", "{{`{{`}}")),
    ("service-unknown", "  wbe: {scale: 1}\n  web:\n", "make the names of the two files agree", (None, "  web:\n")),
    ("service-unknown", "    wbe: {scale: 1}\n    web: {scale", "did you mean web?", ("    wbe: {scale: 1}\n", "")),
    ("service-twice", "    scale: 2", "remove it here", (None, "")),
    ("service-name", "  nginx:\n", "one of app, db, lb, web", (None, "  web:\n")),
    ("yaml", "services: {\n", "or one above it", (COMPOSE, "services: {\n", "services:\n")),
    ("yaml", "    labels: &a {x: *a}", "fix this line", ("*a", "a")),
    ("yaml", "    labels: {A: !!int x}", "fix this line", ("!!int x", "x")),
    ("yaml", "    <<: 1", "fix this line", ("<<: 1", "retain_ip: true")),
    ("yaml", "version: '2'\nservices: {app: {image: x}}\n---\n", "remove the line --- and join the two", (COMPOSE, "services: {app: {image: x}}\n---\n", "")),
    ("yaml-twice", "    read_only: true\n    read_only: true", "keep one of the two", (HERE, "")),
    ("yaml-twice", "    labels: {A: 1, A: 2}", "keep one of the two", (", A: 2", "")),
    ("line-ends", "GROUP_ID=58102\r\n", "save it with Unix line endings (LF)", ("\r\n", "\n")),
    ("line-ends", "upstream app_service {\r\n", "save it with Unix line endings (LF)", ("\r\n", "\n")),
    ("line-ends", "#!/bin/sh\r\n", "save it with Unix line endings (LF)", ("\r\n", "\n")),
    ("directory-name", "stack: nightwatch-two", "give both the same name", (None, "stack: nightwatch-desi")),
    ("env-line", "WEB_PORT = 60037", "write WEB_PORT= and the value right behind it", (None, "WEB_PORT=60037")),
    ("env-line", "export GROUP_ID=", "write GROUP_ID= and the value right behind it", (None, "GROUP_ID=")),
    ("env-line", "WEB_PORT=60037\n2ND_PORT=1\n", "letters, digits and _ (a digit not first)", ("2ND_PORT=1\n", "_2ND_PORT=1\n")),
    ("env-line", "WEB_PORT=60037\nTITLE=a\0b", "remove it", ("\0", "")),
    ("env-quotes", "WEB_PORT='60037'", "write WEB_PORT=60037", (None, "WEB_PORT=60037")),
    ("env-quotes", "WEB_PORT=60037  # the calendar", "write WEB_PORT=60037, and the comment on a line of its own", (None, "WEB_PORT=60037\n# the calendar")),
    ("env-twice", "WEB_PORT=60037\nWEB_PORT=60038\n", "keep one of the two", ("WEB_PORT=60038\n", "")),
    ("env-file-missing", "./.env", "name a file in the stack's directory that is not hidden", (None, "./stack.env")),
    ("variable-unset", "DATA_DRI=", "set DATA_DIR in the env file", (ENV, "DATA_DRI=", "DATA_DIR=")),
    ("variable-unset", "${DATA_PLACE}", "set DATA_PLACE in the env file", (ENV, "DATA_DIR=", "DATA_PLACE=")),
    ("variable-unset", "${WBE_IMAGE}", "or write ${WEB_IMAGE} here", (None, "${WEB_IMAGE}")),
    ("variable-form", "${DATA_DIR:-/global/cfs/cdirs/desi/x}", "write ${DATA_DIR}, and set DATA_DIR in the env file", (None, "${DATA_DIR}")),
    ("variable-form", "    labels: {note: '${GROUP_ID-1}'}", "write ${GROUP_ID}", ("${GROUP_ID-1}", "${GROUP_ID}")),
    ("variable-form", "    labels: {note: 'built $(date)'}", "write $$", ("$", "$$")),
    ("variable-form", "    labels: {note: 'cost $5'}", "write $$", ("$", "$$")),
    ("variable-form", "    labels: {note: 'all of it in $'}", "write $$", ("$", "$$")),
    ("variable-form", "    labels: {note: '${ '}", "write $$", ("$", "$$")),
    ("variable-unused", "WEB_PORT=60037\nWEB_PROT=1\n", "remove it", ("WEB_PROT=1\n", "")),
    ("variable-unused", "WEB_PORT=60037\nWEB_PROT=1\n", "set it under environment: of a service", (COMPOSE, HERE, HERE + "\n    environment: {WEB_PROT: 1}")),
    ("variable-reserved", "WEB_PORT=60037\nUID=1234\n", "remove the line", ("UID=1234\n", "")),
    ("variable-reserved", "WEB_PORT=60037\nAPP_IMAGE=x\n", "remove the line", ("APP_IMAGE=x\n", "")),
    ("stack-name", "stack: Nightwatch_Desi", "such as nightwatch-desi", (None, "stack: nightwatch-desi")),
    ("image-name", "name: nginx--nightwatch", "joined by single . _ or -", (None, "name: nginx_nightwatch")),
    ("secret-name", "    secrets: [password]", "such as app.nightwatch-desi.password", ("password", "app.nightwatch-desi.password")),
    ("secret-name", "    secrets: [password]", "or nightwatch-desi.FILE", ("password", "nightwatch-desi.password")),
    ("volume-name", "cache:/app/data", "one of app.nightwatch-desi", ("cache", "app.nightwatch-desi")),
    ("environment", "environment: dev", "one of dev-cattle", (None, "environment: dev-cattle")),
    ("user-name", "user: your-nersc-name", "set it to your login name at the centre", (None, "user: alice")),
    ("image-reference", "Nginx:1", "such as registry.spin.nersc.gov/you/nginx:1.28", (None, "registry.spin.nersc.gov/you/nginx:1.28")),
    ("image-reference", "registry.nersc.gov/you/nginx:1.28:2", "REGISTRY/NAMESPACE/NAME:TAG", ("1.28:2", "1.28")),
    ("image-registry", "quay.io/me/nginx:1.28", "push it to registry.spin.nersc.gov or registry.nersc.gov, and name it so here", ("quay.io", "registry.nersc.gov")),
    ("image-registry", "quay.io/me/nginx:1.28", "of docker.io only official images", ("quay.io/me/", "docker.io/")),
    ("image-tag", "docker.io/nginx:latest", "a version", ("latest", "1.28")),
    ("image-tag", "docker.io/nginx:latest", "a date", ("latest", "2025-11-03")),
    ("image-base", "nginx:latest", "as in python:3.12-slim-bookworm and nginx:1.28.0", (None, "nginx:1.28.0")),
    ("image-base", "FROM nginx", "as in python:3.12-slim-bookworm and nginx:1.28.0", (None, "FROM nginx:1.28.0")),
    ("image-copy", "COPY ngin /etc", "change it to nginx", ("ngin /", "nginx /")),
    ("image-copy", "\\\n  image/sbom.pi /tmp/", "change it to image/sbom.py", (APP, "sbom.pi", "sbom.py")),
    ("image-copy", "COPY --chown=1:1 start.sh no/such*.sh /usr", "put it into web/", ("web/no/such.sh", "", "#")),
    ("image-copy", "COPY mime.types /etc", "put it into web/", ("web/mime.types", "", "types {}")),
    ("image-unused", "docker.io/nginx:1.28", "write image: ${WEB_IMAGE} for a service", (COMPOSE, "docker.io/nginx:1.28", "${WEB_IMAGE}")),
    ("image-unused", "docker.io/nginx:1.28", "or remove the image here", ("    web: {context: web, name: nginx-nightwatch}\n", "")),
    ("user-numeric", "", "write `user: '${UID}:${GROUP_ID}'`", ("  app:\n", "  app:\n    user: '${UID}:${GROUP_ID}'\n")),
    ("numeric-id", "    group_add: [desi]", "such as 58102 for the group desi", ("desi", "58102")),
    ("numeric-id", "user: 'root:", "write `user: '${UID}:${GROUP_ID}'`", (None, "user: '${UID}:")),
    ("numeric-id", "'${UID}'", "write `user: '${UID}:${GROUP_ID}'`", (None, "'${UID}:${GROUP_ID}'")),
    ("numeric-id", "GROUP_ID=0", "such as 58102 for the group desi", (None, "GROUP_ID=58102")),
    ("cap-drop", "", "write `cap_drop: [ALL]`", ("  app:\n", "  app:\n    cap_drop: [ALL]\n")),
    ("cap-add", "    cap_add: [SYS_ADMIN]", "allowed here: NET_BIND_SERVICE", ("SYS_ADMIN", "NET_BIND_SERVICE")),
    ("port-number", "WEB_PORT=web", "open to the world: 8080", (None, "WEB_PORT=8080")),
    ("port-reserved", "WEB_PORT=443", "or to NERSC and LBL: 3128", (None, "WEB_PORT=3128")),
    ("port-range", "WEB_PORT=61000", "60000-60050", (None, "WEB_PORT=60050")),
    ("port-inside", ":80'", "one of 1025-65535", (None, ":8080'")),
    ("port-twice", "    ports: ['${WEB_PORT}:5000']", "write another one here", ("${WEB_PORT}", "60038")),
    ("port-listen", "listen 8181;", "or let it listen on 8080", (NGINX, "listen 8181;", "listen 8080;")),
    ("port-listen", "listen 80;", "let it listen on 8080", (NGINX, "listen 80;", "listen 8080;")),
    ("health-port", "port: 5055", "write port: 5000 here", (None, "port: 5000")),
    ("health-port", "port: 5001", "write port: 5000 here", (None, "port: 5000")),
    ("health-port", "# ", "let it listen for HTTP on 5000", (UWSGI, "# ", "http-socket = :5000")),
    ("health-check", "    metadata:\n      port: 5000", "add app: {health: {port: …, path: …}} to services: in invoke.yaml", (INVOKE, "  destination:", "  services: {app: {health: {port: 5000, path: /healthz}}}\n  destination:")),
    ("health-check", "", "add app: {health: {port: …, path: …}} to services: in invoke.yaml", (INVOKE, "    app:\n", "    app:\n      health: {port: 5000, path: /healthz}\n")),
    ("nginx-syntax", "    listen 8080", "correct the line", ("listen 8080", "listen 8080;")),
    ("nginx-syntax", "    location / {{", "correct the line", ("{{", "{")),
    ("nginx-syntax", "    listen 8080 {}", "end listen with ; instead of { and }", (" {}", ";")),
    ("nginx-syntax", "set $file $page", "correct the line", ("$file $page", "$file $page;")),
    ("nginx-syntax", "include parts/pages.conf;", "change it to parts/page.conf", ("pages", "page")),
    ("nginx-syntax", "    listen 8080;\n    location /x;", "write location /x { without ; and } at the end", ("location /x;", "location /x {}")),
    ("nginx-directive", "sendfil on;", "change it to sendfile", ("sendfil", "sendfile")),
    ("nginx-directive", "    server_token", "change it to server_tokens", ("server_token", "server_tokens")),
    ("nginx-directive", "    no_such_thing_at_all on;", "remove it", (None, "")),
    ("nginx-directive", "    listen 8080;\n    gzipp on;", "change it to gzip", ("gzipp", "gzip")),
    ("nginx-upstream", "    server ap:5000;", "write app instead", ("ap:5000", "app:5001")),
    ("nginx-upstream", "    server app:5055;", "forward to port 5001", ("5055", "5001")),
    ("nginx-upstream", "    server app;", "forward to port 5001", ("app", "app:5001")),
    ("nginx-upstream", "port=5055", "forward to port 5001", (None, "port=5001")),
    ("nginx-upstream", "port=5000", "forward to port 5001", (None, "port=5001")),
    ("nginx-upstream", "service=application", "write app instead", (None, "service=app")),
    ("nginx-upstream", "proxy_pass http://app:5001;", "forward to port 5000", ("5001", "5000")),
    ("path-characters", "DATA_DIR=~/", "or one that is relative to project_dir", ("~/", "")),
    ("path-characters", "DATA_DIR=$CFS/desi/", "write the full path", ("$CFS", "/global/cfs/cdirs")),
    ("path-characters", "DATA_DIR=../", "write nightwatchtest/data/output", ("../", "")),
    ("path-characters", "DATA_DIR=../", "or a full path", ("../", "/global/cfs/cdirs/desi/")),
    ("path-mountable", "project_dir: /global/cfs/cdirs/your-project", "such as /global/cfs/cdirs/desi/users/you", ("your-project", "desi")),
    ("path-mountable", "DATA_DIR=/global/homes/a/alice/", "a directory below one of /global/cfs/cdirs, /global/project", ("/global/homes/a/alice/", "/global/cfs/cdirs/desi/")),
    ("path-mountable", "project_dir: /pscratch", "/global/common", (None, "project_dir: /global/common/desi")),
    ("mount-missing", "./web/site.cnf", "mount a file in the stack's directory that is not hidden", (None, "./web/site.conf")),
    ("mount-twice", ":/app/desimodel:ro", "move one of the two elsewhere", (COMPOSE, "DESIUTIL_DIR}:/app/desimodel", "DESIUTIL_DIR}:/app/elsewhere")),
    ("mount-depth", "DATA_DIR=/global/cfs/cdirs/desi\n# ", "as deep as possible", ("/desi", "/desi/data")),
    ("mount-writable", ":/app/data", "let it end in /app/data:ro", (None, ":/app/data:ro")),
    ("mount-writable", ":/app/data", "set centre: {storage: {written: [/app/static, /app/data]}} in invoke.yaml", (INVOKE, "  probe_path:", "  centre: {storage: {written: [/app/static, /app/data]}}\n  probe_path:")),
    ("mount-writable", "/nginx/site.conf", "let it end in /etc/nginx/site.conf:ro", (None, "/nginx/site.conf:ro")),
]  # fmt: skip

# The findings about answers to the template's questions, which no stack gets past.
ANSWERS = [
    names.host_name("alice@perlmutter"),
    names.namespace("Alice Smith"),
    names.absolute_path("nightwatch", "project_dir"),
    names.site_path("../nightwatch", CENTRE, "data_dir"),
]
KUBERNETES = (
    *("kubernetes-additions", "kubernetes-config", "kubernetes-key", "kubernetes-name"),
    *("kubernetes-ports", "path-relative", "port-closed", "volume-owner"),
)
CLUSTER = (
    *("kubeconfig", "kubectl-command", "kubectl-version", "kubernetes-rights"),
    "kubernetes-states",
)
AHEAD = (
    *("kubernetes-quota", "kubeconfig-token", "kubernetes-refused", "kubernetes-taken"),
    "deploy-unseen",
    "kubernetes-conflict",
)
# Not in the tables above.
ELSEWHERE = {
    "link-outside": "below: it is a link",
    "compose-merge": "test_init.py: Compose has to write the one file",
    "image-platform": "below: an engine has to answer",
    "image-missing": "below: an engine has to answer",
    "nginx-test": "tests/real/test_check_rehearsal.py: the nginx of an image has to answer",
    "site-warning": "test_check_there.py: a site has to answer",
    "tree-walk": "test_check_remedies_there.py: a login node has to answer",
    "tree-unreadable": "test_check_remedies_there.py: a login node has to answer",
    **{rule: "test_check_remedies_there.py: a login node has to answer" for rule, _, _ in test_check_there.SEEN},
    "kubernetes-isolation": "test_kustomize.py: an addition that says otherwise",
    **dict.fromkeys(KUBERNETES, "test_check_remedies_kubernetes.py"),
    **dict.fromkeys(CLUSTER, "test_doctor_cluster.py: a cluster has to answer"),
    **dict.fromkeys(AHEAD, "test_cluster_ahead.py: a cluster has to answer"),
    **dict.fromkeys(("secret-missing", "volume-missing"), "test_check_kept.py: as it is said"),
    "kubernetes-probes": "test_check_remedies_kubernetes.py",
    "release-files": "test_rollback_check.py: a release has to be there",
    **{found.rule: "below: the template asks" for made in ANSWERS for found in made},
}  # fmt: skip


def test_every_rule_and_every_planted_fault_has_a_remedy_that_is_followed() -> None:
    followed = {(rule, planted) for rule, planted, _, _ in REMEDIES}
    assert {(rule, new) for rule, _, _, new in FAULTS} == followed
    assert {rule for rule, _ in emitted()} == {rule for rule, _ in followed} | set(ELSEWHERE)


def follow(
    directory: Path, finding: Finding, planted: str, change: tuple[str | None, str] | tuple[str, str, str]
) -> None:  # fmt: skip
    """Make a change where a finding is: in its line, if it names one."""
    place = re.match(r"([^:, ]+)(?::(\d+))?", finding.where)
    assert place, finding.where
    if len(change) == 3:
        name, old, new = change
        path = directory / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_text(new)
            return
        line = 1
    else:
        path, line = directory / place[1], int(place[2] or 1)
        old, new = planted if change[0] is None else change[0], change[1]
    text = path.read_bytes().decode()
    lines = text.split("\n")
    start = len("\n".join(["", *lines[: line - 1]]))
    at = text.find(old, start)
    assert at >= 0, f"{old!r} is not below {finding.where}"
    if len(change) == 2 and place[2]:
        assert at <= start + len(lines[line - 1]), f"{old!r} is not in {finding.where}"
    path.write_bytes((text[:at] + new + text[at + len(old) :]).encode())


@pytest.mark.parametrize(
    ("rule", "planted", "words", "change"),
    REMEDIES,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(REMEDIES)],
)
def test_a_remedy_done_to_the_letter_where_it_says_works(
    directory: Path,
    rule: str,
    planted: str,
    words: str,
    change: tuple[str | None, str] | tuple[str, str, str],
) -> None:
    file, old = next((f, o) for r, f, o, new in FAULTS if (r, new) == (rule, planted))
    if file == RANCHER:
        made_older(directory)
    replaced(directory / file, old, planted)
    before = check(directory)
    named = next(found for found in before if found.rule == rule)
    assert words in named.remedy, named.line()
    follow(directory, named, planted, change)
    after = check(directory)
    assert rule not in {found.rule for found in after}, after
    assert not errors(after), after
    # What could not be read before may turn out to be unused.
    more = {"variable-unused"} if rule == "env-line" else set()
    assert {found.rule for found in after} <= {found.rule for found in before} | more, after


def test_every_port_that_a_remedy_names_is_allowed() -> None:
    (found,) = names.outside_port(61000, CENTRE)
    ports = re.findall(r"\d+", found.remedy)
    assert len(ports) > 10
    assert not [port for port in ports if names.outside_port(port, CENTRE)]


def test_an_answer_as_the_remedy_has_it_is_taken() -> None:
    """The examples; and a path with parts such as it says."""
    host, space, absolute, site = (made[0].remedy for made in ANSWERS)
    assert not names.host_name(host.split("such as ")[1])
    assert "joined by single . _ or -; parts separated by /" in space
    assert not names.namespace("alice.smith_x/a-b")
    assert not names.mountable_path(absolute.split("such as ")[1], CENTRE, "project_dir")
    assert "as a full path or relative to the project directory" in site
    assert not names.site_path("nightwatch", CENTRE, "data_dir")
    assert not names.site_path("/global/cfs/cdirs/desi/night_1.0+x@y-z", CENTRE, "data_dir")


def test_a_link_that_is_replaced_by_a_copy_or_moved_away_is_no_finding(directory: Path) -> None:
    key = directory.parent / "key"
    key.write_text("secret")
    for remedy in ("replace it by a copy", "or move it out of the directory"):
        link = directory / "app" / "key"
        link.unlink(missing_ok=True)
        link.symlink_to(key)
        (found,) = check(directory)
        assert found.rule == "link-outside" and remedy in found.remedy
        link.unlink()
        if "copy" in remedy:
            shutil.copy(key, directory / found.where)
        assert check(directory) == []


@pytest.mark.parametrize(
    ("own", "official", "remedy"),
    [
        (["r.example"], [], "push it to r.example, and name it so here"),
        ([], ["docker.io"], "of docker.io only official images are allowed"),
    ],
)
def test_a_centre_without_registries_of_a_kind_is_advised_without_them(
    own: list[str], official: list[str], remedy: str
) -> None:
    rules = centre.load({"registries": {"own": own, "official": official}})
    (found,) = names.image_reference("quay.io/a/b:1", rules, "here")
    assert found.remedy == remedy
    assert not names.image_reference(
        "quay.io/a/b:1", centre.load({"registries": {"own": [], "official": []}}), "here"
    )
    (unread,) = names.image_reference("r.example/UP:1:2", rules, "here")
    assert f"{(own or ['docker.io'])[0]}/you/nginx:1.28" in unread.remedy
