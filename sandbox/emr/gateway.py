"""
The one address: records every call, lets faults strike, answers EMR, and leaves the rest to moto.

Order for each request: whose key is it, what does it ask, does a fault strike, who answers, what came of it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.emr import api, faults, iam_actions, key_actions, own_policies, permissions, protocol
from sandbox.emr.access import Principal, Principals
from sandbox.emr.account import Account, refuses_trust
from sandbox.emr.api import Call, Service
from sandbox.emr.faults import Fault
from sandbox.emr.forwarding import Forwarder
from sandbox.emr.iam_actions import ACCOUNT_ID, Action
from sandbox.emr.ledger import Ledger
from sandbox.emr.operations import MOTO_OPERATIONS, OPERATIONS
from sandbox.emr.own_policies import Caller, TablePolicies
from sandbox.emr.policy_judge import Policy
from sandbox.emr.protocol import Request, ServiceError, StartResponse

WsgiApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
# Content type and body of a reply, None for what moto is to answer after all
OwnAnswer = Callable[[Request], "tuple[str, bytes] | None"]
CONTROL_PREFIX = "/sandbox/"
JSON_1_1 = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Asked:
    """A request with who asks and what IAM actions it takes."""

    request: Request
    principal: Principal
    actions: tuple[Action, ...]


class Gateway:
    """The WSGI application of the sandbox's AWS. `own` answers, by IAM action, what moto knows wrong or not at all."""

    def __init__(
        self,
        service: Service,
        *,
        ledger: Ledger,
        principals: Principals,
        control: WsgiApplication,
        moto: WsgiApplication,
        account: Account | None = None,
        own: Mapping[str, OwnAnswer] | None = None,
        implied: Callable[[Request, tuple[Action, ...]], tuple[Action, ...]] = lambda *_: (),
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._principals = principals
        self._control = control
        self._moto = moto
        self._account = account or Account()
        self._tables = TablePolicies()
        self._own = {
            "dynamodb:PutResourcePolicy": self._tables.put,
            "dynamodb:GetResourcePolicy": self._tables.get,
            "dynamodb:DeleteResourcePolicy": self._tables.delete,
            **(own or {}),
        }
        self._implied = implied
        self._forwarder = Forwarder()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(CONTROL_PREFIX):
            return self._control(environ, start_response)
        request = protocol.read_request(environ)
        try:
            principal = self._principals.owner_of(request.access_key)
            actions = iam_actions.actions_of(request, account=principal.account)
            asked = Asked(request, principal, (*actions, *self._implied(request, actions)))
        except ServiceError as error:
            return protocol.reply_error(start_response, request, error)
        fault = self._service.faults.for_request(asked.actions, asked.principal) if asked.actions else None
        if fault:
            return self._strike(fault, asked, environ, start_response)
        return self._answer(asked, environ, self._recording(asked, start_response))

    def _recording(self, asked: Asked, start_response: StartResponse, *, outcome: str = "answered") -> StartResponse:
        def record(status: str, headers: Any, *rest: Any) -> Any:
            code = int(status.split(" ", 1)[0])
            self._ledger.record(asked.principal, asked.actions, status=code, outcome=outcome)
            return start_response(status, headers, *rest)

        return record

    def _strike(
        self, fault: Fault, asked: Asked, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        error = faults.error_of(fault, asked.actions, asked.principal)
        if error:
            recording = self._recording(asked, start_response, outcome=fault.kind)
            return protocol.reply_error(recording, asked.request, error)
        if fault.kind == "lost-reply":
            b"".join(self._answer(asked, environ, lambda *_: None))
        self._ledger.record(asked.principal, asked.actions, status=0, outcome=fault.kind)
        return drop_connection(environ)

    def _answer(self, asked: Asked, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = asked.request
        try:
            self._check_bucket_owner(request)
            self._check_rights(asked)
            _check_trust(asked)
            own = self._own_answer(asked)
            if own:
                content_type, body = own
                return protocol.reply_bytes(start_response, body, content_type=content_type)
            if request.service == "elasticmapreduce" and request.target not in MOTO_OPERATIONS:
                call = Call(request.target, request.region, asked.principal, request.json())
                return protocol.reply_json(
                    start_response, api.answer(self._service, OPERATIONS, call), content_type=JSON_1_1
                )
        except ServiceError as error:
            return protocol.reply_error(start_response, request, error)
        dynamodb_url = self._service.settings().dynamodb_url
        if request.service == "dynamodb" and dynamodb_url:
            sent, change = _in_own_account(request, asked.actions, self._change_of(request))
            return self._forwarder.forward(dynamodb_url, sent, start_response, change=change)
        return self._moto(_with_body(environ, request), start_response)

    def _check_rights(self, asked: Asked) -> None:
        """Refuse what no policy of the caller allows; a launch's clean-up role is judged by the launch itself."""
        judged = [
            action
            for action in asked.actions
            if action.name != "iam:CreateServiceLinkedRole" or len(asked.actions) == 1
        ]
        if not judged:
            return
        policies, principal = self._service.policies_of(asked.principal), asked.principal
        caller = Caller(principal.account or ACCOUNT_ID, self._account.arn_of(principal), policies)
        for action in judged:
            owner, own = self._owner_of(action)
            if owner is not None:
                kind = own_policies.refused_by(action, caller=caller, owner=owner, own=own)
            else:
                refused = permissions.refused_action(policies, [action], tags_of=self._tags_of)
                kind = own_policies.IDENTITY if refused else None
            if kind is not None:
                who = permissions.caller_arn(principal)
                raise permissions.denial(action, who=who, service=asked.request.service, kind=kind)

    def _owner_of(self, action: Action) -> tuple[str | None, Policy | None]:
        """The account and the own policy of a table or bucket; neither for other things."""
        if action.resource.startswith("arn:aws:dynamodb:"):
            return action.resource.split(":")[4], self._tables.of(action.resource)
        if action.resource.startswith("arn:aws:s3:::"):
            bucket = action.resource.removeprefix("arn:aws:s3:::").partition("/")[0]
            return self._account.owner_of_bucket(bucket), self._account.policy_of_bucket(bucket)
        return None, None

    def _check_bucket_owner(self, request: Request) -> None:
        """S3 refuses when the bucket is somebody else's; moto does not look."""
        expected = request.headers.get("x-amz-expected-bucket-owner")
        owner = self._account.owner_of_bucket(request.path.lstrip("/").partition("/")[0]) or ACCOUNT_ID
        if expected and expected != owner:
            raise ServiceError("AccessDenied", "Access Denied", status=403)

    def _tags_of(self, arn: str) -> Mapping[str, str]:
        cluster = self._service.fleet.find(arn.rpartition("/")[2]) if ":cluster/" in arn else None
        return cluster.tags if cluster else {}

    def _change_of(self, request: Request) -> Callable[[bytes], bytes] | None:
        """DescribeTable tells of a key that the sandbox, and not DynamoDB here, has put on the table."""
        key = self._service.settings().table_keys.get(_name_of(str(request.json().get("TableName"))))
        if key is None or request.target != "DescribeTable":
            return None
        return lambda body: key_actions.with_key(body, key)

    def _own_answer(self, asked: Asked) -> tuple[str, bytes] | None:
        answer = self._own.get(asked.actions[0].name) if asked.actions else None
        return answer(asked.request) if answer else None


def _check_trust(asked: Asked) -> None:
    """The second half of AssumeRole, which the role's account says; the caller's own policy has been asked."""
    if [action.name for action in asked.actions] != ["sts:AssumeRole"]:
        return
    form, account = asked.request.form, asked.principal.account or ACCOUNT_ID
    if refuses_trust(form["RoleArn"], account=account, external_id=form.get("ExternalId")):
        raise permissions.denial(asked.actions[0], who=permissions.caller_arn(asked.principal), service="sts")


def _in_own_account(
    request: Request, actions: Sequence[Action], change: Callable[[bytes], bytes] | None
) -> tuple[Request, Callable[[bytes], bytes] | None]:
    """The request as the one DynamoDB here takes it, which knows one account, and what makes its reply the owner's."""
    owners = {one.resource.split(":")[4] for one in actions if one.resource.startswith("arn:aws:dynamodb:")}
    params = request.json()
    named = [params.get("TableName"), *params.get("RequestItems", {})]
    arns = {_name_of(name): name for name in named if name and name != _name_of(name)}
    if owners <= {ACCOUNT_ID} and not arns:
        return request, change
    (owner,) = owners
    theirs, ours = f":{owner}:", f":{ACCOUNT_ID}:"
    body = _with_names(params, dict(zip(arns.values(), arns)))
    if "ResourceArn" in body:
        body["ResourceArn"] = body["ResourceArn"].replace(theirs, ours)

    def changed(reply: bytes) -> bytes:
        reply = change(reply) if change else reply
        if request.target in ("DescribeTable", "ListTagsOfResource"):
            return reply.replace(ours.encode(), theirs.encode())
        return json.dumps(_with_names(json.loads(reply), arns)).encode() if arns else reply

    return replace(request, body=json.dumps(body).encode()), changed


def _with_names(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A request or reply with its tables named otherwise."""
    renamed = dict(document)
    if renamed.get("TableName") in names:
        renamed["TableName"] = names[renamed["TableName"]]
    for member in ("RequestItems", "UnprocessedItems"):
        if member in renamed:
            renamed[member] = {names.get(name, name): items for name, items in renamed[member].items()}
    return renamed


def _name_of(text: str) -> str:
    return text.rpartition(":table/")[2]


def _with_body(environ: dict[str, Any], request: Request) -> dict[str, Any]:
    return {**environ, "wsgi.input": protocol.body_stream(request)} if request.body else environ


def drop_connection(environ: dict[str, Any]) -> Iterable[bytes]:
    """Break the client's connection without a reply; werkzeug gives its socket for such things."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("dropped on demand")
