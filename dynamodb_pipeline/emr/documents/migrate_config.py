"""
Turns an exported AWS Data Pipeline definition into our command line and schedule.

Reads what `aws datapipeline get-pipeline-definition` wrote: objects with inline fields, parameters and values, or the
API's own form with `fields` lists. Only the two DynamoDB templates are understood; what has no counterpart is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamodb_pipeline.emr.cluster.packaged_files import json_file
from dynamodb_pipeline.errors import UsageError
from dynamodb_pipeline.settings.job_options import INPUT, LOGS, OUTPUT, READ_PERCENT, REGION, TABLE, TIMEOUT
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
        msg = f"{path} has no list of pipeline objects; export it with aws datapipeline get-pipeline-definition"
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

    def command(self) -> str:
        """One line to paste into a shell."""
        return command_line(("dynamodb-pipeline", self.verb), self.options)

    def schedule_command(self, cron: Row[Any]) -> str | None:
        """The line that prints the schedule's template by the option `cron`, None for a pipeline on demand."""
        if self.cron is None:
            return None
        return command_line(("dynamodb-pipeline", "schedule", self.verb), self.options + Given.of({cron: self.cron}))

    def to_json(self, cron: Row[Any]) -> dict[str, Any]:
        return {
            "verb": self.verb,
            "arguments": list(self.options.words()),
            "command": self.command(),
            "schedule_command": self.schedule_command(cron),
            "notes": list(self.notes),
        }


def migration(definition: dict[str, Any]) -> Migration:
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
    table = _needed(first_field(tables, "tableName", values), "the table's name (tableName of its DynamoDBDataNode)")
    path = first_field(folders, "directoryPath", values)
    folder = _needed((FORMAT.sub("", path) if template.stamped else path).rstrip("/"), template.folder)
    ratio = first_field(tables, template.ratio_field, values) or DEFAULT_RATIO
    options = Given.of({TABLE: table, template.option: folder}) + _common_options(objects, tables, values, ratio=ratio)
    return Migration(template.verb, options, _cron(objects), tuple(_notes(objects)))


def _needed(text: str, what: str) -> str:
    if not text or text.startswith("#{"):
        msg = f"the definition does not give {what}; export it together with its parameter values"
        raise UsageError(msg)
    return text


def _common_options(objects: Objects, tables: Objects, values: dict[str, str], *, ratio: str) -> Given:
    region = first_field(tables, "region", values) or values.get("myDDBRegion", "")
    logs = first_field(objects, "pipelineLogUri", values).rstrip("/")
    timeout = _timeout(objects, values)
    return Given.of(
        {
            READ_PERCENT: _percent(ratio),
            REGION: region if region and not region.startswith("#{") else None,
            LOGS: logs if logs.count("/") > 2 else None,
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


def _cron(objects: Objects) -> str | None:
    """The schedule's period as an EventBridge expression; None on demand."""
    schedule = next(iter(of_type(objects, "Schedule")), None)
    period = PERIOD.search(str(schedule.get("period", ""))) if schedule else None
    if period is None:
        return None
    count, unit = int(period["count"]), period["unit"].lower()
    if unit in ("week", "month"):
        return f"rate({count * (7 if unit == 'week' else 30)} days)"
    return f"rate({count} {unit}{'s' if count > 1 else ''})"


def _notes(objects: Objects) -> list[str]:
    notes = [f"{one.get('id')}: {one['type']} has no counterpart here" for one in objects if _is_foreign(one)]
    if any(one.get("subnetId") for one in objects):
        subnet = next(one["subnetId"] for one in objects if one.get("subnetId"))
        notes.append(f"the cluster ran in subnet {subnet}: give --subnet {subnet}")
    if of_type(objects, "SnsAlarm"):
        notes.append("SNS alarms: the schedule's template has its own topic for failures (--email)")
    if any(str(one.get("maximumRetries", "0")) not in ("0", "2") for one in objects):
        notes.append("maximumRetries: retries happen inside the job (--attempts, default 2)")
    return notes


def _is_foreign(one: dict[str, Any]) -> bool:
    return bool(one.get("type")) and one["type"] not in KNOWN_TYPES
