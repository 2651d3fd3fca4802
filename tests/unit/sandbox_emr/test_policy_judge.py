"""What IAM says: the evaluation logic of its User Guide, and the reply of its policy simulator as boto3 reads it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore import parsers
from botocore.session import Session

from sandbox.emr import quotas, simulator
from sandbox.emr.policy_judge import PolicyError, decision
from sandbox.emr.protocol import Request

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/Forum"


def statement(action: Any, *, effect: str = "Allow", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def judged(*statements: dict[str, Any], action: str = "dynamodb:Scan", resource: str = TABLE, **context: str) -> str:
    return decision([{"Statement": list(statements)}], action, resource=resource, context=context)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], "implicitDeny"),
        ([statement("dynamodb:Scan")], "allowed"),
        ([statement(["s3:GetObject", "dynamodb:scan"])], "allowed"),
        ([statement("dynamodb:S*", resource="arn:aws:dynamodb:*:*:table/F?rum")], "allowed"),
        ([statement("dynamodb:Query")], "implicitDeny"),
        ([statement("dynamodb:*", resource=[TABLE + "s"])], "implicitDeny"),
        ([statement("*"), statement("dynamodb:Scan", effect="Deny")], "explicitDeny"),
    ],
    ids=["nothing", "exact", "listed, case", "wildcards", "other action", "other table", "deny wins"],
)
def test_effect(statements: list[dict[str, Any]], expected: str) -> None:
    assert judged(*statements) == expected


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "true"}}, {"k": "true"}, True),
        ({"StringEquals": {"k": "true"}}, {}, False),
        ({"StringLike": {"k": ["a/*", "b"]}}, {"k": "a/x"}, True),
        ({"StringLike": {"k": ["a/*", "b"]}}, {"k": "c"}, False),
        ({"StringLikeIfExists": {"k": "a/*"}}, {}, True),
        ({"StringLikeIfExists": {"k": "a/*"}}, {"k": "c"}, False),
        ({"Null": {"k": "false"}}, {"k": "any"}, True),
        ({"Null": {"k": "false"}}, {}, False),
    ],
    ids=str,
)
def test_condition(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    expected = "allowed" if holds else "implicitDeny"
    assert judged(statement("*", Condition=condition), **context) == expected


def test_unknown_operator_is_not_guessed() -> None:
    with pytest.raises(PolicyError, match="DateLessThan"):
        judged(statement("*", Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}))


def simulated(policies: Any, **parameters: str) -> dict[str, Any]:
    """The simulator's reply as botocore parses it."""
    body = urlencode({"Action": "SimulatePrincipalPolicy", "PolicySourceArn": "arn:role/r", **parameters}).encode()
    _, reply = simulator.answer(asked("iam", body), lambda _: policies)
    shape = Session().get_service_model("iam").operation_model("SimulatePrincipalPolicy").output_shape
    response = {"body": reply, "headers": {}, "status_code": 200}
    parsed: dict[str, Any] = parsers.create_parser("query").parse(response, shape)
    return parsed


def asked(service: str, body: bytes) -> Request:
    return Request("POST", "/", {}, {}, access_key="k", region="eu-west-1", service=service, body=body)


def test_simulator_judges_every_action_on_every_resource_in_its_context() -> None:
    policies = [{"Statement": [statement("x:A", resource="r1", Condition={"StringEquals": {"tag": "true"}})]}]
    parameters = {"ActionNames.member.1": "x:A", "ActionNames.member.2": "x:B"}
    parameters |= {"ResourceArns.member.1": "r1", "ResourceArns.member.2": "r2"}
    entry = "ContextEntries.member.1"
    context = {f"{entry}.ContextKeyName": "tag", f"{entry}.ContextKeyValues.member.1": "true"}
    found = simulated(policies, **parameters, **context)["EvaluationResults"]
    decided = {(r["EvalActionName"], r["EvalResourceName"]): r["EvalDecision"] for r in found}
    assert decided.pop(("x:A", "r1")) == "allowed"
    assert set(decided.values()) == {"implicitDeny"}
    assert len(decided) == 3


def test_simulator_tells_what_it_was_not_told() -> None:
    policies = [{"Statement": [statement("x:A", Condition={"StringEquals": {"aws:SourceIp": "1"}})]}]
    (result,) = simulated(policies, **{"ActionNames.member.1": "x:A"})["EvaluationResults"]
    assert result["MissingContextValues"] == ["aws:SourceIp"]


def test_principal_that_iam_does_not_know_is_an_administrator() -> None:
    (result,) = simulated(None, **{"ActionNames.member.1": "x:A"})["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"


def test_policies_of_a_principal_are_its_inline_and_its_managed_ones() -> None:
    old = SimpleNamespace(document='{"Statement": 3}', is_default=False)
    current = SimpleNamespace(document='{"Statement": 2}', is_default=True)
    role = SimpleNamespace(
        arn="arn:role/r",
        policies={"inline": '{"Statement": 1}'},
        managed_policies={"m": SimpleNamespace(versions=[old, current])},
    )
    backend = SimpleNamespace(users={}, roles={"r": role}, groups={})
    assert simulator.policies_in(backend, "arn:role/r") == [{"Statement": 1}, {"Statement": 2}]
    assert simulator.policies_in(backend, "arn:role/other") is None


def test_quota_of_vcpus_is_known_and_others_are_left_to_moto() -> None:
    body = b'{"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}'
    reply = quotas.answer(asked("servicequotas", body), vcpu_quota=32)
    assert reply is not None
    assert b'"Value": 32' in reply[1]
    assert quotas.answer(asked("servicequotas", b'{"ServiceCode": "s3"}'), vcpu_quota=32) is None
