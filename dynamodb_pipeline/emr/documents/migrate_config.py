"""
Turns an exported AWS Data Pipeline definition into our command line and schedule.

Reads what `aws datapipeline get-pipeline-definition` wrote: objects with inline fields, parameters and values, or the
API's own form with `fields` lists. Only the two DynamoDB templates are understood; every field is translated, or
named in a note: none is left out in silence.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from dynamodb_pipeline.emr.cluster.instance_types import known_types
from dynamodb_pipeline.emr.cluster.packaged_files import json_file
from dynamodb_pipeline.errors import PROGRAM, UsageError
from dynamodb_pipeline.settings.job_options import INPUT, LOGS, OUTPUT, READ_PERCENT, REGION, TABLES, TIMEOUT
from dynamodb_pipeline.settings.rows import Given, Row, command_line

EXPRESSION = re.compile(r"#\{(?P<name>my\w+)\}")

Objects = list[dict[str, Any]]
DEFAULT_RATIO = "0.25"
FORMAT = re.compile(r"/?#\{format\(.*?\)\}")
PERIOD = re.compile(r"(?<![0-9])(?P<count>[0-9]{1,6})\s*(?P<unit>minute|hour|day|week|month)s?", re.IGNORECASE)
# Fields of a definition that change nothing here, or that have a counterpart that is always on.
KNOWN_TYPES = {
    "Default", "DynamoDBDataNode", "S3DataNode", "EmrCluster", "EmrActivity", "Schedule", "SnsAlarm",
    "HadoopConfiguration", "EmrConfiguration", "Property",
}  # fmt: skip
# Fields that are read below, or whose part here is always taken.
KNOWN_FIELDS = {
    *("id", "name", "type", "parent", "fields", "schedule", "scheduleType", "failureAndRerunMode", "period", "startAt"),
    *("startDateTime", "pipelineLogUri", "role", "resourceRole", "tableName", "readThroughputPercent", "region"),
    *(
        "writeThroughputPercent",
        "directoryPath",
        "step",
        "input",
        "output",
        "runsOn",
        "maximumRetries",
        "terminateAfter",
    ),
    *("attemptTimeout", "subnetId", "masterInstanceType", "coreInstanceType", "coreInstanceCount", "keyPair"),
    *("preStepCommand", "postStepCommand", "onFail", "onSuccess", "onLateAction", "resizeClusterBeforeRunning"),
    *("releaseLabel", "amiVersion", "bootstrapAction", "configuration", "dataFormat", "manifestFilePath", "topicArn"),
    *("subject", "message", "property", "key", "value", "classification", "endDateTime", "occurrences"),
}
# What cannot be translated, and what to do instead.
NAMED = {
    "keyPair": "nodes have no SSH key here; `logs` shows what steps printed",
    "preStepCommand": "is not run; run it before, or as a bootstrap action of a config of yours (--config FILE)",
    "postStepCommand": "is not run; run it after, when the exit code is 0",
    "bootstrapAction": "is not run; put it into a config of yours (BootstrapActions of --config FILE)",
    "releaseLabel": "the shipped configs have a label of their own, with a Python that is new enough",
    "amiVersion": "the shipped configs have an EMR 7 label",
    "configuration": "settings of Hadoop are not taken; Spark's are derived from the nodes, others: --spark-conf",
    "onLateAction": "nothing watches for lateness; --timeout ends a run",
    "endDateTime": "a schedule here has no end: delete its stack then",
    "occurrences": "a schedule here has no end: delete its stack then",
}
DEFAULT_TYPE, DEFAULT_NODES = "m3.xlarge", "DataPipelineDefaultResourceRole"
REGIONAL = ("EmrCluster", "DynamoDBDataNode")
LAST_DAY = 28  # that every month has
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class LauncherRows(NamedTuple):
    """The launcher's options that a translation may give."""

    cron: Row[Any]
    set: Row[Any]
    subnet: Row[Any]


@dataclass(frozen=True)
class Template:
    """
    One of Data Pipeline's two templates, and what its fields are here.

    Attributes:
        activity: what its step names.
        ratio_field: of its table's node.
        option, folder: the option for its S3 folder, and what that folder is, for messages.
        stamped: the folder's name ends with the time of the firing, as ours does by itself.
    """

    verb: str
    activity: re.Pattern[str]
    ratio_field: str
    option: Row[Any]
    folder: str
    stamped: bool = False


