"""
The command line: from argv to verbs, and what a person sees on a terminal.

The only place that knows every part.

May import everything. Must not hold decisions: those are values of the packages below.
"""
