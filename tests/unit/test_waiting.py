"""Descriptors of any number are waited for."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator

import pytest

from spinstack.transport import waiting


@pytest.fixture
def far() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, far above 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    ends = os.pipe()
    above = tuple(fcntl.fcntl(end, fcntl.F_DUPFD, 1500) for end in ends)
    yield above[0], above[1]
    for end in (*ends, *above):
        os.close(end)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_descriptor_above_1024_is_waited_for(far: tuple[int, int]) -> None:
    output, input = far
    assert waiting.readable([output], 0) == []
    assert waiting.writable(input, 0)
    os.write(input, b"x")
    assert waiting.readable([output], 5) == [output]


def test_an_end_is_something_to_read(far: tuple[int, int]) -> None:
    output, input = os.pipe()
    os.close(input)
    assert waiting.readable([output], 5) == [output]
    os.close(output)
