"""The plan: AWS's own arithmetic, AWS's worked examples, the money, the warnings and the one refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dynamodb_pipeline.emr.cluster.cluster_config import NodeGroup
from dynamodb_pipeline.emr.cluster.instance_types import known_types, region_problem
from dynamodb_pipeline.emr.cluster.packaged_files import packaged_json
from dynamodb_pipeline.emr.plan.advice import Fleet
from dynamodb_pipeline.emr.plan.cost import NODE_EXTRAS, load_prices, node_hour_usd
from dynamodb_pipeline.emr.plan.estimate import GIB, TableFacts, export_estimate, import_estimate, table_write_units
from dynamodb_pipeline.emr.plan.plan import Plan, make_plan
from dynamodb_pipeline.emr.request.launch_settings import RunLimits
from dynamodb_pipeline.errors import PreconditionError, UsageError
from dynamodb_pipeline.settings.job_options import FILTER, INDEX, KEY_PREFIX, MIRROR, ONLY_CHANGES, PROJECTION
from dynamodb_pipeline.settings.rows import Given
from tests.unit.emr.builders import a_job, settings

TODAY = date(2026, 11, 23)
M5 = Fleet((NodeGroup("MASTER", "m5.xlarge", 1), NodeGroup("CORE", "m5.xlarge", 2)), "emr-7.13.0")


def facts(**changes: Any) -> TableFacts:
    values: dict[str, Any] = {
        "table_name": "Forum",
        "size_bytes": 100 * GIB,
        "item_count": 100_000_000,
        "units_per_s": 6000.0,
        "rate_text": "50% of 12,000 read units (on-demand) = 6,000/s",
        "on_demand": True,
    }
    return TableFacts(**{**values, **changes})


def plan(*tables: TableFacts, fleet: Fleet = M5, **changes: Any) -> Plan:
    jobs = tuple(a_job(one.table_name) for one in tables)
    launch = settings(**{"jobs": jobs, "region": "us-east-1", **changes})
    return make_plan(launch, fleet=fleet, tables=tables, prices=load_prices(), today=TODAY)


def test_aws_worked_example_of_a_scan() -> None:
    """Developer guide: 20 GiB at 100 read units, strongly consistent: 52,429 s = 14.56 h."""
    found = export_estimate(facts(size_bytes=21_474_836_480, units_per_s=100.0, strong=True), slots=8)
    assert round(found.rate_s) == 52_429
    assert round(found.rate_s / 3600, 2) == 14.56


def test_an_eventually_consistent_scan_takes_half_of_that() -> None:
    found = export_estimate(facts(size_bytes=21_474_836_480, units_per_s=100.0), slots=8)
    assert round(found.rate_s) == round(52_428.8 / 2)


@pytest.mark.parametrize(
    ("item_bytes", "units_each"), [(1, 1), (1024, 1), (1025, 2), (4000, 4)], ids=["tiny", "1 KiB", "over", "4 KB"]
)
def test_write_units_round_each_item_up(item_bytes: int, units_each: int) -> None:
    """Developer guide: less than 1 KB = 1, 1-2 KB = 2 ... times the number of items."""
    assert table_write_units(item_bytes * 1000, item_count=1000) == units_each * 1000


def test_write_units_of_an_empty_table_are_none() -> None:
    assert table_write_units(0, item_count=0) == 0


def test_import_lasts_units_over_rate() -> None:
    found = import_estimate(facts(size_bytes=10 * GIB, item_count=10_737_418, units_per_s=4000.0), slots=4)
    assert found.data_s == pytest.approx(10_737_418 / 4000, rel=0.01)


def test_cost_of_100_gib_at_6000_units() -> None:
    """The cost model: 44 minutes, $0.53 of nodes (1 leader + 2 core m5.xlarge at $0.24), $1.64 of reads."""
    found = plan(facts())
    assert found.wall_s / 60 == pytest.approx(44, abs=1)
    assert found.cost.ec2_usd + found.cost.emr_usd == pytest.approx(0.53, abs=0.01)
    assert found.cost.units_usd == pytest.approx(1.64, abs=0.01)


def test_provisioned_capacity_is_not_charged_twice() -> None:
    found = plan(facts(on_demand=False))
    assert found.cost.units_usd == 0
    assert found.cost.capacity_usd == pytest.approx(100 * GIB / 8192 / 3600 * 0.00013, rel=0.01)


def test_import_pays_for_every_index_it_touches() -> None:
    one = plan(facts(units_per_s=4000.0), verb="import").cost.units_usd
    three = plan(facts(units_per_s=4000.0, written_copies=3), verb="import").cost.units_usd
    assert three == pytest.approx(3 * one)


def test_import_of_little_says_how_little_and_where_that_is_known_from() -> None:
    small = facts(size_bytes=300_000, item_count=900, units_per_s=100.0, basis="as its _export.json says")
    (line, *_) = plan(small, verb="import").lines()
    assert line.startswith("Forum: 293.0 KiB, 900 items (as its _export.json says); 900 write units;")
    assert line.endswith("about 9 s")


def test_what_vector_indexes_cost_is_said_to_be_missing() -> None:
    found = plan(facts(vector_indexes=("close",)), verb="import")
    assert "without the vector indexes of Forum (close)" in " ".join(found.warnings)
    assert "vector" not in " ".join(plan(facts(), verb="import").warnings)


def test_import_of_unknown_size_says_so_and_claims_no_time() -> None:
    found = plan(facts(size_bytes=0, item_count=0, basis="s3://b/x has no manifest", is_known=False), verb="import")
    (line, *_) = found.lines()
    assert "not known (s3://b/x has no manifest)" in line
    assert " 0 " not in line
    assert "without the writes into Forum" in " ".join(found.warnings)
    (table,) = found.to_json()["tables"]
    assert (table["item_count"], table["units"], table["data_s"]) == (None, None, None)


def test_max_cost_refuses_what_it_cannot_compare() -> None:
    unknown = facts(size_bytes=0, item_count=0, basis="s3://b/x has no manifest", is_known=False)
    with pytest.raises(PreconditionError, match=r"--max-cost 5\.00 cannot be kept to.*no manifest"):
        plan(unknown, verb="import", limits=RunLimits(max_cost_usd=5.0))


def test_standing_cluster_costs_nothing_more() -> None:
    fleet = Fleet(M5.groups, M5.release_label, billed=False)
    found = plan(facts(), fleet=fleet)
    assert found.cost.ec2_usd == 0
    assert found.wall_s < plan(facts()).wall_s
    small = replace(facts(), size_bytes=1000)
    hint = "note: below 1 GiB a cluster mostly starts and stops: --local does the same here"
    assert [hint in plan(small, fleet=one).lines() for one in (M5, fleet)] == [True, False]


def test_several_tables_run_one_after_another() -> None:
    one = plan(facts()).wall_s
    two = plan(facts(), facts(table_name="Thread")).wall_s
    assert two - one == pytest.approx(100 * GIB / 8192 / 6000, rel=0.01)


def test_max_cost_refuses_and_says_by_how_much() -> None:
    with pytest.raises(PreconditionError, match=r"about \$4\.\d\d, over --max-cost 1\.00; not started"):
        plan(facts(), limits=RunLimits(max_cost_usd=1.0))
    assert plan(facts(), limits=RunLimits(max_cost_usd=5.0))


def test_too_short_timeout_warns_and_names_one_that_suffices() -> None:
    slow = facts(units_per_s=100.0, size_bytes=20 * GIB)
    found = plan(slow, limits=RunLimits(timeout_s=3600.0))
    assert any("--timeout 10h" in warning for warning in found.warnings)
    assert not plan(facts()).warnings


def test_old_label_warns() -> None:
    assert "PAST" in " ".join(plan(facts(), fleet=Fleet(M5.groups, "emr-7.2.0")).warnings)


def test_prices_of_another_region_warn() -> None:
    assert "eu-west-1" in " ".join(plan(facts(), region="eu-west-1").warnings)


def test_a_region_has_its_own_prices_with_their_date() -> None:
    """m5.xlarge in Ireland is $0.214 by AWS's price list, a read unit for an hour $0.000147."""
    prices = load_prices(region="eu-west-1")
    assert (prices.region, prices.date) == ("eu-west-1", "2026-11-29")
    assert prices.ec2_per_hour["m5.xlarge"] == 0.214
    assert prices.numbers["read_unit_hour"] == 0.000147
    assert prices.doubtful(["ec2_per_hour.m5.xlarge", "s3_gib_month"]) == ["ec2_per_hour.m5.xlarge", "s3_gib_month"]
    assert load_prices(region="xx-nowhere-1") == load_prices()


