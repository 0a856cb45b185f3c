"""Asking a person the template's questions, as cookiecutter asks them: each answer that the rules
refuse is asked for again, alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cookiecutter import prompt
from jinja2 import Environment, StrictUndefined

from spinstack.rules import answers as rules
from spinstack.rules import centre
from spinstack.rules.finding import Finding
from spinstack.text import harmless


def ask(template: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The answers to all questions: those that are given, and those that a person types. Questions
    of another kind of stack are not asked. What is wrong with those that are given is left to the
    template's hook."""
    questions = _Questions(template, given)
    answers = questions.all()
    known = centre.load()
    while wrong := [it for it in rules.findings(answers, known) if it.where not in given]:
        _tell(wrong)
        for key in dict.fromkeys(it.where for it in wrong):
            answers[key] = questions.one(key, answers)
    return answers


def _tell(wrong: Sequence[Finding]) -> None:
    for it in wrong:
        print(harmless(f"  {it.problem}; allowed: {it.remedy}"), file=sys.stderr)


class _Questions:
    """Those of a template's cookiecutter.json."""

    def __init__(self, template: Path, given: Mapping[str, str]) -> None:
        context = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
        self._asked = {key: it for key, it in context.items() if not key.startswith("_")}
        self._prompts = context["__prompts__"]
        self._kinds = {key: kind for kind, keys in context["_only_for"].items() for key in keys}
        self._given = given
        options = context["_jinja2_env_vars"]
        self._env = Environment(undefined=StrictUndefined, **options)  # noqa: S701 - no HTML

    def all(self) -> dict[str, str]:
        """Each, in their order: what is answered first may be part of a later suggestion."""
        answers = dict(self._given)
        for key in self._asked:
            kind = answers.get("kind")
            if key in self._given or self._kinds.get(key, kind) != kind:
                answers.setdefault(key, self._suggested(key, answers))
            else:
                answers[key] = self.one(key, answers)
        return answers

    def one(self, key: str, answers: Mapping[str, str]) -> str:
        """What a person answers."""
        suggested = self._suggested(key, answers)
        if isinstance(suggested, list):
            return str(prompt.read_user_choice(key, suggested, self._prompts))
        return str(prompt.read_user_variable(key, suggested, self._prompts))

    def _suggested(self, key: str, answers: Mapping[str, str]) -> Any:
        """A text, or a list of what can be chosen."""
        return prompt.render_variable(self._env, self._asked[key], dict(answers))
