"""`spinstack new --app`: a stack of an application that is there already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spinstack.errors import UsageError
from spinstack.template import application
from tests import pages

HELLO = """\
from flask import Flask
site = Flask(__name__)

@site.get("/")
def home():
    return "hello of mine"
"""


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    place = tmp_path / "Hello"
    files = {
        "hello.py": HELLO,
        "data/names.txt": "a\n",
        "static/own.css": "p {}\n",
        ".env": "KEY=secret\n",
        ".git/config": "",
        "venv/pyvenv.cfg": "",
        "env/pyvenv.cfg": "",
        "Dockerfile": "FROM scratch\n",
        "wsgi.py": "from hello import site\n",
    }
    pages.write(place, files)
    return place


def new(at: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("spinstack"), "new", "--no-input", *words]
    return subprocess.run(command, cwd=at, capture_output=True, text=True)


def test_an_application_takes_the_place_of_the_example(hello: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = new(out, "--app", str(hello))
    assert done.returncode == 0, done
    made = out / "hello"
    assert done.stdout.endswith(f"{made}\n")
    there = {path.relative_to(made / "app").as_posix() for path in (made / "app").rglob("*")}
    assert {"hello.py", "data/names.txt", "static/own.css"} <= there
    assert not there & {"guestbook.py", "templates", "static/style.css", ".env", ".git", "venv"}
    assert not there & {"env"}
    # The stack's own are as they were, but for the name.
    assert (made / "app/Dockerfile").read_text() != "FROM scratch\n"
    ask = (
        "import wsgi; answer = wsgi.app.test_client().get('/').text; "
        "print(answer, wsgi.application({'PATH_INFO': '/healthz'}, print))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", ask], cwd=made / "app", capture_output=True, text=True
    )
    assert asked.stdout.endswith("hello of mine [b'ok\\n']\n"), asked


def test_a_stack_is_not_made_in_the_place_of_the_application(hello: Path, tmp_path: Path) -> None:
    hello.rename(tmp_path / "hello")
    done = new(tmp_path, "--app", "hello")
    assert done.returncode == 0, done
    assert (tmp_path / "hello-stack/app/hello.py").exists()
    assert not (tmp_path / "hello/tasks.py").exists()


MADE = "def create_app(): pass\n"


@pytest.mark.parametrize(
    ("name", "text", "entry", "line"),
    [
        ("a.py", MADE, "", "from a import create_app\n\napp = create_app()\n"),
        ("a.py", f"{MADE}site = create_app()\n", "", "from a import site as app\n"),
        ("p/__init__.py", "import flask\napp = flask.Flask('p')\n", "", "from p import app\n"),
        ("a.py", "app = Bottle()\n", "a:app", "from a import app\n"),
        ("a/b.py", "", "a.b:make()", "from a.b import make\n\napp = make()\n"),
        ("a.py", "app: Flask = Flask('a')\n", "", "from a import app\n"),
        ("a.py", "site = application = Flask('a')\n", "", "from a import site as app\n"),
    ],
)
def test_what_is_called_is_found_or_named(
    tmp_path: Path, name: str, text: str, entry: str, line: str
) -> None:
    pages.write(tmp_path, {name: text})
    assert application._import_of(application.find(str(tmp_path), entry)) == line


@pytest.mark.parametrize(
    ("files", "entry", "problem"),
    [
        ({"a.py": "app = Flask('a')\n", "b.py": "app = Flask('b')\n"}, "", "a:app, b:app"),
        ({"a.py": "print(1)\n"}, "", "no module here makes a Flask()"),
        ({"a.py": "app = (\n"}, "", "no module here makes a Flask()"),
        ({"a.py": ""}, "a", "'a' does not name an application"),
        ({"a.py": ""}, "a:class", "'a:class' does not name an application"),
        ({"a.py": ""}, "a..b:app", "does not name an application"),
        ({"a.py": ""}, "nosuch:app", "there is no module nosuch in the application"),
        ({"wsgi.py": "app = Flask('a')\n"}, "wsgi:app", "there is no module wsgi in"),
        ({"wsgi.py": "app = Flask('a')\n"}, "", "rename wsgi.py"),
        ({"a.py": "app = Flask('a')\n", "uwsgi.ini": ""}, "", "uwsgi.ini is the name of a file"),
        ({"a.py": "app = Flask('a')\n", "app.ini": ""}, "", "app.ini is the name of a file"),
    ],
)
def test_what_is_not_clear_makes_nothing(
    tmp_path: Path, files: dict[str, str], entry: str, problem: str
) -> None:
    pages.write(tmp_path / "it", files)
    with pytest.raises(UsageError) as error:
        application.find(str(tmp_path / "it"), entry)
    assert problem in str(error.value) and error.value.remedy


def test_its_packages_are_wanted_once_each(hello: Path, tmp_path: Path) -> None:
    listed = "# mine\nflask==3.0.3 \\\n    --hash=sha256:00\nnumpy>=1.26 # fast\n-r more.txt\n./x\n"
    listed += "git+https://me:hush@example.org/own\n--index-url=https://me:hush@example.org/\n"
    # As PowerShell writes it.
    (hello / "requirements.txt").write_bytes(listed.replace("\n", "\r\n").encode("utf-16"))
    wanted = tmp_path / "requirements.in"
    wanted.write_text("# Web.\nFlask\n# uWSGI.\npyuwsgi\n")
    found = application.find(str(hello))
    assert found.wanted == ("flask==3.0.3", "numpy>=1.26")
    for part in ("-r … is left out", "./x … is left out", "Dockerfile is left out"):
        assert any(part in note for note in found.notes), found.notes
    assert "hush" not in "".join((*found.notes, *found.wanted))
    assert application._want(wanted, found.wanted)
    own = "# The application's own.\nnumpy>=1.26\n"
    assert wanted.read_text() == f"# Web.\nflask==3.0.3\n# uWSGI.\npyuwsgi\n{own}"
    assert not application._want(wanted, found.wanted)


def test_another_kind_is_refused(hello: Path, tmp_path: Path) -> None:
    done = new(tmp_path, "--app", str(hello), "--answer", "kind=static")
    assert done.returncode == 2 and "of the kind wsgi" in done.stderr
    assert not (tmp_path / "hello").exists()


def test_packages_that_nobody_has_are_told_and_the_stack_is_made(
    hello: Path, tmp_path: Path
) -> None:
    (hello / "requirements.txt").write_text("not a package ==\n")
    done = new(tmp_path, "--app", str(hello))
    assert done.returncode == 0 and (tmp_path / "hello/tasks.py").exists(), done
    assert f"then run `invoke requirements` in {tmp_path / 'hello'}" in done.stderr


def test_what_belongs_to_one_installation_gets_into_no_image(hello: Path, tmp_path: Path) -> None:
    own = {"instance/config.py": "SECRET_KEY = 'x'\n", "tls.key": "secret"}
    pages.write(hello, own)
    found = application.find(str(hello))
    assert not own.keys() & found.files.keys()
    assert all(any(name in note for note in found.notes) for name in ("instance", "tls.key"))


def test_links_are_what_they_lead_to(hello: Path, tmp_path: Path) -> None:
    pages.write(tmp_path / "shared", {"base.html": "page"})
    (hello / "templates").symlink_to(tmp_path / "shared")
    (hello / "data" / "again").symlink_to(hello)
    # By another name, before and after its own.
    for name in ("assets", "web"):
        (hello / name).symlink_to("static")
    found = application.find(str(hello))
    assert "templates/base.html" in found.files
    assert {f"{name}/own.css" for name in ("assets", "static", "web")} <= found.files.keys()
    assert not [name for name in found.files if name.startswith("data/again")]


def test_a_name_that_can_be_no_stacks_gets_one_that_can(tmp_path: Path) -> None:
    pages.write(tmp_path / "2048", {"a.py": HELLO})
    done = new(tmp_path, "--app", "2048")
    assert done.returncode == 0 and (tmp_path / "stack-2048/app/a.py").exists(), done


def test_an_entry_alone_is_wrong_use(tmp_path: Path) -> None:
    done = new(tmp_path, "--entry", "a:app")
    assert done.returncode == 2 and not list(tmp_path.iterdir()), done


def test_a_home_is_no_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    pages.write(tmp_path / "alice", {"a.py": HELLO, "b/a.py": HELLO})
    for place in (tmp_path, tmp_path / "alice"):
        with pytest.raises(UsageError, match="not an application"):
            application.find(str(place))
    assert application.find(str(tmp_path / "alice" / "b")).module == "a"
