"""
Looks at folders without a table or a job: inspect, and clean up what dead runs left.

Runs on the laptop only.

May import reading, run, store and formats. Must not know workers, rates or clusters.
"""
