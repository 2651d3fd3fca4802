"""Where a data file lies now: beside the manifest, and never where nobody pointed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_pipeline.errors import IntegrityError
from dynamodb_pipeline.formats.exports.manifest import parse, render, resolve_entry

MANIFEST = "s3://new/copy/manifest"
NAME = "ae10f955-fb2f-4790-9b11-fbfea01a871e_000000"


def candidates(entry: str, manifest: str = MANIFEST, **options) -> list[str]:
    return list(resolve_entry(entry, manifest_uri=manifest, **options).candidate_uris)


def test_an_entry_in_the_manifests_folder_is_taken_as_it_is():
    resolved = resolve_entry(f"s3://new/copy/{NAME}", manifest_uri=MANIFEST)
    assert resolved.candidate_uris == (f"s3://new/copy/{NAME}",)
    assert resolved.note is None


@pytest.mark.parametrize("scheme", ["s3", "s3n", "s3a", "S3"])
def test_every_s3_scheme_means_s3(scheme):
    assert candidates(f"{scheme}://new/copy/x") == ["s3://new/copy/x"]
    assert candidates("s3://new/copy/x", "s3n://new/copy/manifest") == ["s3://new/copy/x"]


@pytest.mark.parametrize(
    "manifest",
    [
        "s3://other/copy/manifest",
        "s3://other/manifest",
        "s3://old/elsewhere/deep/manifest",
        "local/manifest",
        "/x/manifest",
    ],
)
def test_a_copied_export_is_found_beside_its_manifest_first(manifest):
    """Another bucket, the bucket's top, another folder, this machine: nothing has to be edited."""
    assert candidates(f"s3://old/exp/{NAME}", manifest)[0] == manifest.replace("manifest", NAME)


def test_an_entry_in_another_bucket_never_leads_there_unless_allowed():
    resolved = resolve_entry(f"s3://old/exp/{NAME}", manifest_uri=MANIFEST)
    assert all(uri.startswith("s3://new/copy/") for uri in resolved.candidate_uris)
    assert "bucket old" in resolved.note
    allowed = resolve_entry(f"s3://old/exp/{NAME}", manifest_uri=MANIFEST, allow_buckets=("old",))
    assert allowed.candidate_uris[0] == f"s3://new/copy/{NAME}"
    assert allowed.candidate_uris[-1] == f"s3://old/exp/{NAME}"
    assert "was allowed" in allowed.note


def test_an_entry_elsewhere_in_the_bucket_is_taken_with_a_note_when_nothing_lies_beside():
    resolved = resolve_entry("s3://new/first/x", manifest_uri=MANIFEST)
    assert resolved.candidate_uris == ("s3://new/copy/x", "s3://new/copy/first/x", "s3://new/first/x")
    assert "another folder of this bucket" in resolved.note


def test_an_entry_below_the_manifests_folder_keeps_its_path():
    assert candidates("s3://new/copy/sub/x") == ["s3://new/copy/sub/x"]
    assert "s3://new/copy/sub/x" in candidates("s3://old/exp/sub/x")


def test_a_folder_whose_name_only_starts_alike_is_another_folder():
    resolved = resolve_entry("s3://new/copy2/x", manifest_uri=MANIFEST)
    assert resolved.note is not None
    assert resolve_entry("s3://new/copy/x", manifest_uri="s3://newer/copy/manifest").note is not None


def test_the_literal_address_is_tried_before_the_decoded_one():
    assert candidates("s3://new/copy/a%20b") == ["s3://new/copy/a%20b", "s3://new/copy/a b"]
    assert candidates("s3://old/exp/a%20b")[:2] == ["s3://new/copy/a%20b", "s3://new/copy/a b"]


def test_a_quoted_folder_is_the_manifests_own():
    resolved = resolve_entry("s3://new/my%20folder/x", manifest_uri="s3://new/my folder/manifest")
    assert resolved.candidate_uris == ("s3://new/my folder/x",)
    assert resolved.note is None


@pytest.mark.parametrize("entry", ["s3://new/copy/%ff", "s3://new/copy/100%", "s3://new/copy/%zz"])
def test_what_is_no_valid_escape_stays_literal(entry):
    assert candidates(entry) == [entry]


@given(
    st.lists(
        st.text(st.sampled_from("ab %+é日\u00a0\U0001f600'"), min_size=1, max_size=4).filter(str.strip),
        min_size=2,
        max_size=3,
    ),
    st.sampled_from(["s3://new/my place/", "s3://new/"]),
)
def test_a_rendered_export_is_found_where_it_was_written_and_where_it_was_copied(parts, copy):
    folder, name = "s3://old/" + "/".join(parts[:-1]) + "/", parts[-1]
    (entry,) = parse(render([folder + name]), where="m").entries
    assert folder + name in candidates(entry.url, folder + "manifest")
    assert copy + name in candidates(entry.url, copy + "manifest")


HOSTILE = [
    "file:///etc/passwd",
    "hdfs://namenode/x",
    "http://169.254.169.254/latest/meta-data",
    "https://b.s3.amazonaws.com/x",
    "s3:/b/x",
    "s3:///x",
    "s3://",
    "s3://b",
    "s3://b/",
    "s3://b//x",
    "s3://b/a//x",
    "s3://b/a/",
    "s3://b/../x",
    "s3://b/a/../x",
    "s3://b/a/..",
    "s3://b/./x",
    "s3://b/%2e%2e/x",
    "s3://b/.%2E/x",
    "s3://b/%252e%252e/x",
    "s3://b/%25252e./x",
    "s3://b/a%2f..%2fx",
    "s3://b/%ff/%2e%2e/x",
    "s3://b/a%2f%2fx",
    "s3://b/a\0x",
    "s3://b/a%00x",
    "s3://b/a\nx",
    "s3://b/a%0ax",
    "s3://b/a\x85x",
    "s3://b/\ud800",
    "s3://../x",
    "s3://b c/x",
    "s3://b%2f/x",
    "s3://user@b/x",
    "s3://b:80/x",
    "S3X://b/x",
    "/etc/passwd",
    "x",
    "",
    "s3://b/%" + "25" * 20 + "2e",
]


@pytest.mark.parametrize("entry", HOSTILE, ids=ascii)
@pytest.mark.parametrize("manifest", [MANIFEST, "s3://b/manifest", "/local/manifest"])
def test_an_address_that_leads_elsewhere_is_refused(entry, manifest):
    with pytest.raises(IntegrityError) as error:
        resolve_entry(entry, manifest_uri=manifest, allow_buckets=("b",))
    assert manifest in str(error.value)
    assert len(str(error.value)) < 300


@given(st.text(st.sampled_from("ab./%2eEfF0:\\ \0s3") | st.characters(), max_size=30))
def test_no_candidate_ever_leaves_the_manifests_folder_or_the_named_buckets(rest):
    try:
        found = candidates("s3://" + rest)
    except IntegrityError:
        return
    for uri in found:
        assert uri.startswith("s3://new/")
        assert not {"", ".", ".."} & set(uri[len("s3://new/") :].split("/"))
        assert "\0" not in uri
