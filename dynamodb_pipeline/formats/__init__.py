"""
What files of items hold, from single values up to whole exports. Holds packages only.

Pure functions over bytes and values, with the standard library.

May import: nothing.
Must not know: clients, clocks, processes, runs.
"""
