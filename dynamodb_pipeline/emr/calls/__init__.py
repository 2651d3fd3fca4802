"""
Single dealings with EMR, each bounded: launch once, look, find, stop; with a clock and Ctrl-C as values.

Also what every command is given (clients, console) and gives back.

May import: errors, durations, aws, settings, emr.cluster, background.
Must not know: requests and their settings: a launch is handed the finished request.
"""