TEMPLATES = (
    Template(
        "export",
        re.compile(r"DynamoDbExport|DynamoDBExport"),
        "readThroughputPercent",
        OUTPUT,
        "the output folder (directoryPath of its S3DataNode)",
        stamped=True,
    ),
    Template(
        "import",
        re.compile(r"DynamoDbImport|DynamoDBImport"),
        "writeThroughputPercent",
        INPUT,
        "the input folder (directoryPath)",
    ),
)


def read_definition(path: Path) -> dict[str, Any]:
    """
    Raises:
        UsageError: unreadable or not a pipeline definition.
    """
    definition = json_file(path, what="pipeline definition")
    if not isinstance(definition, dict) or not isinstance(_objects_of(definition), list):
        command = f"aws datapipeline get-pipeline-definition --pipeline-id df-YOURS > {shlex.quote(str(path))}"
        msg = f"{path} has no list of pipeline objects; export it anew: {command}"
        raise UsageError(msg)
    return definition


def _objects_of(definition: dict[str, Any]) -> Any:
    return definition.get("objects", definition.get("pipelineObjects"))


def flat_objects(definition: dict[str, Any]) -> Objects:
    """The pipeline's objects, each with its fields beside its id."""
    return [_flat(one) for one in _objects_of(definition)]


def _flat(one: dict[str, Any]) -> dict[str, Any]:
    """One object with its fields beside its id; the API's form keeps them in a list."""
    fields = {f["key"]: f.get("stringValue", f.get("refValue")) for f in one.get("fields", []) if "key" in f}
    return {**{key: value for key, value in one.items() if key != "fields"}, **fields}


def of_type(objects: Objects, name: str) -> Objects:
    """The objects of one type."""
    return [one for one in objects if one.get("type") == name]


def parameter_values(definition: dict[str, Any]) -> dict[str, str]:
    """Parameter values over parameter defaults."""
    by_id: dict[str, str] = {}
    for parameter in definition.get("parameters", definition.get("parameterObjects", [])):
        flat = {**parameter, **{a["key"]: a.get("stringValue") for a in parameter.get("attributes", [])}}
        if flat.get("default") is not None:
            by_id[flat["id"]] = str(flat["default"])
    values = definition.get("values", definition.get("parameterValues", {}))
    pairs = values.items() if isinstance(values, dict) else [(v["id"], v.get("stringValue")) for v in values]
    by_id.update({key: str(value[0] if isinstance(value, list) else value) for key, value in pairs})
    return by_id


def _resolved(text: Any, values: dict[str, str]) -> str:
    return EXPRESSION.sub(lambda match: values.get(match["name"], match[0]), str(text or "")).strip()


def first_field(objects: Objects, name: str, values: dict[str, str]) -> str:
    """The first object's field of that name with its parameters filled in, empty when there is none."""
    return next((_resolved(one[name], values) for one in objects if one.get(name)), "")


@dataclass(frozen=True)
class Migration:
    """Our command for a pipeline: the verb's options, a cron expression or None, and what was left behind."""

    verb: str
    options: Given
    cron: str | None
    notes: tuple[str, ...]
    rows: LauncherRows

    def command(self) -> str:
        """One line to paste into a shell."""
        return command_line((PROGRAM, self.verb), self.options)

    def schedule_command(self) -> str | None:
        """The line that prints the schedule's template, None for a pipeline on demand."""
        if self.cron is None:
            return None
        options = self.options + Given.of({self.rows.cron: self.cron})
        return command_line((PROGRAM, "schedule", self.verb), options)

    def to_json(self) -> dict[str, Any]:
        return {
            "verb": self.verb,
            "arguments": list(self.options.words()),
            "command": self.command(),
            "schedule_command": self.schedule_command(),
            "notes": list(self.notes),
        }


