"""
The checks before a launch; each names what is wrong and its remedy.

One module a subject; a check that cannot be made says so and never passes.

May import emr.request, emr.calls, aws and formats. Must not change anything.
"""
