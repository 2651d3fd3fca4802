"""Which IAM action an S3 request needs: only method, path and query tell them apart."""

from __future__ import annotations

from collections.abc import Mapping

ACCOUNT_ACTIONS = {"GET": "ListAllMyBuckets"}
BUCKET_ACTIONS = {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
OBJECT_ACTIONS = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "POST": "PutObject",
    "DELETE": "DeleteObject",
}
BUCKET_SUBRESOURCES = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "policy"): "GetBucketPolicy",
    ("GET", "policyStatus"): "GetBucketPolicyStatus",
    ("GET", "publicAccessBlock"): "GetBucketPublicAccessBlock",
    ("GET", "ownershipControls"): "GetBucketOwnershipControls",
    ("GET", "encryption"): "GetEncryptionConfiguration",
    ("GET", "lifecycle"): "GetLifecycleConfiguration",
    ("GET", "acl"): "GetBucketAcl",
    ("GET", "tagging"): "GetBucketTagging",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("PUT", "policy"): "PutBucketPolicy",
    ("PUT", "publicAccessBlock"): "PutBucketPublicAccessBlock",
    ("PUT", "encryption"): "PutEncryptionConfiguration",
    ("PUT", "lifecycle"): "PutLifecycleConfiguration",
    ("POST", "delete"): "DeleteObject",
}
OBJECT_SUBRESOURCES = {
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "tagging"): "GetObjectTagging",
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


def action_of(method: str, path: str, query: Mapping[str, object]) -> tuple[str, str]:
    """Return (action, resource ARN) of a path-style S3 request; 's3:?' for what this project never sends."""
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return f"s3:{ACCOUNT_ACTIONS.get(method, '?')}", "*"
    plain, special = (OBJECT_ACTIONS, OBJECT_SUBRESOURCES) if key else (BUCKET_ACTIONS, BUCKET_SUBRESOURCES)
    named = [special[method, name] for name in query if (method, name) in special]
    name = named[0] if named else plain.get(method, "?")
    return f"s3:{name}", f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
