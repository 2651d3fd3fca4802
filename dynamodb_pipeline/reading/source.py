"""
Finds what an import or a verification reads: the files of one export, every one of them before anything is written.

Three kinds of folder: a Data Pipeline export (`manifest` or `_part_manifest`, with `_export.json` when we wrote it), a
native export of DynamoDB (`manifest-summary.json`), and, only when asked for, a folder without any manifest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from shlex import quote

from dynamodb_pipeline.addresses import is_s3, join
from dynamodb_pipeline.errors import IntegrityError, PreconditionError, counted
from dynamodb_pipeline.formats.exports import manifest as manifests
from dynamodb_pipeline.formats.exports import native_manifest as native
from dynamodb_pipeline.formats.exports.entry_location import resolve_entry
from dynamodb_pipeline.formats.exports.export_record import ExportRecord
from dynamodb_pipeline.formats.exports.layout import (
    EXPORT_RECORD,
    MANIFEST,
    MARKER_SUFFIX,
    NATIVE_SUMMARY,
    PART_MANIFEST,
)
from dynamodb_pipeline.formats.files.foreign import TABLE_DESCRIPTION, foreign_object
from dynamodb_pipeline.formats.files.text import line_count
from dynamodb_pipeline.formats.items.json_text import JsonTextError, parse_json
from dynamodb_pipeline.reading.input_files import ImportSource, InputFile
from dynamodb_pipeline.store.objects import ObjectInfo, ObjectMissingError, ObjectStore, in_parallel

NAMED_IN_MESSAGE = 5
MISSING_ASKED = 100  # files of a manifest that are not there: enough to say so
NATIVE_SIDECARS = {name for m in (NATIVE_SUMMARY, native.FILES_NAME) for name in (m, native.md5_name(m))}
FOLDERS_LISTED = 20
SCHEMA_FILE = "schema.json"  # beside the items that dynamodump saved
SCHEMA_BYTES = 1 << 20
MANIFEST_LIKE = re.compile(r"manifest(?: ?\(\d+\))?(?:\.(?:txt|json|manifest))*", re.IGNORECASE)
_PARTITION = re.compile(r"[^/=]+=[^/]*")  # a folder of Hive's partitions
NO_HASHES = "this export carries no hashes: every item is parsed and checked, but lost lines cannot be noticed"


def load_source(
    store: ObjectStore, folder: str, *, without_manifest: bool = False, allow_buckets: tuple[str, ...] = ()
) -> ImportSource:
    """
    Find and check every object of the export in `folder`.

    Raises:
        PreconditionError: no manifest there (says which command reads the folder all the same).
        IntegrityError: a manifest, record or object is missing, contradictory or of the wrong size.
    """
    for name in (MANIFEST, PART_MANIFEST):
        data = _optional(store, join(folder, name))
        if data is not None:
            return _from_manifest(store, (folder, name), data, allow_buckets=allow_buckets)
    summary = _optional(store, join(folder, NATIVE_SUMMARY))
    if summary is not None:
        return _from_native(store, folder, summary)
    if not without_manifest:
        msg = f"{folder} has no manifest: not a finished export; --without-manifest reads every data file in it"
        raise PreconditionError(msg)
    return files_of_folder(store, folder)


def _optional(store: ObjectStore, uri: str) -> bytes | None:
    try:
        return _whole(store, uri)
    except ObjectMissingError:
        return None


def _whole(store: ObjectStore, uri: str) -> bytes:
    """A manifest or record; one that is larger than its entries is refused while it lies on disk."""
    text = store.fetch(uri)
    manifests.check_size(text, where=uri)
    return text[:]


def _from_manifest(
    store: ObjectStore, place: tuple[str, str], data: bytes, *, allow_buckets: tuple[str, ...]
) -> ImportSource:
    folder, uri = place[0], join(*place)
    manifest = manifests.parse(data, where=uri)
    listing = {o.uri: o for o in store.list(folder)}
    objects, notes = _find(store, manifest, listing, manifest_uri=uri, allow_buckets=allow_buckets)
    where = join(folder, EXPORT_RECORD)
    raw = _optional(store, where)
    record = None if raw is None else ExportRecord.from_bytes(raw, where=where)
    if record is None:
        notes.append(NO_HASHES)
        _refuse_repeated(uri, manifest.repeated)
        _refuse_missing(uri, [where] if place[1] == PART_MANIFEST else [])
        files = tuple(_plain_file(o) for o in objects)
    else:
        record.check_name(place[1], where=where)
        record.check_manifest(manifest, where=where)
        files = _with_record(objects, record, folder)
        notes += [f"{record.part}{record.part.caution}"] if record.part else []
    notes += _tolerated(uri, manifest, files)
    orphans = _orphans(listing.values(), {f.uri for f in files})
    exported, part = (record.exported_table, record.part_text) if record else (None, None)
    return ImportSource(folder, "datapipeline", files, record, tuple(notes), orphans, exported, part)


def _refuse_repeated(where: str, names: tuple[str, ...]) -> None:
    """Where no hash says that nothing is missing, the second entry may have been meant for another file."""
    if names:
        msg = f"{where} lists a file for the second time: {first_few(names)}; it is damaged or was edited wrongly"
        raise IntegrityError(msg)


def _tolerated(where: str, manifest: manifests.Manifest, files: Iterable[InputFile]) -> list[str]:
    """What is odd about a manifest and explained all the same."""
    notes = []
    if manifest.unknown:
        notes.append(f"{where} has members that mean nothing here: {first_few(map(repr, manifest.unknown))}")
    if manifest.repeated:
        notes.append(f"{where} lists files again, each is read once: {first_few(manifest.repeated)}")
    return notes + _empty_notes(files)


def _empty_notes(files: Iterable[InputFile]) -> list[str]:
    empty = [file.name for file in files if file.bytes == 0 and file.item_count == 0]
    return [f"{len(empty)} listed files are empty, as their counts say: {first_few(empty)}"] if empty else []


def _find(
    store: ObjectStore,
    manifest: manifests.Manifest,
    listing: dict[str, ObjectInfo],
    *,
    manifest_uri: str,
    allow_buckets: tuple[str, ...],
) -> tuple[list[ObjectInfo], list[str]]:
    """
    Every entry's object, in the manifest's order. A listing of S3 is complete: only what lies elsewhere is asked for, a
    few at a time, and no more after `MISSING_ASKED` were not there.
    """
    folder = manifest_uri.rpartition("/")[0] + "/"
    urls = [entry.url for entry in manifest.entries]
    places = [resolve_entry(url, manifest_uri=manifest_uri, allow_buckets=allow_buckets) for url in urls]
    infos = [next(filter(None, map(listing.get, place.candidate_uris)), None) for place in places]
    elsewhere = {
        number: [uri for uri in place.candidate_uris if not uri.startswith(folder)]
        for number, place in enumerate(places)
        if infos[number] is None
    }
    asked = [number for number, uris in elsewhere.items() if uris]
    missing = [urls[number] for number, uris in elsewhere.items() if not uris]
    for number, info in zip(asked, in_parallel(store.head, [elsewhere[number] for number in asked])):
        infos[number] = info
        missing += [] if info else [urls[number]]
        if len(missing) >= MISSING_ASKED:
            break
    _refuse_missing(manifest_uri, missing, is_least=bool(asked))
    objects = [info for info in infos if info is not None]
    _refuse_twice(manifest_uri, objects)
    notes = Counter(place.note for place in places if place.note)
    return objects, [f"{note} ({counted(count, 'file')})" for note, count in notes.items()]


def _refuse_twice(where: str, objects: list[ObjectInfo]) -> None:
    twice = sorted(uri for uri, count in Counter(o.uri for o in objects).items() if count > 1)
    if twice:
        msg = f"{where}: several entries mean the same file: {first_few(twice)}; the export was copied wrongly"
        raise IntegrityError(msg)


def _refuse_missing(where: str, missing: list[str], *, is_least: bool = False) -> None:
    if missing:
        count = f"at least {len(missing)}" if is_least and len(missing) >= MISSING_ASKED else f"{len(missing)}"
        msg = f"{where}: {count} listed files are not there: {first_few(missing)}; the export is incomplete"
        raise IntegrityError(msg)


def _plain_file(info: ObjectInfo) -> InputFile:
    if info.bytes == 0:
        msg = f"{info.uri} is empty although the manifest lists it; a data file holds at least one item"
        raise IntegrityError(msg)
    return InputFile(info.uri, info.bytes, info.etag)


def _with_record(objects: list[ObjectInfo], record: ExportRecord, folder: str) -> tuple[InputFile, ...]:
    known = {f.name: f for f in record.files}
    names = {o.uri.rpartition("/")[2]: o for o in objects}
    wrong = [f"{n} has {names[n].bytes} of {f.bytes} bytes" for n, f in known.items() if names[n].bytes != f.bytes]
    if wrong:
        msg = f"{folder}: size differs from {EXPORT_RECORD}: {first_few(wrong)}"
        raise IntegrityError(msg)
    return tuple(
        InputFile(o.uri, o.bytes, o.etag, known[n].sha256, None, known[n].item_count, known[n].plain_bytes)
        for n, o in names.items()
    )


def _from_native(store: ObjectStore, folder: str, data: bytes) -> ImportSource:
    where, files_uri = join(folder, NATIVE_SUMMARY), join(folder, native.FILES_NAME)
    listing, files_data = {o.uri: o for o in store.list(folder)}, _whole(store, files_uri)
    _check_sidecars(store, listing, {where: data, files_uri: files_data})
    summary = native.parse_summary(data, where=where)
    listed = native.parse_files(files_data, where=files_uri)
    native.check_item_total(summary, listed, where=where)
    uris = [_native_place(f.data_file_key, folder, listing) for f in listed]
    _refuse_unpacked(files_uri, uris, listing)
    _refuse_missing(files_uri, [uri for uri in uris if uri not in listing])
    files = tuple(_native_file(f, listing[uri]) for f, uri in zip(listed, uris))
    notes = [*_empty_notes(files)]
    if len(listed) < line_count(files_data.rstrip() + b"\n"):
        notes.append(f"{files_uri} lists files again, with the same hash; each is read once")
    orphans = _orphans(listing.values(), {f.uri for f in files})
    identity = native.identity(data, where=where)
    return ImportSource(
        folder,
        "native",
        files,
        notes=tuple(notes),
        orphans=orphans,
        exported=identity.exported,
        part=identity.part,
        odd_members=identity.odd_members,
    )


def _native_place(key: str, folder: str, listing: Collection[str]) -> str:
    """Where a data file should lie; beside the manifests where somebody downloaded all of it into one folder."""
    usual, beside = native.current_uri(key, folder=folder), join(folder, key.rpartition("/")[2])
    return beside if usual not in listing and beside in listing else usual


def _refuse_unpacked(where: str, uris: Iterable[str], listing: Collection[str]) -> None:
    """
    Raises:
        IntegrityError: listed files lie there without their compression, so that no hash fits them.
    """
    unpacked = [uri for uri in uris if uri not in listing and uri.removesuffix(".gz") in listing]
    if unpacked:
        names = first_few(uri.rpartition("/")[2] for uri in unpacked)
        folder = unpacked[0].rpartition("/")[0] + "/"
        msg = (
            f"{where}: {len(unpacked)} listed files were unpacked by hand, so that their hashes prove nothing: "
            f"{names}; download the export again, or give {folder} with --without-manifest to read them unproven"
        )
        raise IntegrityError(msg)


def _check_sidecars(store: ObjectStore, listing: Mapping[str, ObjectInfo], manifests: Mapping[str, bytes]) -> None:
    """Compare native manifests with the MD5s that lie beside them; old copies of exports may lack those."""
    for uri, data in manifests.items():
        md5_uri = native.md5_name(uri)
        if md5_uri in listing:
            native.check_md5(data, store.get(md5_uri), where=uri)


def _native_file(listed: native.NativeFile, info: ObjectInfo) -> InputFile:
    return InputFile(info.uri, info.bytes, info.etag, md5=listed.md5, item_count=listed.item_count)


def files_of_folder(store: ObjectStore, folder: str) -> ImportSource:
    """
    Every data file that an import without a manifest reads: of a folder, or a single one.

    Raises:
        PreconditionError: there is none, or several sub-folders have some.
    """
    single = store.head(folder)
    objects = [single] if single else list(store.list(folder))
    prefix = folder.rstrip("/") + "/"
    described = table_descriptions(store, objects)
    data = objects if single else _one_folder([o for o in objects if _is_data(o, prefix, described)], folder)
    skipped = tuple(o.uri for o in objects if o not in data)
    if not data:
        msg = f"{folder} holds no data file ({counted(len(objects), 'object')}, all hidden or empty)"
        raise PreconditionError(msg)
    notes = [f"no manifest: {counted(len(data), 'data file')} read; leftovers of failed attempts cannot be told apart"]
    if not single and any("/" in o.uri[len(prefix) :] for o in data):
        notes.append(f"files are read from {first_few(dict.fromkeys(_folder_of(o) for o in data))}")
    notes += other_manifest_notes(store, objects)
    if skipped:
        notes.append(f"skipped: {first_few(skipped)}")
    tables = sorted(set(described.values()))
    if single and not single.bytes:
        msg = f"{folder} is empty, or nothing that has a size; give a file of items, or the folder of an export"
        raise PreconditionError(msg)
    files, part = tuple(_plain_file(o) for o in data), "no list of its files proves it whole" if tables else None
    exported = native.ExportedTable(tables[0]) if len(tables) == 1 else None
    return ImportSource(folder, "folder", files, None, tuple(notes), skipped, exported, part)


def _is_data(info: ObjectInfo, prefix: str, described: Mapping[str, str]) -> bool:
    inner = info.uri[len(prefix) :]
    hidden = any(part.startswith(("_", ".")) for part in inner.split("/")) or inner.endswith(MARKER_SUFFIX)
    name = inner.rpartition("/")[2]
    listed = MANIFEST_LIKE.fullmatch(name) is not None or name in NATIVE_SIDECARS
    return bool(inner) and not hidden and not listed and info.bytes > 0 and info.uri not in described


def _one_folder(data: list[ObjectInfo], folder: str) -> list[ObjectInfo]:
    """
    The files in the folder itself and in its partition folders (`dt=2015-01-01`); without any, those of the only
    sub-folder that has some.

    Raises:
        PreconditionError: several sub-folders have some, and nothing tells which is meant.
    """
    prefix = folder.rstrip("/") + "/"
    inner = {o.uri: o.uri[len(prefix) :].split("/")[:-1] for o in data}
    own = [o for o in data if all(_PARTITION.fullmatch(part) for part in inner[o.uri])]
    folders = sorted({_folder_of(o) for o in data})
    if own or len(folders) < 2:
        return own or data
    msg = f"{folder} holds files in {len(folders)} sub-folders, which may be of several tables; give one of them:"
    raise PreconditionError(msg, rows=[f"  {uri}" for uri in folders[:FOLDERS_LISTED]])


def _folder_of(info: ObjectInfo) -> str:
    return info.uri.rpartition("/")[0] + "/"


def table_descriptions(store: ObjectStore, objects: Iterable[ObjectInfo]) -> dict[str, str]:
    """The objects that describe a table, as dumping tools leave them beside its items, with its name."""
    named = (o for o in objects if o.uri.rpartition("/")[2] == SCHEMA_FILE and 0 < o.bytes <= SCHEMA_BYTES)
    described = ((o.uri, _described_table(store.get(o.uri))) for o in named)
    return {uri: table for uri, table in described if table is not None}


def _described_table(data: bytes) -> str | None:
    try:
        described = parse_json(data)
    except JsonTextError:
        return None
    table = described.get("Table") if foreign_object(described) is TABLE_DESCRIPTION else None
    name = table.get("TableName") if isinstance(table, dict) else None
    return name if isinstance(name, str) else None


def other_manifest_notes(store: ObjectStore, objects: Iterable[ObjectInfo]) -> list[str]:
    """That a manifest lies there under another name, as browsers and editors save it, and how to put it right."""
    notes = []
    for info in objects:
        folder, _, name = info.uri.rpartition("/")
        if name != MANIFEST and MANIFEST_LIKE.fullmatch(name) and _is_manifest(store, info):
            move = "aws s3 mv" if is_s3(info.uri) else "mv"
            renamed = f"{move} {quote(info.uri)} {quote(f'{folder}/{MANIFEST}')}"
            notes.append(f"{info.uri} is a manifest under another name; to import what it lists, run: {renamed}")
    return notes


def _is_manifest(store: ObjectStore, info: ObjectInfo) -> bool:
    try:
        manifests.parse(store.get(info.uri), where=info.uri)
    except IntegrityError:
        return False
    return True


def _orphans(objects: Iterable[ObjectInfo], listed: set[str]) -> tuple[str, ...]:
    return tuple(data_names(o.uri for o in objects if o.uri not in listed))


def data_names(uris: Iterable[str]) -> Iterator[str]:
    """Of these addresses those whose names a data file may have."""
    for uri in uris:
        name = uri.rstrip("/").rpartition("/")[2]
        own = name.startswith(("_", ".", "manifest")) or name.endswith(MARKER_SUFFIX) or uri.endswith("/")
        if not own:
            yield uri


def first_few(names: Iterable[str]) -> str:
    """The first of the names, and how many more there are."""
    shown = list(names)
    more = f" and {len(shown) - NAMED_IN_MESSAGE} more" if len(shown) > NAMED_IN_MESSAGE else ""
    return ", ".join(shown[:NAMED_IN_MESSAGE]) + more


def refuse_unknown_part(source: ImportSource, accepted: Collection[str]) -> None:
    """
    Raises:
        PreconditionError: what the export's summary says besides may make it a part of its table, and nobody has said
            that a part is meant.
    """
    left = [name for name in source.odd_members if name not in accepted]
    if left:
        given = " ".join(f"--accept-member {quote(name)}" for name in left)
        msg = f"{source.folder}: {source.part}, and whole items may be replaced by parts of them; if that is meant,"
        msg += f" give {given}. Nothing was written"
        raise PreconditionError(msg)


def refuse_other_source(source: ImportSource, from_table: str | None) -> None:
    """
    Raises:
        PreconditionError: the export names another table than `--from-table` does.
    """
    if from_table is not None and source.source_table not in (None, from_table):
        msg = f"{source.folder} is {source.origin}, not what --from-table {from_table} says; nothing was written"
        raise PreconditionError(msg)
