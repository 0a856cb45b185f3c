"""How far builds and pushes are, read from what real engines printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinstack.console.progress import StepDisplay, bytes_told
from spinstack.images.progress import BuildProgress, PushProgress

CLASSIC = """\
Sending build context to Docker daemon  23.04kB
Step 1/9 : ARG PYTHON_IMAGE=python:3.13.7-slim-bookworm
Step 4/9 : RUN python3 -m venv /opt/venv
 ---> Running in 0e7c3f1d2a4b
Collecting numpy==2.3.3 (from -r requirements.txt (line 20))
 ---> 5f2c46a12763
"""
PODMAN = "[2/2] STEP 5/6: COPY app.py /app/\n"
BUILDKIT = """\
#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 1.2kB done
#5 [build 1/4] FROM docker.io/library/python:3.13
#5 CACHED
#6 [stage-1 1/2] RUN true
#6 DONE 0.2s
#7 [build 2/4] RUN pip install numpy
#7 3.402 Collecting numpy
"""


def shown(progress: type[BuildProgress] | type[PushProgress], text: str) -> tuple[str, float, str]:
    """The words, the bar from 0 to 1, and what the step does just now."""
    step = StepDisplay("x")
    feed = progress(step)
    for line in text.splitlines():
        feed.line(line)
    amount = step.amount
    return (amount.told, round(amount.share, 3), step.doing) if amount else ("", 0, step.doing)


@pytest.mark.parametrize(
    ("text", "told", "share", "doing"),
    [
        (
            CLASSIC,
            "step 4/9",
            0.333,
            "Collecting numpy==2.3.3 (from -r requirements.txt (line 20))",
        ),
        (PODMAN, "step 5/6", 0.667, "COPY app.py /app/"),
        (BUILDKIT, "step 3/6", 0.333, "Collecting numpy"),
        ("Sending build context to Docker daemon  23.04kB", "", 0, None),
    ],
)
def test_a_build_tells_its_step(text: str, told: str, share: float, doing: str | None) -> None:
    expected = text.strip() if doing is None else doing
    assert shown(BuildProgress, text) == (told, share, expected)


ON_TERMINAL = """\
The push refers to repository [127.0.0.1:5977/lap/nginx]
aa37c9dfce77: Preparing
bb37c9dfce77: Pushing  524.8kB/100MB
aa37c9dfce77: Pushing [==>      ]  19.01MB/197.2MB
bb37c9dfce77: Pushing  101.2MB
bb37c9dfce77: Pushed
"""
ELSEWHERE = """\
The push refers to repository [127.0.0.1:5977/lap/nginx]
aa37c9dfce77: Preparing
bb37c9dfce77: Waiting
cc37c9dfce77: Layer already exists
dd37c9dfce77: Mounted from lap/other
bb37c9dfce77: Pushed
"""
PODMANS = """\
Getting image source signatures
Copying blob 5f70bf18a086 done   |
Copying blob sha256:0123456789abcdef [====>-----] 12.0MiB / 48.0MiB | 5.1 MiB/s
"""


@pytest.mark.parametrize(
    ("text", "told", "share"),
    [
        (ON_TERMINAL, "119.0/297.2 MB 40%", 0.4),
        (ELSEWHERE, "3 of 4 layers", 0.75),
        (PODMANS, "12.6/50.3 MB 25%", 0.25),
        ("The push refers to repository [x]", "", 0),
    ],
)
def test_a_push_tells_its_bytes_or_its_layers(text: str, told: str, share: float) -> None:
    assert shown(PushProgress, text)[:2] == (told, share)


@given(
    st.lists(
        st.text(max_size=40)
        | st.sampled_from(
            [
                *BUILDKIT.splitlines(),
                *PODMANS.splitlines(),
                "aa37c9dfce77: Pushing .B/..B",
                "Step 0/0 : ",
            ]
        )
    )
)
def test_no_output_breaks_it(lines: list[str]) -> None:
    for progress in (BuildProgress, PushProgress):
        step = StepDisplay("x")
        feed = progress(step)
        for line in lines:
            feed.line(line)
        assert step.amount is None or 0 <= step.amount.share <= 1


@pytest.mark.parametrize(
    ("done", "total", "told"),
    [
        (0, 0, "0/0 B"),
        (512, 999, "512/999 B"),
        (1500, 30_000, "1.5/30.0 kB"),
        (2.5e9, 2e9, "2.0/2.0 GB"),
    ],
)
def test_bytes_are_told_as_engines_tell_them(done: float, total: float, told: str) -> None:
    assert bytes_told(done, total) == told