@pytest.mark.parametrize("region", [*packaged_json("prices-2026-11-23.json")["regions"]])
def test_every_region_has_prices_for_what_it_offers(region: str) -> None:
    base, prices = load_prices(), load_prices(region=region)
    offered = [name for name in known_types() if region_problem(name, region) is None]
    assert len(offered) >= 9
    for name in offered:
        assert 0.95 <= prices.ec2_per_hour[name] / base.ec2_per_hour[name] <= 2
        assert sum(prices.node_hour(name)) > prices.extras_hour(name) > prices.numbers["public_ipv4_hour"]
    for name in ("read_request_units_per_million", "write_unit_hour"):
        assert 1 <= prices.numbers[name] / base.numbers[name] <= 2


def test_disks_and_public_addresses_are_in_the_price() -> None:
    """
    Two m5.xlarge for one hour, by EMR's default volumes (64 GiB) and 15 GiB of root each: $0.10 a GiB and month, $0.005
    an address.
    """
    groups = (NodeGroup("MASTER", "m5.xlarge", 1), NodeGroup("CORE", "m5.xlarge", 1))
    wanted = 2 * (0.192 + 0.048 + 79 * 0.10 / 730 + 0.005)
    assert node_hour_usd(groups, load_prices()) == pytest.approx(wanted)
    cost = plan(facts(), fleet=Fleet(groups, "emr-7.13.0")).cost
    assert cost.extras_usd / cost.ec2_usd == pytest.approx((79 * 0.10 / 730 + 0.005) / 0.192)
    assert cost.total_usd == pytest.approx(cost.units_usd + cost.ec2_usd + cost.emr_usd + cost.extras_usd + cost.s3_usd)


