"""A citation in words, as BibTeX, and as the fields of a CITATION.cff. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from spinstack import times
from spinstack.remote.history.checkouts import Code
from spinstack.remote.history.citation import Citation
from spinstack.remote.history.record import Record

# Characters that are special in TeX.
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "_&%#${}"},
}


def sentence(found: Citation) -> str:
    """Everything but the images, in one sentence."""
    made = found.made
    told = f"{made.stack} at {made.destination}, as of {times.told(found.at)}: "
    told += f"release {made.release}, {_by(made)}, {_commit(found)}"
    return f"{told}.{_not_there(found)}"


def _by(made: Record) -> str:
    open_ = ", not confirmed yet" if made.doing == "upgrade" else ""
    return f"brought up by {made.who} on {times.told(made.moment)} ({made.doing}{open_})"


def _commit(found: Citation) -> str:
    if not found.made.commit:
        return "from files whose git commit is not known"
    of = f" of {found.repository}" if found.repository else ""
    changed = " with uncommitted changes" if found.made.dirty else ""
    return f"from git commit {found.made.commit}{of}{changed}"


def _not_there(found: Citation) -> str:
    """What did not run at that time."""
    verbs = {"stop": "stopped", "rm": "removed"}
    ended = {"the site": found.ended, **found.without} if found.ended else dict(found.without)
    return "".join(
        f" At that time {name} was {verbs[one.doing]}, by {one.who} on {times.told(one.moment)}."
        for name, one in ended.items()
        if one
    )


def lines(found: Citation) -> list[str]:
    """The sentence, then a line for each thing."""
    made = found.made
    changes = " +changes" if made.commit and made.dirty else ""
    rows = [("address", found.address), ("release", made.release)]
    rows += [("commit", made.commit + changes), ("repository", found.repository)]
    rows += [("image", f"{name} {image}") for name, image in made.images.items()]
    rows += [("code", _code(code)) for code in found.code]
    rows += [("spinstack", made.spinstack)]
    shown = [f"{name + ':':<12}{value}" for name, value in rows if value]
    return [sentence(found), "", *shown]


def _code(code: Code) -> str:
    changes = "+changes" if code.dirty else ""
    return f"{code.name} {code.commit or 'commit unknown'}{changes} {code.repository}".rstrip()


def bibtex(found: Citation) -> str:
    """An entry for biblatex; BibTeX treats it as @misc."""
    made = found.made
    day = made.when[:10]
    fields = {
        "author": f"{{{_tex(_authors(found))}}}",
        "title": _tex(made.stack),
        "version": _tex(made.release),
        "year": day[:4],
        "date": day,
        "url": _url(found.repository or found.address),
        "note": _tex(_note(found)),
    }
    key = f"{re.sub('[^A-Za-z0-9-]', '', made.stack)}-{day}"
    body = [f"  {name:<7} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@software{{{key},", *body, "}"])


def _note(found: Citation) -> str:
    made = found.made
    parts = [_commit(found), *(f"image {image}" for image in made.images.values())]
    parts += [f"mounted code {_code(code)}" for code in found.code]
    parts.append(f"spinstack {made.spinstack}")
    told = f"State of {times.told(found.at)} at {made.destination}: {'; '.join(parts)}."
    return told + _not_there(found)


def _authors(found: Citation) -> str:
    """A placeholder: only the authors of the paper know whom to name."""
    return f"{found.made.stack} contributors"


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in text)


def _url(text: str) -> str:
    """Without characters that would end the field; \\url takes the rest as it is."""
    return re.sub(r"[{}\\\s%]", lambda match: f"%{ord(match[0]):02X}", text)


def cff(found: Citation) -> dict[str, Any]:
    """The fields of a CITATION.cff (1.2.0), whose JSON is valid YAML, too; what that format has
    no field for is below `spinstack`."""
    made = found.made
    told = {
        "cff-version": "1.2.0",
        "type": "software",
        "message": sentence(found),
        "title": made.stack,
        "authors": [{"name": _authors(found)}],
        "version": made.release,
        "date-released": made.when[:10],
        "commit": made.commit,
        # The format's own rule: no other schemes.
        "repository-code": found.repository if found.repository.startswith("http") else "",
        "url": found.address,
    }
    return {**{key: value for key, value in told.items() if value}, "spinstack": _more(found)}


def _more(found: Citation) -> dict[str, Any]:
    made = found.made
    return {
        "version": made.spinstack,
        "stack": made.stack,
        "destination": made.destination,
        "at": f"{found.at:%Y-%m-%dT%H:%M:%SZ}",
        "since": made.when,
        "by": made.who,
        "doing": made.doing,
        "repository": found.repository,
        "dirty": made.dirty,
        "images": dict(made.images),
        "code": [asdict(code) for code in found.code],
        "ended": found.ended.doing if found.ended else "",
        "without": sorted(found.without),
    }
