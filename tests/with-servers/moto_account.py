"""Makes an account in moto: buckets, a user that may assume roles, and the roles. Then moto checks every request.

    moto_account.py ENDPOINT < ACCOUNT

The account is JSON: `buckets`, names; `locked`, names of buckets in which whatever is put is locked for a day, and must have a
digest; `user`, a name; `roles`, of which each has a `name`, `allows`, the statements of its policy,
and either `trust`, the whole policy of who may assume it, or an `external_id`, with which the user may. Prints the user's keys as JSON: `access_key_id`, `secret_access_key`.
"""

import json
import sys
import urllib.request

import boto3

REGION = "us-east-1"


def client(service, endpoint):
    return boto3.client(
        service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none"
    )


def policy(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trusts(user, external_id):
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    return policy([{"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole", "Condition": condition}])


def make(endpoint, account):
    s3, iam = client("s3", endpoint), client("iam", endpoint)
    for bucket in account["buckets"]:
        s3.create_bucket(Bucket=bucket)
    for bucket in account.get("locked", []):
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
        s3.put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
    user = iam.create_user(UserName=account["user"])["User"]["Arn"]
    may_assume = [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]
    iam.put_user_policy(UserName=account["user"], PolicyName="assume", PolicyDocument=policy(may_assume))
    for role in account["roles"]:
        trust = json.dumps(role["trust"]) if "trust" in role else trusts(user, role["external_id"])
        iam.create_role(RoleName=role["name"], AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=role["name"], PolicyName="bucket", PolicyDocument=policy(role["allows"]))
    return iam.create_access_key(UserName=account["user"])["AccessKey"]


def check_from_now_on(endpoint):
    request = urllib.request.Request(
        endpoint + "/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200, answer.status


endpoint = sys.argv[1]
key = make(endpoint, json.load(sys.stdin))
check_from_now_on(endpoint)
print(json.dumps({"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}))