def test_a_price_file_of_before_is_read_with_the_shipped_prices_of_disks(tmp_path: Path) -> None:
    shipped = load_prices()
    old = {
        "date": "2026-01-01",
        "region": "eu-west-1",
        "ec2_per_hour": {"m5.xlarge": 1.0},
        "emr_per_hour": {"m5.xlarge": 0},
    }
    numbers = {name: value for name, value in shipped.numbers.items() if name not in NODE_EXTRAS}
    (tmp_path / "prices.json").write_text(json.dumps({**old, **numbers}))
    read = load_prices(tmp_path / "prices.json", region="eu-west-1")
    assert read.extras_hour("m5.xlarge") == shipped.extras_hour("m5.xlarge") > 0


def test_nodes_that_bound_the_rate_are_told_with_the_number_that_suffices() -> None:
    small = Fleet((NodeGroup("MASTER", "m3.xlarge", 1), NodeGroup("CORE", "m3.xlarge", 1)), "emr-7.13.0")
    fast = facts(units_per_s=20_000.0)
    text = " ".join(plan(fast, fleet=small).notes)
    assert "InstanceCount=5" in text
    assert "--reader direct" in text
    assert "keeps up" in " ".join(plan(facts(), fleet=M5).notes)


def test_lines_say_rate_cost_and_the_native_alternative() -> None:
    text = "\n".join(plan(facts()).lines())
    for part in ("50% of 12,000 read units", "cost: about $", "list prices of 2026-11-23", "point-in-time recovery"):
        assert part in text


def test_prices_that_are_not_confirmed_are_named_where_they_count() -> None:
    m3 = Fleet((NodeGroup("MASTER", "m3.xlarge", 1), NodeGroup("CORE", "m3.xlarge", 1)), "emr-7.13.0")
    (line,) = [line for line in plan(facts(), fleet=m3).lines() if "not confirmed" in line]
    assert "emr_per_hour.m3.xlarge" in line
    assert "ec2_per_hour.m3.xlarge" not in line
    assert "s3_gib_month" in line
    assert plan(facts(), verb="import").to_json()["prices"]["unconfirmed"] == ["ebs_gib_month"]


def test_plan_is_json() -> None:
    assert json.loads(json.dumps(plan(facts()).to_json()))["tables"][0]["bound_by"] == "rate"


@pytest.mark.parametrize("type_name", known_types())
def test_every_sized_type_has_a_price(type_name: str) -> None:
    assert sum(load_prices().node_hour(type_name)) > 0


def test_own_price_file_is_used_and_a_broken_one_refused(tmp_path: Path) -> None:
    shipped = load_prices()
    own = {"date": "2027-01-01", "region": "eu-west-1", "ec2_per_hour": {}, "emr_per_hour": {}, **shipped.numbers}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(own))
    assert load_prices(path).region == "eu-west-1"
    path.write_text(json.dumps({**own, "read_unit_hour": "x"}))
    with pytest.raises(UsageError, match="read_unit_hour"):
        load_prices(path)
    with pytest.raises(UsageError, match=r"no price for m5\.xlarge"):
        path.write_text(json.dumps(own)) and load_prices(path).node_hour("m5.xlarge")


