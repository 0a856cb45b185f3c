"""The rooms of the package stay small enough to be looked through."""

from collections import Counter
from pathlib import Path

import pytest

from tests.baking import REPOSITORY


@pytest.mark.parametrize(("package", "most"), [("spinstack", 20), ("spin_rehearsal", 30)])
def test_no_folder_holds_more_modules_than_a_reader_looks_through(package: str, most: int) -> None:
    modules = (REPOSITORY / package).rglob("*.py")
    counted = Counter(file.parent for file in modules if file.name != "__init__.py")
    crowded = {str(Path(folder).relative_to(REPOSITORY)): n for folder, n in counted.items()}
    assert {folder: n for folder, n in crowded.items() if n > most} == {}


@pytest.mark.parametrize("package", ["spinstack", "spin_rehearsal", "hooks"])
def test_lines_end_where_programs_end_them(package: str) -> None:
    """`str.splitlines` finds more ends: `spinstack.text.split_lines` does not."""
    files = (REPOSITORY / package).rglob("*.py")
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    found = [str(file) for file, text in texts.items() if ".splitlines(" in text]
    assert found == []
