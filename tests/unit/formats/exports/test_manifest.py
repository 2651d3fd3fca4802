"""Data Pipeline's manifest: AWS's bytes out, nothing doubtful in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError, UsageError
from dynamodb_pipeline.formats.exports.manifest import Manifest, ManifestEntry, parse, render

WHERE = "s3://b/f/manifest"
# The shape of ExportManifestRecordWriter's output (connector 5.0.0), two files in the order of their reversed names.
TWO_FILES = (
    b'{"name":"DynamoDB-export","version":3,\n'
    b'"entries": [\n'
    b'{"url":"s3://b/f/ba3f3535-7aa1-4f97-a530-e72938bf4b76","mandatory":true},\n'
    b'{"url":"s3://b/f/92dd1414-a049-4c68-88fb-a23acd44907e","mandatory":true}\n'
    b"]}"
)
# One digit, so that no %XX in a name decodes to a control character or another `%`, which `render` refuses.
keys = st.lists(
    st.text(st.sampled_from("abcXYZ6-_.~ +=&%'()é日\u2028\u00a0\U0001f600"), min_size=1, max_size=6)
    .map(str.strip)
    .filter(lambda part: part not in {"", ".", ".."}),
    min_size=1,
    max_size=3,
).map("/".join)


def test_render_gives_the_bytes_of_the_connectors_tool():
    names = ["92dd1414-a049-4c68-88fb-a23acd44907e", "ba3f3535-7aa1-4f97-a530-e72938bf4b76"]
    assert render(f"s3://b/f/{name}" for name in names) == TWO_FILES


def test_render_without_files_is_the_empty_export_of_the_connectors_tool():
    empty = b'{"name":"DynamoDB-export","version":3,\n"entries": [\n\n]}'
    assert render([]) == empty
    assert parse(empty, where=WHERE) == Manifest(entries=())


def test_render_sorts_by_the_reversed_name():
    found = [
        entry.url[-3:]
        for entry in parse(render(f"s3://b/{name}" for name in ("a12", "b11", "c21")), where=WHERE).entries
    ]
    assert found == ["b11", "c21", "a12"]


@pytest.mark.parametrize(
    ("key", "uri"),
    [
        # As java.net.URI(scheme, authority, path, null, null) prints them; all of U+0001 to U+1FFFF were compared once.
        ("my folder/x", "my%20folder/x"),
        ("100%/x", "100%25/x"),
        ("a%20b", "a%2520b"),
        ("a+b=c&d@e:f,g;h$i", "a+b=c&d@e:f,g;h$i"),
        ("-_.!~*'()", "-_.!~*'()"),
        ('"#<>?[\\]^`{|}', "%22%23%3C%3E%3F%5B%5C%5D%5E%60%7B%7C%7D"),
        ("é日\U0001f600", "é日\U0001f600"),
        ("a\u00a0b\u2003c\u3000", "a%C2%A0b%E2%80%83c%E3%80%80"),
        ("a\u2028b", "a%E2%80%A8b"),
    ],
)
def test_render_quotes_as_javas_uri_does(key, uri):
    (entry,) = parse(render([f"s3://b/{key}"]), where=WHERE).entries
    assert entry.url == f"s3://b/{uri}"


@pytest.mark.parametrize("scheme", ["s3n", "s3a", "s3"])
def test_render_writes_s3_for_every_s3_scheme(scheme):
    assert b'"url":"s3://b/x"' in render([f"{scheme}://b/x"])


@pytest.mark.parametrize(
    "address", ["file:///x/y", "s3://b/", "s3://b/a//b", "s3://b/../x", "s3://b/a\nb", "/x/y"], ids=repr
)
def test_render_refuses_an_address_that_no_reader_takes(address):
    with pytest.raises(UsageError, match="choose another output folder"):
        render([address])


def test_render_refuses_a_file_twice():
    with pytest.raises(ValueError, match="twice"):
        render(["s3://b/x", "s3n://b/x"])


@given(st.lists(keys, unique=True, max_size=5))
def test_parse_gives_every_rendered_file(files):
    data = render(f"s3://bucket/{key}" for key in files)
    manifest = parse(data, where=WHERE)
    assert len(manifest.entries) == len(files)
    assert manifest.version == 3
    assert json.loads(data)["entries"] == [{"url": entry.url, "mandatory": True} for entry in manifest.entries]


def test_parse_takes_a_manifest_that_went_through_an_editor():
    data = render(["s3://b/x"]).replace(b"\n", b"\r\n") + b"\r\n"
    assert parse(b"\xef\xbb\xbf" + data, where="m") == parse(render(["s3://b/x"]), where="m")


def test_parse_refuses_every_truncation():
    for length in range(len(TWO_FILES)):
        with pytest.raises(IntegrityError):
            parse(TWO_FILES[:length], where=WHERE)


def test_a_flipped_bit_never_changes_the_number_of_files_or_their_order():
    """
    What is left to others: a flip inside an address gives another address, and only the export record, which names
    every file with its hash, or the missing object can tell.
    """
    whole = parse(TWO_FILES, where=WHERE)
    silently_other = 0
    for bit in range(8 * len(TWO_FILES)):
        damaged = bytearray(TWO_FILES)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = parse(bytes(damaged), where=WHERE)
        except IntegrityError:
            continue
        differing = [(a.url, b.url) for a, b in zip(whole.entries, found.entries) if a != b]
        assert len(found.entries) == 2
        assert len(differing) <= 1, "one flip, one address"
        assert all(len(a) == len(b) and sum(x != y for x, y in zip(a, b)) == 1 for a, b in differing)
        silently_other += bool(differing)
    assert silently_other > 100, "the test would not notice if parse refused everything"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not complete JSON"),
        ("[]", "the whole is not a JSON object"),
        ("null", "the whole is not a JSON object"),
        ('{"version":3}', "entries is not a list"),
        ('{"version":3,"entries":{}}', "entries is not a list"),
        ('{"entries":[]}', "version is not 3"),
        ('{"version":"3","entries":[]}', "version is not 3"),
        ('{"version":3.0,"entries":[]}', "version is not 3"),
        ('{"version":true,"entries":[]}', "version is not 3"),
        ('{"version":4,"entries":[]}', "version 4 is unknown"),
        ('{"version":2,"entries":[]}', "version 2 is unknown"),
        ('{"version":3,"version":3,"entries":[]}', 'member "version" stands there twice'),
        ('{"version":3,"entries":[],"entries":[]}', 'member "entries" stands there twice'),
        ('{"name":"Redshift","version":3,"entries":[]}', "name is not DynamoDB-export"),
        ('{"version":3,"entries":["s3://b/x"]}', "entries[0] is not an object"),
        ('{"version":3,"entries":[{"mandatory":true}]}', "entries[0] is not an object"),
        ('{"version":3,"entries":[{"url":1}]}', "entries[0].url is not a string"),
        ('{"version":3,"entries":[{"url":null}]}', "entries[0].url is not a string"),
        ('{"version":3,"entries":[{"url":"s3://b/x","mandatory":"true"}]}', "mandatory is not true or false"),
        ('{"version":3,"entries":[{"url":"http://169.254.169.254/x"}]}', "other schemes are not read"),
        ('{"version":3,"entries":[{"url":"s3://b/../x"}]}', "'..' part"),
        ('{"version":3,"entries":[]} x', "not complete JSON"),
        ('{"version":3,"entries":[]}{}', "not complete JSON"),
        ("[" * 100_000, "nested too deep"),
    ],
    ids=lambda value: value[:60],
)
def test_parse_fails_closed(text, reason):
    with pytest.raises(IntegrityError) as error:
        parse(text.encode(), where=WHERE)
    assert reason in str(error.value)
    assert WHERE in str(error.value)


def test_parse_takes_what_other_writers_of_version_3_leave_out_or_add():
    """The Go dumpers write it in one line; AWS's import skips unknown members and takes no mandatory for true."""
    text = b'{"version":3,"made_by":{"x":[1]},"entries":[{"url":"s3n://b/x"},{"mandatory":false,"url":"s3a://b/y"}]}\n'
    manifest = parse(text, where=WHERE)
    assert manifest.entries == (ManifestEntry("s3n://b/x", True), ManifestEntry("s3a://b/y", False))
    assert (manifest.unknown, manifest.repeated) == (("made_by",), ())


def test_parse_tells_what_is_listed_again_and_what_it_does_not_know():
    text = b'{"version":3,"entries":[{"url":"s3://b/x"},{"url":"s3://b/y","meta":{}},{"url":"s3n://b/x","mandatory":false}]}'
    manifest = parse(text, where=WHERE)
    assert manifest.entries == (ManifestEntry("s3://b/x"), ManifestEntry("s3://b/y"))
    assert (manifest.repeated, manifest.unknown) == (("x",), ("meta",))


@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b'{"version":3,"entries":[', b'{"version":3,"entries":[{"url":"s3://']),
)
def test_parse_raises_nothing_else_on_any_bytes(data, start):
    try:
        assert isinstance(parse(start + data, where=WHERE), Manifest)
    except IntegrityError:
        return
