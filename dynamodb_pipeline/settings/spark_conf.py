"""Spark settings that launcher and jobs hold every run to: the one sends them, the other asserts them."""

from __future__ import annotations

# Without these an export can be short or empty and still "succeed" (connector issues, Spark >= 3.2).
REQUIRED_SPARK_CONF = {
    "spark.hadoopRDD.ignoreEmptySplits": "false",
    "spark.speculation": "false",
    "spark.files.ignoreCorruptFiles": "false",
}
# All executors must be there before the first task, or shares of the rate would be dealt to absent ones.
FIXED_SIZE_CONF = {
    "spark.dynamicAllocation.enabled": "false",
    # EMR's Spark may otherwise give one large executor where two were asked for (EMR best practices, 5.1.5).
    "spark.yarn.heterogeneousExecutors.enabled": "false",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s",
}