TEN_GB: dict[str, Any] = {
    "size_bytes": 10 * 1000**3,
    "item_count": 10_000_000,
    "units_per_s": 4000.0,
    "scan_units_per_s": 6000.0,
}
CHANGES = Given.of({ONLY_CHANGES: ""})
MIRRORED = Given.of({MIRROR: ""})
BOTH_WAYS = (
    "--only-changes takes 1,310,720 read units ($0.16, 4 min) and writes what differs, a plain import 10,000,000 write "
    "units ($6.25, 42 min): --only-changes is recommended where fewer than 97 % of the items differ"
)


def notes_of_changes(one: TableFacts, given: Given) -> list[str]:
    job = a_job(one.table_name)
    changed = plan(one, verb="import", jobs=(replace(job, given=job.given + given),))
    return [note for note in changed.notes if "--only-changes" in note]


@pytest.mark.parametrize(
    ("held", "given", "said"),
    [
        (0, Given(), []),  # an empty table, as far as is known
        (10 * GIB, Given(), [BOTH_WAYS]),
        (10 * GIB, CHANGES, [BOTH_WAYS]),
        (1000 * GIB, Given(), ["131,072,000 read units ($16.38, 6 h 04 min) and writes what differs, a plain import "
                               "10,000,000 write units ($6.25, 42 min): --only-changes would not pay"]),
        (10 * GIB, MIRRORED, ["--mirror reads the whole table anyway, 1,310,720 read units ($0.16, 4 min): with "
                              "--only-changes too, which is recommended, only what differs is written of 10,000,000 "
                              "write units ($6.25, 42 min)"]),
        (10 * GIB, Given.of({KEY_PREFIX: "a"}), []),  # which excludes it
    ],
    ids=["empty", "full", "given", "too large", "mirror", "some keys"],
)  # fmt: skip
def test_the_plan_of_an_import_says_what_both_ways_cost(held: int, given: Given, said: list[str]) -> None:
    """List prices of us-east-1 on demand: $0.125 a million read units, $0.625 a million write units; 10 M items."""
    notes = notes_of_changes(facts(**TEN_GB, held_bytes=held), given)
    assert [end in note for note, end in zip(notes, said, strict=True)] == [True] * len(said)


def test_a_pass_over_the_table_is_in_the_plans_units_time_and_money() -> None:
    plain, scanning = (
        plan(facts(**TEN_GB, held_bytes=10 * GIB, is_scanned=scanned), verb="import") for scanned in (False, True)
    )
    assert "10,000,000 write units after 1,310,720 read units of the table itself" in scanning.lines()[0]
    assert scanning.wall_s - plain.wall_s == pytest.approx(1_310_720 / 6000)
    assert scanning.cost.units_usd - plain.cost.units_usd == pytest.approx(1_310_720 * 0.125 / 1e6)
    assert scanning.planned_units - plain.planned_units == 1_310_720
    assert scanning.to_json()["tables"][0]["scan_units"] == 1_310_720
    assert "of the table itself" not in plain.lines()[0]


def test_of_a_table_whose_size_is_not_known_yet_the_inputs_is_taken() -> None:
    (note,) = notes_of_changes(facts(**TEN_GB, is_scanned=True), CHANGES)
    assert "1,220,704 read units" in note
    assert note.endswith("; DynamoDB does not say the table's size yet, so that of the input is taken")


def test_an_index_that_nobody_has_counted_yet_is_not_said_to_be_empty() -> None:
    (line, *_) = plan(facts(size_bytes=0, item_count=0, basis="of index by-date")).lines()
    assert line.startswith("Forum (of index by-date): empty, or filled within the last six hours")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, []),
        ({FILTER: "a = b", PROJECTION: "a"}, ["--filter and --projection save no read units"]),
        ({FILTER: "a = b"}, ["--filter saves no read units"]),
        ({INDEX: "by-date"}, ["--index: units and time are those of the index"]),
    ],
    ids=["the whole", "filter and projection", "filter", "index"],
)
def test_the_plan_of_a_part_says_what_it_saves(words: dict[Any, str], said: list[str]) -> None:
    job = a_job("Forum")
    notes = plan(facts(), jobs=(replace(job, given=job.given + Given.of(words)),)).notes
    found = [note for note in notes if note.startswith(("--filter", "--projection", "--index"))]
    assert [note[: len(start)] for note, start in zip(found, said, strict=True)] == said
