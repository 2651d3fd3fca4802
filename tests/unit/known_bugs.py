"""
Bugs of this field, to be put back into a copy of the package: each must make the tests that guard against it fail.

Every one of them is, or was, in a tool that people restore backups with, or is what a first version would do.
"""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """
    One change of one file.

    Attributes:
        harm: what it does to whoever has it.
        file: below `dynamodb_pipeline/`.
        right: the text that stands there, exactly once.
        wrong: what the bug makes of it.
        caught_by: `file::test` below `tests/unit/`; all of them must fail.
    """

    harm: str
    file: str
    right: str
    wrong: str
    caught_by: tuple[str, ...]


BUGS = {
    "empty list and map dropped": Bug(
        "AWS's tools from 5.0 on, and the Go dumpers: the attribute is gone after a restore",
        "formats/items/tags.py",
        "            converted[name] = _value(value, spelling)\n",
        "            new = _value(value, spelling)\n"
        "            if next(iter(new.values())) not in ([], {}):\n"
        "                converted[name] = new\n",
        ("formats/items/test_tags.py::test_the_connectors_own_line_is_read_and_written_again",),
    ),
    "nULLValue not known": Bug(
        "the tag of practically every Data Pipeline backup; AWS's tools from 5.0 on make an empty value of it",
        "formats/items/tags.py",
        "for written in every}\n",
        "for written in every if written in every[:1]}\n",
        ("formats/items/test_tags.py::test_every_name_of_null_is_null",),
    ),
    "unknown tag becomes a value": Bug(
        "what is not understood is restored as something else, without a word",
        "formats/items/tags.py",
        '            reason = "unknown type tag; DynamoDB has S, N, B, SS, NS, BS, BOOL, NULL, L and M"\n'
        "            raise ItemError(reason)\n",
        '            return "NULL", lambda _content, _spelling: True\n',
        ("formats/items/test_tags.py::test_anything_else_is_no_tag",),
    ),
    "lines cut as a text library cuts them": Bug(
        "U+0085, U+2028 or a lone CR inside a value tears the item apart (Hadoop's reader, str.splitlines)",
        "formats/files/text.py",
        "self._plain, self._name, self._max_line_bytes = plain, name, max_line_bytes\n",
        'plain = "\\n".join(plain.decode("utf-8", "replace").splitlines()).encode()\n'
        "        self._plain, self._name, self._max_line_bytes = plain, name, max_line_bytes\n",
        ("formats/files/test_text.py::test_lines_keep_every_other_line_separator",),
    ),
    "number through a float": Bug(
        "17 of up to 38 digits are left",
        "formats/items/tags.py",
        "        return str(content)\n",
        "        return repr(float(content))\n",
        ("formats/items/test_tags.py::test_bare_numbers_keep_their_literal_text",),
    ),
    "sets compared in order": Bug(
        "DynamoDB gives a set back in another order: verify calls a perfect restore different",
        "formats/items/digest.py",
        "    ordered = sorted(elements)\n",
        "    ordered = list(elements)\n",
        ("formats/items/test_digest.py::test_a_set_has_no_order",),
    ),
    "the last of two equal members wins": Bug(
        "Python's json: a damaged item loses an attribute silently",
        "formats/items/json_text.py",
        "    if len(members) != len(pairs):\n        refuse_repeated([name for name, _ in pairs])\n",
        "",
        ("formats/files/test_dialects.py::test_read_items_names_the_place_inside_the_item",),
    ),
    "truncated gzip taken for whole": Bug(
        "an upload that broke off is restored as far as it goes (Spark's ignoreCorruptFiles)",
        "formats/files/compression.py",
        '                msg = f"{self._name}: {self._codec.value} data ends early; the object is truncated"\n'
        "                raise IntegrityError(msg)\n",
        "                return position\n",
        ("formats/files/test_compression.py::test_open_plain_finds_a_cut_at_every_byte",),
    ),
    "manifest leads out of its folder": Bug(
        "whoever can write a manifest chooses what is read (AWS's tools open any address)",
        "formats/exports/entry_location.py",
        'if not {"", ".", ".."}.isdisjoint(text.split("/")):',
        'if "" in text.split("/"):',
        ("formats/exports/test_entry_location.py::test_an_address_that_leads_elsewhere_is_refused",),
    ),
    "hash not compared": Bug(
        "57 % of flipped bits leave valid JSON: wrong data in the table",
        "reading/file_reader.py",
        "if file.sha256 is not None and sha256_hex(data) != file.sha256:",
        "if file.sha256 is not None and len(file.sha256) != 64:",
        ("reading/test_file_reader.py::test_other_bytes_than_the_export_says_are_refused",),
    ),
    "object not pinned between check and read": Bug(
        "what is written is not what was checked",
        "reading/file_reader.py",
        "data = self.store.fetch(file.uri, etag=file.etag)",
        "data = self.store.fetch(file.uri)",
        ("importing/test_write.py::test_an_object_that_changed_after_the_check_is_not_written",),
    ),
    "composite key taken for its hash key": Bug(
        "thousands of items become one",
        "formats/items/key_schema.py",
        "        parts = []\n        for attribute in self.attributes:\n",
        "        parts = []\n        for attribute in self.attributes[:1]:\n",
        ("formats/items/test_key_schema.py::test_key_of_refuses_what_cannot_be_a_key",),
    ),
    "unprocessed items forgotten": Bug(
        "BatchWriteItem answers 200 and leaves some out: they are lost whenever the table throttles",
        "importing/table_writer.py",
        "            left = {body: left[body] for body in unprocessed}\n",
        "            left = {}\n",
        ("importing/test_table_writer.py::test_unprocessed_items_are_sent_again_until_none_is_left",),
    ),
    "attribute Item taken for a native export's wrapper": Bug(
        "items with an attribute of that name are restored as what is inside it",
        "formats/files/dialects.py",
        "    return next((dialect for dialect in candidates(line) if _fits(line, dialect)), None)\n",
        "    if b'{\"Item\":{' in line:\n        return Dialect.NATIVE\n"
        "    return next((dialect for dialect in candidates(line) if _fits(line, dialect)), None)\n",
        ("formats/files/test_dialects.py::test_line_dialect_tells_item_apart",),
    ),
    "Hive text cut at every separator": Bug(
        "a value that holds 0x02 is torn apart (AWS's tools replace the byte wherever it stands)",
        "formats/files/hive_text.py",
        "        value, end = scan_json(text, position)\n",
        "        value, end = scan_json(text[:position] + text[position:].split(ATTRIBUTE_SEPARATOR)[0], position)\n",
        ("formats/files/test_hive_text.py::test_separators_inside_a_string_are_text",),
    ),
    "bad line skipped": Bug(
        "an import that says done has left items out (Spark's PERMISSIVE, the native import)",
        "importing/check.py",
        "if judge.first_bad is not None and plan.set_aside is None:",
        "if judge.first_bad is not None and not judge.items:",
        ("importing/test_check.py::test_the_first_bad_item_is_named_with_how_many_there_are",),
    ),
    "indexed attribute of another type let through where items look alike": Bug(
        "the write is refused in the middle of the import",
        "formats/blocks/shapes.py",
        "item = dict(present)\n",
        "item: dict[str, Any] = {}\n",
        ("formats/blocks/test_puts.py::test_indexed_attributes_are_checked",),
    ),
    "escapes counted as they are written": Bug(
        "sizes and keys of texts with escapes are wrong: too many units, or a key twice in one batch",
        "formats/blocks/shapes.py",
        'if text[0] == _QUOTE and b"\\\\" not in text and b"\\x01" not in text:\n',
        "if text[0] == _QUOTE:\n",
        ("formats/blocks/test_puts.py::test_sizes_by_shape_are_those_of_the_text",),
    ),
}

