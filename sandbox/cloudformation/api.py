"""
CloudFormation's operations that `aws cloudformation deploy` and `delete-stack` use, in the query protocol.

Limits: CloudFormation User Guide, "Understand CloudFormation quotas". Errors are in the words of the API.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from sandbox.cloudformation.intrinsics import TemplateError
from sandbox.cloudformation.stacks import Stack, Stacks, needed_capability, parsed
from sandbox.emr import identifiers
from sandbox.emr.protocol import Request, ServiceError

MAX_BODY_BYTES = 51_200
MAX_URL_BYTES = 1_048_576
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
CREATED = "2026-11-23T00:00:00Z"
XML = "text/xml"


class CloudFormation:
    """Answers requests. `client` makes boto3 clients with everybody's rights: (service, region)."""

    def __init__(self, client: Callable[[str, str], Any], *, account_id: str) -> None:
        self._client = client
        self._stacks = Stacks(client, account_id=account_id)
        self._change_sets: dict[str, tuple[Stack, dict[str, Any]]] = {}

    def answers(self) -> dict[str, Callable[[Request], tuple[str, bytes]]]:
        """Return what answers each action."""
        known: Mapping[str, Callable[[Request], str]] = {
            "DescribeStacks": self._describe_stacks,
            "GetTemplate": self._get_template,
            "GetTemplateSummary": self._get_template_summary,
            "CreateChangeSet": self._create_change_set,
            "DescribeChangeSet": self._describe_change_set,
            "ExecuteChangeSet": self._execute_change_set,
            "DeleteStack": self._delete_stack,
        }
        return {f"cloudformation:{name}": _reply_of(name, answer) for name, answer in known.items()}

    def _found(self, request: Request, name: str) -> Stack:
        stack = self._stacks.find(name, request.region)
        if stack is None:
            raise ServiceError("ValidationError", f"Stack with id {name} does not exist")
        return stack

    def _describe_stacks(self, request: Request) -> str:
        stack = self._found(request, request.form.get("StackName", ""))
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()]
        return _xml({"Stacks": [_described(stack, outputs)]})

    def _get_template(self, request: Request) -> str:
        stack = self._found(request, request.form.get("StackName", ""))
        return _xml({"TemplateBody": json.dumps(stack.template), "StagesAvailable": ["Original"]})

    def _get_template_summary(self, request: Request) -> str:
        """Of a stack that is there: which parameters it has, before `deploy` changes it."""
        template = self._found(request, request.form.get("StackName", "")).template
        kinds = sorted({resource["Type"] for resource in template.get("Resources", {}).values()})
        parameters = [{"ParameterKey": name} for name in template.get("Parameters", {})]
        return _xml({"Parameters": parameters, "ResourceTypes": kinds})

    def _create_change_set(self, request: Request) -> str:
        form = request.form
        template = self._template(request)
        needed = needed_capability(template)
        given = {value for key, value in form.items() if key.startswith("Capabilities.member.")}
        if needed and not given & {needed, "CAPABILITY_NAMED_IAM"}:
            raise ServiceError("InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]")
        stack = self._stacks.begin(form["StackName"], request.region)
        place = f"arn:aws:cloudformation:{request.region}:{stack.account_id}"
        arn = f"{place}:changeSet/{form['ChangeSetName']}/{uuid.uuid4()}"
        self._change_sets[arn] = (stack, template)
        return _xml({"Id": arn, "StackId": stack.id})

    def _template(self, request: Request) -> dict[str, Any]:
        form = request.form
        body = form.get("TemplateBody", "")
        if len(body.encode()) > MAX_BODY_BYTES:
            text = "failed to satisfy constraint: Member must have length less than or equal to 51200"
            raise ServiceError("ValidationError", f"1 validation error detected: Value at 'templateBody' {text}")
        if "TemplateURL" in form:
            body = self._fetched(form["TemplateURL"], request.region)
        try:
            return parsed(body)
        except TemplateError as error:
            raise ServiceError("ValidationError", str(error)) from error

    def _fetched(self, url: str, region: str) -> str:
        parts = urlsplit(url)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if not parts.hostname or not parts.hostname.startswith(("127.", "s3.")):
            bucket, key = (parts.hostname or "").split(".")[0], unquote(parts.path).lstrip("/")
        body: bytes = self._client("s3", region).get_object(Bucket=bucket, Key=key)["Body"].read()
        if len(body) > MAX_URL_BYTES:
            raise ServiceError("ValidationError", "Template may not exceed 1000000 bytes in size.")
        return body.decode()

    def _describe_change_set(self, request: Request) -> str:
        stack, _ = self._change_set(request)
        status = {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"}
        return _xml({"ChangeSetId": request.form["ChangeSetName"], "StackName": stack.name, **status, "Changes": []})

    def _change_set(self, request: Request) -> tuple[Stack, dict[str, Any]]:
        arn = request.form["ChangeSetName"]
        if arn not in self._change_sets:
            raise ServiceError("ChangeSetNotFound", f"ChangeSet [{arn}] does not exist", status=404)
        return self._change_sets[arn]

    def _execute_change_set(self, request: Request) -> str:
        self._stacks.deploy(*self._change_set(request))
        return ""

    def _delete_stack(self, request: Request) -> str:
        stack = self._stacks.find(request.form["StackName"], request.region)
        if stack:
            self._stacks.delete(stack)
        return ""


def _described(stack: Stack, outputs: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": CREATED,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "Outputs": outputs,
    }


def _reply_of(name: str, answer: Callable[[Request], str]) -> Callable[[Request], tuple[str, bytes]]:
    def reply(request: Request) -> tuple[str, bytes]:
        result = f"<{name}Result>{answer(request)}</{name}Result>"
        meta = f"<ResponseMetadata><RequestId>{identifiers.request_id()}</RequestId></ResponseMetadata>"
        return XML, f'<{name}Response xmlns="{NAMESPACE}">{result}{meta}</{name}Response>'.encode()

    return reply


def _xml(value: Any) -> str:
    """Members of a structure as elements, lists with their `member`s."""
    if isinstance(value, dict):
        return "".join(f"<{key}>{_xml(one)}</{key}>" for key, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    return escape(str(value))
