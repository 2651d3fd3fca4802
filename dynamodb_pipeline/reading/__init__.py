"""
An export's files: chosen, found, proven and read.

What a folder holds is decided here for import, verification and inspection alike.

May import workers, store and formats. Must not know the target table's rate or what is done with the items.
"""
