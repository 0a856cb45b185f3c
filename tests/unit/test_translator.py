"""Known error texts: each entry against the message as the program prints it."""

# ruff: noqa: E501 - messages are as long as they are

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from invoke.config import Config
from invoke.context import Context

from spinstack.console import known_errors
from spinstack.console.console import Console
from spinstack.console.error_table import packaged
from spinstack.errors import SpinstackError, UsageError
from spinstack.operate import logs
from spinstack.platforms.base import LogLine, ServiceState
from spinstack.session import Session
from spinstack.tasks import status

# Told a service, a container and a line of its log.
Take = Callable[[str, str, str], None]

# Id of the entry -> a message: printed by the program itself (uWSGI 2.0, nginx 1.22, git
# 2.39, Docker 28, OpenSSH 9), or by Rancher's command line 0.6.7.
MESSAGES = {
    "mount-denied": "error while creating mount source path '/global/cfs/cdirs/desi/x': mkdir /global/cfs/cdirs/desi: permission denied",
    "mount-missing": 'docker: Error response from daemon: invalid mount config for type "bind": bind source path does not exist: /nowhere/x2',
    "static-not-writable": "PermissionError: [Errno 13] Permission denied: '/app/static/20260101/page.html'",
    "volume-not-writable": "mkdir: cannot create directory ‘/var/lib/postgresql/data/pgdata’: Permission denied",
    "no-space": "tar: ./app/app.py: Cannot write: No space left on device",
    "quota": "mkdir: cannot create directory 'releases': Disk quota exceeded",
    "read-only.nginx": '2026/11/22 17:00:59 [emerg] 1#1: open() "/run/nginx.pid" failed (30: Read-only file system)',
    "read-only": "mkdir: cannot create directory '/app/static/x': Read-only file system",
    "not-upgradable": 'level=error msg="Service web must be state=active or inactive to upgrade, currently: state=activating"',
    "upgrade-pending": "error 1st1: Bad response statusCode [422]. Body: [message=Service web is not in valid state to be deactivated: upgraded]",
    "no-rollback": "Action [rollback] not available on [{Id:1s1 Type:service}]",
    "not-your-volume": "error nightwatch: you don't own this volume",
    "no-port": "Allocation failed: No healthy hosts meet the resource constraints: [60037:8080/tcp portReservation, 1 instanceReservation]",
    "no-port.unknown": "driver failed programming external connectivity on endpoint demo: Bind for 0.0.0.0:60037 failed: port is already allocated",
    "audit": "Bad response statusCode [422]. Body: [code=AuditFailed, message=Spin's audit: service app may not have the capability SYS_ADMIN]",
    "no-key": "RANCHER_URL environment or --url is not set, run `config`",
    "rancher-401": "Bad response statusCode [401]. Status [401 Unauthorized]. Body: [code=Unauthorized] from [http://rancher/v2-beta]",
    "rancher-403": "Bad response statusCode [403]. Status [403 Forbidden]. Body: [] from [http://rancher/v2-beta/projects/1a9]",
    "no-environment": 'level=fatal msg="Failed to read project: Not found: devel-cattle"',
    "rancher-slow": 'Get "http://rancher/v2-beta": net/http: request canceled (Client.Timeout exceeded while awaiting headers)',
    "rancher-refused": 'Get "http://127.0.0.1:8080/v2-beta": dial tcp 127.0.0.1:8080: connect: connection refused',
    "must-stop": "error: Must call stop on container 1i1 before removing",
    "no-docker-there": 'exec: "docker": executable file not found in $PATH',
    "no-terminal": "the input device is not a TTY",
    "variable-not-set": 'level=warning msg="The GROUP_ID variable is not set. Substituting a blank string."',
    "interpolation": 'Invalid interpolation format for key "image": "${TAG:-1.0}"',
    "unknown-key": "Unsupported config option for web service: 'healthcheck'",
    "wrong-type": "Service 'web' configuration key 'user' contains an invalid type, it should be a string.",
    "repeated-item": "Service 'web' configuration key 'cap_add' value [A B A] has non-unique elements",
    "no-size": "Failed to read project: invalid size: 'much'",
    "compose-version": "yaml: unmarshal errors: cannot unmarshal !!str `3` into config.RawService",
    "not-yaml": "Could not parse config for project demo : yaml: line 4: mapping values are not allowed in this context",
    "not-yaml.first-line": "Could not parse config for project demo : yaml: did not find expected node content",
    "no-env-file": "Failed to read project: open prod.env: no such file or directory",
    "no-group": "docker: Error response from daemon: Unable to find group nginx: no matching entries in group file",
    "pull-denied": "Error response from daemon: pull access denied for registry.spin.nersc.gov/alice/app, repository does not exist or may require 'docker login'",
    "no-manifest": "Error response from daemon: manifest for 127.0.0.1:29138/demo/nope:1 not found: manifest unknown: manifest unknown",
    "no-platform": "no matching manifest for linux/amd64 in the manifest list entries",
    "exec-format": "exec /usr/local/bin/uwsgi: exec format error",
    "no-program": 'unable to start container process: exec: "uwsgi": executable file not found in $PATH: unknown',
    "bad-credentials": "Error response from daemon: Get https://registry.spin.nersc.gov/v2/: unauthorized: authentication required",
    "pull-limit": "toomanyrequests: You have reached your pull rate limit.",
    "registry-http": 'Get "https://10.1.2.3:5000/v2/": http: server gave HTTP response to HTTPS client',
    "no-engine": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "no-module.mounted": "ModuleNotFoundError: No module named 'nightwatch'",
    "no-module.part": "ModuleNotFoundError: No module named 'numpy._core'",
    "no-module": "ModuleNotFoundError: No module named 'fitsio'",
    "no-app": "unable to load app 0 (mountpoint='') (callable not found or import error)",
    "setgid": "cannot setgid() as non-root user",
    "chown": '2026/11/22 17:01:00 [emerg] 1#1: chown("/tmp/a", 33) failed (1: Operation not permitted)',
    "no-ini": "realpath() of app.ini failed: No such file or directory [core/utils.c line 3640]",
    "address-in-use": "bind(): Address already in use [core/socket.c line 769]",
    "bind-denied": "bind(): Permission denied [core/socket.c line 769]",
    "harakiri": "Sun Nov 22 17:00:54 2026 - *** HARAKIRI ON WORKER 1 (pid: 9, try: 1, graceful: yes) ***",
    "out-of-memory": "container exited with code 137",
    "worker-died": "DAMN ! worker 1 (pid: 9) died, killed by signal 9 :( trying respawn ...",
    "request-size": "invalid request block size: 21573 (max 4096)...skip",
    "no-upstream-host": '2026/11/22 17:00:59 [emerg] 2763#2763: host not found in upstream "app" in /etc/nginx/conf.d/default.conf:4',
    "upstream-refused": "connect() failed (111: Connection refused) while connecting to upstream, client: 10.42.0.1",
    "upstream-slow": "upstream timed out (110: Connection timed out) while reading response header from upstream",
    "nginx-conf": '2026/11/22 17:00:59 [emerg] 2764#2764: directive "listen" is not terminated by ";" in /etc/nginx/conf.d/default.conf:3',
    "nginx-paths": 'nginx: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)',
    "host-key-changed": "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
    "too-many-keys": "Received disconnect from 10.1.2.3 port 22:2: Too many authentication failures",
    "ssh-denied": "alice@login: Permission denied (publickey,keyboard-interactive,hostbased).",
    "ssh-closed": "kex_exchange_identification: Connection closed by remote host",
    "no-modules": "bash: module: command not found",
    "no-such-module": "ERROR: Unable to locate a modulefile for 'spin'",
    "no-rancher": "bash: line 1: rancher: command not found",
    "git-ownership": "fatal: detected dubious ownership in repository at '/global/cfs/cdirs/desi/nightwatch'",
    "git-missing": "fatal: '/nowhere/nightwatch' does not appear to be a git repository",
    "git-ref": "error: pathspec '9.9.9' did not match any file(s) known to git",
    "git-diverged": "fatal: Not possible to fast-forward, aborting.",
    "certificate-expired": "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
    "certificate-unknown": "x509: certificate signed by unknown authority",
    "no-name": "fatal: unable to access 'https://github.com/desihub/desiutil/': Could not resolve host: github.com",
    "refused": "ssh: connect to host 127.0.0.1 port 1: Connection refused",
}

