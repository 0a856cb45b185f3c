"""What is wrong with the answers to the template's questions.

The template's hook imports this, with whatever Python cookiecutter has.
"""

from __future__ import annotations

from collections.abc import Mapping

from spinstack.rules import names
from spinstack.rules.centre import Centre
from spinstack.rules.finding import Finding

_DIRECTORIES = ("static_dir", "data_dir", "nightwatch_dir", "desimodel_dir", "desiutil_dir")


def findings(answers: Mapping[str, str], centre: Centre) -> list[Finding]:
    """Everything that violates the centre's rules; `where` is the question."""
    # The stack's name is the suggestion for the namespace.
    found = names.stack_name(
        answers["stack_name"], centre, "stack_name"
    ) or names.cluster_namespace(answers["spin_namespace"], "spin_namespace")
    found += names.user_name(answers["nersc_user"], "nersc_user")
    if answers["nersc_uid"]:
        found += names.user_id(answers["nersc_uid"], "nersc_uid")
    found += names.numeric_id(answers["group_id"], "numeric group id", "group_id")
    found += names.absolute_path(answers["project_dir"], "project_dir") or names.site_path(
        answers["project_dir"], centre, "project_dir"
    )
    found += names.registry(answers["registry"], centre, "registry")
    found += names.namespace(answers["namespace"], "namespace")
    found += names.host_name(answers["login_host"], "login_host")
    found += names.environment(answers["environment"], centre, "environment")
    found += names.outside_port(answers["web_port"], centre, "web_port")
    for key in _DIRECTORIES:
        found += names.site_path(answers[key], centre, key)
    return found