def migration(definition: dict[str, Any], rows: LauncherRows) -> Migration:
    """
    Translate a definition.

    Raises:
        UsageError: it is neither of the two DynamoDB templates, or the table or folder is missing.
    """
    objects = flat_objects(definition)
    values = parameter_values(definition)
    step = " ".join(str(one.get("step", "")) for one in objects)
    tables, folders = of_type(objects, "DynamoDBDataNode"), of_type(objects, "S3DataNode")
    template = next((template for template in TEMPLATES if template.activity.search(step)), None)
    if template is None:
        msg = (
            "no activity of this pipeline is a DynamoDBExport or DynamoDBImport; "
            "only those two templates are translated"
        )
        raise UsageError(msg)
    names = _table_names(tables, values)
    taken = names if template.verb == "export" else names[:1]
    path = first_field(folders, "directoryPath", values)
    folder = _needed((FORMAT.sub("", path) if template.stamped else path).rstrip("/"), template.folder)
    ratio = first_field(tables, template.ratio_field, values) or DEFAULT_RATIO
    options = Given(((TABLES, tuple(taken)),)) + Given.of({template.option: folder})
    options += _common_options(objects, tables, values, ratio=ratio)
    logs, said = _logs(first_field(objects, "pipelineLogUri", values), folder)
    options += Given.of({LOGS: logs}) + _cluster_options(objects, values, rows)
    notes = [*said, *_notes(objects, values), *_folder_notes(folders, values, names, taken)]
    return Migration(template.verb, options, _cron(objects, values), tuple(dict.fromkeys(notes)), rows)


def _table_names(tables: Objects, values: dict[str, str]) -> list[str]:
    what = "the table's name (tableName of its DynamoDBDataNode)"
    names = [_needed(_resolved(one.get("tableName"), values), what) for one in tables] or [_needed("", what)]
    return list(dict.fromkeys(names))


def _folder_notes(folders: Objects, values: dict[str, str], names: list[str], taken: list[str]) -> Iterator[str]:
    for name in names[len(taken) :]:
        yield f"table {name}: an import has one table; run the command again for it, with its own folder"
    paths = dict.fromkeys(_resolved(one.get("directoryPath"), values) for one in folders)
    if len(paths) > 1:
        yield f"S3 folders {', '.join(paths)}: the first is taken; each table gets a folder of its own below it"


def _logs(given: str, folder: str) -> tuple[str, list[str]]:
    """The log folder, never a bucket's top, which we refuse; and what was changed."""
    logs = given.rstrip("/")
    if logs.count("/") > 2:
        return logs, []
    bucket = logs if logs.startswith("s3://") else "/".join(folder.split("/")[:3])
    made = f"{bucket}/dynamodb-pipeline-logs"
    said = f"log folder {given}: logs never go to a bucket's top" if given else "no log folder: a cluster needs one"
    return made, [f"{said}; {made} is taken"]


def _cluster_options(objects: Objects, values: dict[str, str], rows: LauncherRows) -> Given:
    """Types and counts that can be had on EMR 7; the others are named by `_type_notes`."""
    clusters, changes = of_type(objects, "EmrCluster"), []
    for role, field in (("MASTER", "masterInstanceType"), ("CORE", "coreInstanceType")):
        name = first_field(clusters, field, values)
        if name in known_types() and name != DEFAULT_TYPE:
            changes.append(f"Instances.InstanceGroups.{role}.InstanceType={name}")
    count = first_field(clusters, "coreInstanceCount", values)
    if count.isascii() and count.isdigit() and int(count) > 1:
        changes.append(f"Instances.InstanceGroups.CORE.InstanceCount={int(count)}")
    subnet = first_field(objects, "subnetId", values)
    given = Given(((rows.set, tuple(changes)),)) if changes else Given()
    return given + Given.of({rows.subnet: subnet or None})


def _needed(text: str, what: str) -> str:
    if not text or text.startswith("#{"):
        msg = f"the definition does not give {what}; export it together with its parameter values"
        raise UsageError(msg)
    return text


def _common_options(objects: Objects, tables: Objects, values: dict[str, str], *, ratio: str) -> Given:
    region = first_field(tables, "region", values) or values.get("myDDBRegion", "")
    region = region or first_field(of_type(objects, "EmrCluster"), "region", values)  # whose tables the step read then
    timeout = _timeout(objects, values)
    return Given.of(
        {
            READ_PERCENT: _percent(ratio),
            REGION: region if region and not region.startswith("#{") else None,
            TIMEOUT: timeout,
        }
    )


def _percent(ratio: str) -> str:
    """The template's ratio 0.1 to 1.5 as our percent; a figure above 1.5 is a percent already."""
    try:
        value = float(ratio)
    except ValueError as err:
        msg = f"throughput ratio {ratio!r} is not a number"
        raise UsageError(msg) from err
    percent = value * 100 if value <= 1.5 else value
    return f"{percent:g}%"


