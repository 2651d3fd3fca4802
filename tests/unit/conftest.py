"""
Hypothesis for all unit tests: no time limit per example, for machines that run them are shared; the same examples each
time, for a run of the CI must not depend on luck (`make fuzz` draws new ones).
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "unit", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")
