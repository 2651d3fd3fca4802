"""Where an import or a verification finds finished exports below a folder."""

from __future__ import annotations

from shlex import quote

from dynamodb_pipeline.errors import PreconditionError
from dynamodb_pipeline.transfer.object_store import ObjectStore
from dynamodb_pipeline.transfer.run_folder import MANIFEST, NATIVE_SUMMARY, join


def choose_finished_run(store: ObjectStore, source: str, *, latest: bool, table: str, command: str) -> str:
    """
    The folder to import: `source` itself when it holds a manifest, else the only finished run below it.

    Args:
        latest: take the newest stamp when there are several.
        table: the target's name; narrows a folder of several tables' exports.
        command: what the user would type before the folder, for messages.

    Raises:
        PreconditionError: nothing there, or several runs (all listed) and not `latest`.
    """
    if is_finished(store, source):
        return source
    runs = finished_runs(store, source)
    mine = [r for r in runs if _table_folder(r) == table]
    runs = mine or runs
    if not runs:
        msg = no_manifest_message(store, source, command=command)
        raise PreconditionError(msg)
    if len(runs) > 1 and (not latest or len({_table_folder(r) for r in runs}) > 1):
        listed = "\n  ".join(runs)
        msg = f"{source} holds {len(runs)} finished exports; give one, or the table's folder with --latest:\n  {listed}"
        raise PreconditionError(msg)
    return runs[-1]


def is_finished(store: ObjectStore, folder: str) -> bool:
    """True when the folder itself holds a Data Pipeline manifest or a native export's summary."""
    return any(store.head(join(folder, name)) is not None for name in (MANIFEST, NATIVE_SUMMARY))


def finished_runs(store: ObjectStore, source: str) -> list[str]:
    """Folders at most two levels below `source` that hold a manifest, oldest stamp first."""
    prefix = source.rstrip("/") + "/"
    found = (o.uri for o in store.list(source) if o.uri.rpartition("/")[2] in (MANIFEST, NATIVE_SUMMARY))
    folders = (uri.rpartition("/")[0] + "/" for uri in found)
    return sorted((f for f in folders if f[len(prefix) :].count("/") in (1, 2)), key=lambda f: (_stamp_of(f), f))


def no_manifest_message(store: ObjectStore, source: str, *, command: str) -> str:
    """Why a folder without a manifest is refused, with the command that reads it all the same."""
    if store.head(source) is None and next(iter(store.list(source)), None) is None:
        return f"{source} holds nothing; check its spelling"
    return (
        f"{source} has no manifest: not a finished export. To read every data file in it all the same, at the risk "
        f"of leftovers of failed attempts, run: {command} {quote(source)} --without-manifest"
    )


def _stamp_of(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _table_folder(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[0].rpartition("/")[2]
