"""What a Spark session is told beside the settings that keep items safe."""

from __future__ import annotations

import pytest

from dynamodb_pipeline.workers.spark_session import bypassing_proxies


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "169.254.169.254,.internal"}, "169.254.169.254,.internal,127.0.0.1,localhost"),
        ({"NO_PROXY": "localhost,,"}, "localhost,127.0.0.1"),
    ],
)
def test_this_machine_is_asked_without_a_proxy(environ: dict[str, str], expected: str) -> None:
    conf = bypassing_proxies(environ)
    assert conf == {"spark.executorEnv.NO_PROXY": expected, "spark.executorEnv.no_proxy": expected}
    assert (environ["NO_PROXY"], environ["no_proxy"]) == (expected, expected)
    assert bypassing_proxies(environ) == conf
