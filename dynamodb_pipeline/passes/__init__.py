"""
One pass over a table or over files at the allowed rate: budget, coordinator, workers and progress set up once.

Export by the direct reader, import, mirror and verification all go through here; the scan of a table is here too.

May import: documents, errors, formats.items, aws, rate, dynamodb, workers, run, background, finished.
Must not know: why the pass is made: export, import and verification hand in what to do with a page.
"""
