"""
Who may send when: the allowed rate, how it is derived, and how requests are held to it. Pure.

Units, windows, reservations, capacity, sizes of pages and batches, numbers of workers. Time comes through a clock.

May import errors. Must not know sockets, clients, files or who asks.
"""