# The same causes in other programs' words.
MORE = [
    (
        "volume-not-writable",
        "Can't open or create append-only dir appendonlydir: Permission denied",
    ),
    (
        "volume-not-writable",
        'initdb: error: could not change permissions of directory "/data/pg": Operation not permitted',
    ),
    (
        "volume-not-writable",
        "mkdir: cannot create directory '/data/pgdata': Permission denied",
    ),
    (
        "volume-not-writable",
        '2026-11-30 02:48:37.801 UTC [1] FATAL:  data directory "/data/pgdata" has wrong ownership',
    ),
    ("no-app", "--- no python application found, check your startup logs for errors ---"),
    ("setgid", "unable to set gid"),
    ("setgid", "setgid(): Operation not permitted [core/utils.c line 836]"),
    ("setgid", "2026/01/01 [emerg] 7#7: setgid(101) failed (1: Operation not permitted)"),
    ("bind-denied", "[emerg] 1#1: bind() to 0.0.0.0:80 failed (13: Permission denied)"),
    ("address-in-use", "[emerg] bind() to 0.0.0.0:8080 failed (98: Address already in use)"),
    ("nginx-conf", 'nginx: [emerg] unknown directive "servr" in /etc/nginx/nginx.conf:1'),
    ("no-manifest", "manifest unknown"),
    ("bad-credentials", "Error: Incorrect username or password."),
    ("bad-credentials", "denied: requested access to the resource is denied"),
    ("ssh-closed", "Connection closed by 128.55.64.1 port 22"),
    ("no-name", "ssh: Could not resolve hostname nosuch.invalid: Name or service not known"),
    ("no-name", "dial tcp: lookup registry.spin.nersc.gov on 10.2.5.5:53: no such host"),
    ("git-missing", "remote: Repository not found."),
    ("git-missing", "fatal: repository '/nowhere' does not exist"),
    (
        "certificate-unknown",
        "x509: cannot validate certificate for 10.1.2.3 because it doesn't contain any IP SANs",
    ),
    ("no-module.mounted", "ModuleNotFoundError: No module named 'desimodel.io'"),
    ("no-module.part", "ImportError: cannot import name 'Panel' from 'bokeh.models' (/opt/x.py)"),
]


