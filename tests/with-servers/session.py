"""Assumes a role for a few seconds, fewer than AWS gives, and prints the session's keys as JSON.

    session.py ENDPOINT ROLE_ARN EXTERNAL_ID SECONDS ACCESS_KEY_ID SECRET_ACCESS_KEY
"""

import json
import sys

import boto3
from botocore.config import Config

endpoint, role, external_id, seconds, key_id, secret = sys.argv[1:]
sts = boto3.client(
    "sts",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id=key_id,
    aws_secret_access_key=secret,
    config=Config(parameter_validation=False),  # It knows AWS's shortest session.
)
keys = sts.assume_role(
    RoleArn=role, RoleSessionName="sluice-crm", ExternalId=external_id, DurationSeconds=int(seconds)
)["Credentials"]
print(json.dumps({name: keys[name] for name in ["AccessKeyId", "SecretAccessKey", "SessionToken"]}))
