"""Puts objects whose declared digest is not theirs, and one whose is, and prints what the server answers as JSON, by header.

    wrong_digests.py ENDPOINT BUCKET ACCESS_KEY_ID SECRET_ACCESS_KEY

An object of a key that has been refused must not be there.
"""

import base64
import hashlib
import json
import sys

import boto3
from botocore.exceptions import ClientError

CONTENT = b"content"


def digest(name, content):
    return base64.b64encode(hashlib.new(name, content).digest()).decode()


endpoint, bucket, key_id, secret = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret
)


def answer(key, **declared):
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=CONTENT, **declared)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return code if not s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] else f"{code}, and yet there"
    return "stored"


answers = {
    "right": answer("digests/right", ContentMD5=digest("md5", CONTENT), ChecksumSHA256=digest("sha256", CONTENT)),
    "Content-MD5": answer("digests/md5", ContentMD5=digest("md5", b"other")),
    "x-amz-checksum-sha256": answer("digests/sha256", ChecksumSHA256=digest("sha256", b"other")),
    "x-amz-checksum-crc32": answer("digests/crc32", ChecksumCRC32="AAAAAA=="),
}
print(json.dumps(answers))