def test_every_entry_has_a_message_and_every_message_an_entry() -> None:
    assert [entry.id for entry in packaged() if not entry.when] == list(MESSAGES)


@pytest.mark.parametrize(("wanted", "message"), [*MESSAGES.items(), *MORE])
def test_a_message_becomes_a_cause_and_a_remedy(wanted: str, message: str) -> None:
    known = known_errors.explain(f"something before\n{message}\nsomething after\n")
    assert known is not None
    assert known.id == wanted
    for sentence in (known.cause, known.remedy):
        assert sentence.endswith("."), sentence
        assert "\n" not in sentence
        assert "<" not in sentence, "a group was not filled in"
    assert known.source


def test_the_names_in_a_message_are_in_its_translation() -> None:
    known = known_errors.explain(MESSAGES["mount-denied"])
    assert known and "/global/cfs/cdirs/desi/x" in known.cause
    known = known_errors.explain(MESSAGES["variable-not-set"])
    assert known and known.cause.startswith("The compose file uses ${GROUP_ID},")


@pytest.mark.parametrize(
    "line",
    [
        '10.42.0.1 - - [22/Nov/2026:17:00:59 +0000] "GET /20260101/ HTTP/1.1" 401 0',
        "[pid: 9|app: 0|req: 1/1] 10.42.0.1 () {40 vars in 500 bytes} GET /nights.html => 500 bytes",
        "*** uWSGI is running in multiple interpreter mode ***",
        "*** WARNING: you have enabled harakiri without post buffering. Slow upload could be rejected on post-unbuffered webservers ***",
        "",
    ],
)
def test_ordinary_lines_mean_nothing(line: str) -> None:
    assert known_errors.explain(line) is None


def test_a_log_gets_a_note_for_each_cause_once() -> None:
    lines = [MESSAGES["no-upstream-host"], MESSAGES["no-module.mounted"]] * 3
    found = known_errors.notes(lines)
    causes = [line for line in found if line.startswith("cause: ")]
    assert len(causes) == 2, found
    assert "is mounted" in causes[0]
    assert known_errors.notes(["all is well"]) == []


OWN = """\
- id: quicklook
  pattern: 'calibration (?P<name>\\S+) is missing'
  cause: The calibration <name> was not made yet.
  remedy: Run the calibration job.
- id: no-space
  pattern: No space left on device
  cause: The night's disk is full.
  remedy: Ask the night shift.
"""


