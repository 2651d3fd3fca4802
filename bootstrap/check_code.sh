#!/bin/bash
# EMR bootstrap action: refuses to start a node whose code in S3 is not the code the launcher uploaded.
#
# Arguments: pairs of S3 address and SHA-256 (hex). Nothing is installed from an index: the library zip carries the
# copy of boto3 that nodes may lack, and EMR's own pyspark stays untouched.
set -euo pipefail

if (($# == 0 || $# % 2 != 0)); then
  echo "usage: check_code.sh S3_ADDRESS SHA256 [S3_ADDRESS SHA256 ...]" >&2
  exit 2
fi

python3 -c 'import sys; sys.exit(0 if sys.version_info >= (3, 9) else f"python3 is {sys.version.split()[0]}; the job needs 3.9: use release label emr-7.0.0 or newer")'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# No --region: the CLI has the node's own and follows S3's redirect to a bucket of another one.
while (($#)); do
  address=$1 expected=$2
  shift 2
  copy="$folder/${address##*/}"
  if ! aws s3 cp --only-show-errors "$address" "$copy"; then
    echo "cannot read $address: the nodes' role needs s3:GetObject there (dynamodb-pipeline policy nodes-export)" >&2
    exit 3
  fi
  actual=$(sha256sum "$copy" | cut -d ' ' -f 1)
  if [[ $actual != "$expected" ]]; then
    echo "$address has SHA-256 $actual, expected $expected: the code was changed after upload; launch again" >&2
    exit 4
  fi
  echo "$address is unchanged"
done