def _timeout(objects: Objects, values: dict[str, str]) -> str | None:
    """The activity's attemptTimeout, or the cluster's terminateAfter."""
    for name in ("attemptTimeout", "terminateAfter"):
        period = PERIOD.search(first_field(objects, name, values))
        if period and period["unit"].lower() in ("minute", "hour", "day"):
            return f"{period['count']}{period['unit'][0].lower()}"
    return None


def _cron(objects: Objects, values: dict[str, str]) -> str | None:
    """The schedule as an EventBridge expression, at its start's time of day where it has one; None on demand."""
    schedules = of_type(objects, "Schedule")
    period = PERIOD.search(first_field(schedules, "period", values))
    if period is None:
        return None
    count, unit = int(period["count"]), period["unit"].lower()
    start = _start(schedules, values)
    if start is not None and count == 1 and unit in ("hour", "day", "week", "month"):
        hour = "*" if unit == "hour" else start.hour
        days = {"week": f"? * {DAYS[start.weekday()]} *", "month": f"{min(start.day, LAST_DAY)} * ? *"}
        return f"cron({start.minute} {hour} {days.get(unit, '* * ? *')})"
    if unit in ("week", "month"):
        return f"rate({count * (7 if unit == 'week' else 30)} days)"
    return f"rate({count} {unit}{'s' if count > 1 else ''})"


def _start(schedules: Objects, values: dict[str, str]) -> datetime | None:
    """When the schedule began, in UTC as Data Pipeline means it."""
    try:
        return datetime.fromisoformat(first_field(schedules, "startDateTime", values).rstrip("Zz"))
    except ValueError:
        return None


def _notes(objects: Objects, values: dict[str, str]) -> Iterator[str]:
    for one in objects:
        name = one.get("id")
        if one.get("type") and one["type"] not in KNOWN_TYPES:
            yield f"{name}: {one['type']} has no counterpart here"
            continue
        for field, text in one.items():
            if field in NAMED:
                yield f"{name}: {field} {_resolved(text, values)}: {NAMED[field]}"
            elif field not in KNOWN_FIELDS:
                yield f"{name}: {field} {_resolved(text, values)} is not translated"
    yield from _type_notes(objects, values)
    yield from _role_notes(objects, values)
    yield from _schedule_notes(of_type(objects, "Schedule"), values)
    region, table_region = (first_field(of_type(objects, kind), "region", values) for kind in REGIONAL)
    if region and table_region and region != table_region:
        yield f"the cluster ran in {region}, the table is in {table_region}: here the cluster runs where the table is"
    if of_type(objects, "SnsAlarm"):
        yield "SNS alarms: the schedule's template has its own topic for failures (--email)"
    if any(str(one.get("maximumRetries", "2")) != "2" for one in objects):
        yield "maximumRetries: retries happen inside the job (--attempts, default 2)"


def _type_notes(objects: Objects, values: dict[str, str]) -> Iterator[str]:
    for field in ("masterInstanceType", "coreInstanceType"):
        name = first_field(of_type(objects, "EmrCluster"), field, values)
        if name and name not in known_types():
            yield f"{field} {name}: cannot be had on EMR 7 or is not sized here; the config's own is taken (--config)"


def _role_notes(objects: Objects, values: dict[str, str]) -> Iterator[str]:
    service, nodes = (first_field(objects, field, values) for field in ("role", "resourceRole"))
    if service or nodes:
        keep = f"--service-role {service or 'DataPipelineDefaultRole'} --node-role {nodes or DEFAULT_NODES}"
        yield f"roles: deploy ours (`dynamodb-pipeline policy roles-template --help`), or keep the old ones: {keep}"


def _schedule_notes(schedules: Objects, values: dict[str, str]) -> Iterator[str]:
    expression, start = _cron(schedules, values), first_field(schedules, "startDateTime", values)
    if expression and expression.startswith("rate") and (start or first_field(schedules, "startAt", values)):
        yield f"start {start or 'at activation'}: {expression} counts from the stack's deployment"
    elif expression and start:
        yield f"start {start} (UTC): {expression} has its time of day; --timezone for another zone"
    begun = _start(schedules, values)
    if begun is not None and begun.day > LAST_DAY and "month" in first_field(schedules, "period", values).lower():
        yield f"start {start}: every month has a {LAST_DAY}th, which is taken"