def test_a_stack_has_words_of_its_own_which_go_first(tmp_path: Path) -> None:
    (tmp_path / "translations.yaml").write_text(OWN)
    known = known_errors.explain("calibration b1 is missing", tmp_path)
    assert known and known.cause == "The calibration b1 was not made yet."
    known = known_errors.explain("No space left on device", tmp_path)
    assert known and known.remedy == "Ask the night shift."
    assert known_errors.explain(MESSAGES["quota"], tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not valid YAML"),
        ("a: 2026-13-01", "is not valid YAML: month must be in 1..12"),
        ("- {id: x, pattern: 2026-01-01, cause: c, remedy: r}", "is incomplete"),
        ("- {id: x, pattern: 'a{99999999999}', cause: c, remedy: r}", "not a regular expression"),
        ("a: b", "is not a list"),
        ("- id: x", "is incomplete"),
        ("- {id: x, pattern: '(', cause: c, remedy: r}", "not a regular expression"),
        ("- {id: x, patern: y}", "not a valid known error"),
    ],
)
def test_a_broken_file_names_its_entry_and_hides_no_error(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "translations.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        known_errors.explain("anything", tmp_path)
    lines = known_errors.lines_for(SpinstackError("the real error"), tmp_path)
    assert said in lines[0]


def shown(error: SpinstackError, stack: Path | None = None) -> str:
    """What a person reads of an error."""
    with contextlib.redirect_stderr(io.StringIO()) as told:
        Console(stack=stack).error(error)
    return told.getvalue()


def test_an_error_is_shown_with_the_cause_that_its_details_tell() -> None:
    error = SpinstackError(
        "web failed", where="demo", remedy="deploy again", details=MESSAGES["no-upstream-host"]
    )
    lines = shown(error).splitlines()
    assert lines[1:3] == ["error: web failed", "  where: demo"]
    assert lines[3].startswith("  cause: nginx looks for a service app,")
    assert lines[4].startswith("  fix:   Use the name of a service")
    assert len(lines) == 5, "one remedy, never two that disagree"


def test_an_error_without_a_known_text_is_shown_as_it_is() -> None:
    error = SpinstackError("it failed", remedy="mend it", details="who knows")
    assert shown(error).splitlines()[1:] == ["error: it failed", "  fix:   mend it"]


def test_what_failed_now_counts_more_than_older_lines_of_a_log() -> None:
    error = SpinstackError(MESSAGES["no-group"], details=MESSAGES["no-upstream-host"])
    assert "The image has no group named nginx." in known_errors.lines_for(error)[0]


def test_a_task_asks_the_stack_s_own_words(tmp_path: Path) -> None:
    (tmp_path / "translations.yaml").write_text(OWN)
    config = Config(project_location=str(tmp_path))
    (tmp_path / "invoke.yaml").write_text("{}")
    config.load_project()
    session = Session(Context(config))
    assert session.console.stack == tmp_path


def test_a_log_that_is_shown_ends_with_what_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = SimpleNamespace(stack="demo", where="here")
    monkeypatch.setattr(Session, "log_in_early", lambda session: None)
    monkeypatch.setattr(logs, "connected", lambda session: contextlib.nullcontext(there))
    monkeypatch.setattr(logs, "chosen", lambda *_: [ServiceState("demo", "web", "active")])
    monkeypatch.setattr(logs, "check_name", lambda *_: None)
    monkeypatch.setattr(logs, "ask", lambda *_: ([], {}))

    def show(there: object, names: object, query: object, found: object, take: logs.Show) -> None:
        take(LogLine("", "web", "", MESSAGES["no-upstream-host"]))

    monkeypatch.setattr(logs, "show", show)
    status.logs(Context())
    printed = capsys.readouterr()
    assert printed.out.strip() == MESSAGES["no-upstream-host"]
    assert printed.err.startswith("cause: nginx looks for a service app,")
    status.logs(Context(), json=True)
    assert capsys.readouterr().err == ""


def test_of_the_known_errors_those_are_compiled_that_are_tried() -> None:
    """Compiling all of them takes longer than most commands."""
    packaged.cache_clear()
    known_errors.notes(["worker 1 answered"])
    compiled = {entry.id for entry in packaged() if "pattern" in vars(entry)}
    assert compiled == {entry.id for entry in packaged() if not entry.when}
