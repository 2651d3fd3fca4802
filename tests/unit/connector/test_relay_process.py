"""The relay's settings and how it follows its run; the process itself is tested beside the emulator."""

from __future__ import annotations

import pickle

import pytest

from dynamodb_pipeline.aws.clients import AwsSettings
from dynamodb_pipeline.connector.relay_process import follow
from dynamodb_pipeline.connector.relay_settings import RelayKeys, RelaySettings
from dynamodb_pipeline.workers.contract import CoordinatorAddress, CoordinatorLost, RunStopped
from tests.unit.workers.fake_grants import FakeGrants

ON_A_NODE = AwsSettings("eu-west-1", bucket_owner="123456789012")
ON_LOOPBACK = AwsSettings("eu-west-1", (("dynamodb", "http://127.0.0.1:1"),), ("key", "real-secret", None))


def settings(aws: AwsSettings) -> RelaySettings:
    address = CoordinatorAddress("10.0.0.1", 5000, "00ff")
    return RelaySettings(20_001, "orders", RelayKeys.new(), address, aws, item_bytes=1.5)


@pytest.mark.parametrize("aws", [ON_A_NODE, ON_LOOPBACK], ids=["node", "loopback"])
def test_settings_come_through_the_standard_input_unchanged(aws: AwsSettings):
    sent = settings(aws)
    assert RelaySettings.from_json(sent.to_json()) == sent
    assert pickle.loads(pickle.dumps(sent)) == sent


def test_settings_are_printed_without_their_secrets():
    sent = settings(ON_LOOPBACK)
    for secret in (sent.keys.secret_key, sent.coordinator.key_hex, "real-secret"):
        assert secret not in repr(sent)


def test_keys_of_two_runs_differ():
    first, second = RelayKeys.new(), RelayKeys.new()
    assert first.access_key != second.access_key
    assert first.secret_key != second.secret_key
    assert first.token is None


@pytest.mark.parametrize("end", [RunStopped("cancelled"), CoordinatorLost("the driver is gone")])
def test_relay_follows_its_run_to_the_end_and_spends_nothing(end: Exception):
    polls = 3

    def before_grant() -> None:
        if len(grants.estimates_of_nothing) == polls:
            raise end

    grants = NothingGrants(before_grant=before_grant)
    slept: list[float] = []
    assert follow(grants, sleep=slept.append) == str(end)
    assert len(slept) == polls
    assert all(entry[2] == {} for entry in grants.settled)
    assert len(grants.settled) == polls


class NothingGrants(FakeGrants):
    """Counts reservations of no units at all."""

    @property
    def estimates_of_nothing(self) -> list[object]:
        return [entry for entry in self.log if entry == ("reserve", {})]