# The side that starts clusters, watches them and looks at what runs left.
BUGS |= {
    "lost reply followed by a second launch": Bug(
        "two clusters run the same job side by side, and both are paid",
        "emr/calls/launch.py",
        '        started = _look_for(emr, request["Name"], clock=clock, created_after=began)\n',
        "        started = None\n",
        ("emr/calls/test_launch.py::test_lost_reply_is_followed_by_a_search_not_a_second_cluster",),
    ),
    "living cluster of the run not looked for": Bug(
        "the same command given again starts a second cluster",
        "emr/calls/launch.py",
        "    if standing is not None:\n",
        "    if standing is not None and not request:\n",
        ("emr/calls/test_launch.py::test_a_living_cluster_of_the_run_is_taken",),
    ),
    "steps added again": Bug(
        "a table is imported twice at once after one lost reply",
        "emr/calls/launch.py",
        '        missing = [step for step in steps if step["Name"] not in present]\n',
        "        missing = list(steps) if call < CALLS else []\n",
        ("emr/calls/test_launch.py::test_lost_call_adds_no_step_twice",),
    ),
    "cluster that is never ready left alone": Bug(
        "it starts an hour later, runs with nobody looking, and is paid",
        "emr/watch/lifecycle.py",
        "self._outcome(Ending.NOT_PROVISIONED, look, cluster=self._end(look))",
        "self._outcome(Ending.NOT_PROVISIONED, look)",
        ("emr/watch/test_lifecycle.py::test_provisioning_has_its_own_deadline",),
    ),
    "cluster left running after a timeout": Bug(
        "a job that hangs is paid until somebody looks at the bill",
        "emr/watch/lifecycle.py",
        "        cluster = self._end(seen)\n",
        "        cluster = seen.cluster\n",
        ("emr/watch/test_lifecycle.py::test_step_that_ignores_the_interrupt_is_killed",),
    ),
    "timeout ignored": Bug(
        "--timeout is an option that does nothing",
        "emr/watch/look.py",
        "if step.started and step.started.timestamp() < latest)\n",
        "if step.started and step.started.timestamp() < latest - 1e9)\n",
        ("emr/watch/test_lifecycle.py::test_overdue_step_is_cancelled_and_the_cluster_ended",),
    ),
    "job killed at its timeout": Bug(
        "the job would have stored its state in the minutes of grace: it cannot be resumed",
        "emr/watch/look.py",
        "    latest = look.at_s - limits.timeout_s - GRACE_S\n",
        "    latest = look.at_s - limits.timeout_s\n",
        ("emr/watch/test_lifecycle.py::test_job_gets_a_grace_to_stop_itself_at_its_timeout",),
    ),
    "somebody else's cluster ended": Bug(
        "the standing cluster of a whole team is terminated with our step",
        "emr/watch/lifecycle.py",
        "        if not self.target.ours:\n            return look.cluster\n        return terminate_cluster(",
        "        return terminate_cluster(",
        ("emr/watch/test_lifecycle.py::test_on_a_standing_cluster_only_our_step_is_cancelled",),
    ),
    "Ctrl-C twice only detaches": Bug(
        "who wanted to stop an import sees it go on",
        "emr/watch/lifecycle.py",
        "        if self.attention.interrupts < 2:\n",
        "        if self.attention.interrupts < 3:\n",
        ("emr/watch/test_lifecycle.py::test_two_ctrl_c_end_the_cluster",),
    ),
    "unknown exit code is success": Bug(
        "a newer job's failure is called done",
        "errors.py",
        "whole and code == value), cls.UNEXPECTED)",
        "whole and code == value), cls.DONE)",
        ("test_errors.py::test_what_is_no_code_is_unexpected",),
    ),
    "step that EMR killed called done": Bug(
        "the record of a run whose cluster died in its last moment says 0, and nobody hears of it",
        "emr/watch/run_records.py",
        'elif code is None or (code is ExitCode.DONE and step.state != "COMPLETED"):',
        "elif code is None:",
        ("test_errors.py::test_a_step_that_did_not_complete_is_not_done_whatever_its_record_says",),
    ),
    "best of several exit codes": Bug(
        "one table of three failed, and the script that watches the exit code goes on",
        "errors.py",
        "    highest = max(parts, key=",
        "    highest = min(parts, key=",
        ("test_errors.py::test_a_run_is_done_only_when_all_of_it_is",),
    ),
    "mandatory tag left out": Bug(
        "the policies allow the launch and then refuse every later call: the cluster cannot be stopped",
        "emr/request/launch_settings.py",
        '        return {**dict(self.cluster.tags), PIPELINE_TAG: "true", RUN_TAG: self.run_id}\n',
        "        return {**dict(self.cluster.tags), RUN_TAG: self.run_id}\n",
        ("emr/request/test_run_job_flow_request.py::test_mandatory_tag_and_run_id_are_inside_the_request",),
    ),
    "cluster waits for more steps": Bug(
        "it is paid until its idle guard ends it, and without one for ever",
        "emr/request/run_job_flow_request.py",
        '{"KeepJobFlowAliveWhenNoSteps": False,',
        '{"KeepJobFlowAliveWhenNoSteps": True,',
        ("emr/request/test_run_job_flow_request.py::test_cluster_ends_by_itself_and_cannot_be_entered",),
    ),
    "secret in a step's arguments": Bug(
        "everyone who may list the steps of a cluster reads it, for two months",
        "emr/request/steps.py",
        '    refuse_secrets(arguments, where=f"step {name}")\n',
        "",
        ("emr/request/test_run_job_flow_request.py::test_credentials_in_step_arguments_are_refused_and_not_repeated",),
    ),
    "setting that loses items let through": Bug(
        "Spark skips damaged files, and the export is short without an error",
        "emr/request/run_job_flow_request.py",
        "        if own.get(key, value) != value:\n",
        "        if own.get(key, value) is None:\n",
        ("emr/request/test_run_job_flow_request.py::test_spark_conf_of_the_user_wins_except_over_safety",),
    ),
    "--max-cost compared with a part of the cost": Bug(
        "the run costs more than it was allowed to",
        "emr/plan/plan.py",
        "    if plan.cost.total_usd > max_cost_usd:\n",
        "    if plan.cost.capacity_usd > max_cost_usd:\n",
        ("emr/plan/test_plan.py::test_max_cost_refuses_and_says_by_how_much",),
    ),
    "clean takes a living run for a dead one": Bug(
        "the data files of an export that is being written are deleted",
        "folders/clean.py",
        "    state = refuse_living(lambda: read_state(store, folder), here)\n",
        "    state = read_state(store, folder)\n",
        ("folders/test_clean.py::test_living_run_is_refused_by_host_and_process",),
    ),
    "text of a record becomes markup": Bug(
        "an error message from outside runs as a script in the page of the report",
        "report/page.py",
        "autoescape=True",
        "autoescape=False",
        ("report/test_page.py::test_nothing_from_a_record_becomes_markup",),
    ),
}
