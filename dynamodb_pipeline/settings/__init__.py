"""
What a job is asked for: every option once, its checks, the frozen settings that come out, run ids.

Whatever a user wrote becomes a value here, all its problems named together.

May import: addresses, durations, errors, aws, rate, formats.items, formats.exports.
Must not know: stores and workers: nothing here asks the world whether a table or a folder exists.
"""
