"""
What a job is asked for: its options, their checks, and the frozen settings that come out.

Also run ids and the words of a command line. Values are parsed once, here.

May import addresses, durations, rate and formats. Must not know clients, engines or clusters.
"""
