"""Shows what `sluice iam` prints to programs that know IAM and are not ours.

Pipelines of every partition, with and without a prefix, with each kind of KMS key, an access control list, tags, session tags
and a source identity, and with object versions. For each of them

- `parliament`, a linter of IAM policies that knows each action's resources and conditions, finds nothing in the policy;
- `cfn-lint` finds nothing in the CloudFormation templates, which hold policy and trust as documents;
- the AWS command line's own description of `CreateRole` takes what `sluice iam role` prints, and `moto`, an IAM that checks
  what it is given, takes role, trust and policy and gives them back;
- what is for Terraform has the arguments of the AWS provider's resources and no others, and its texts, read as templates, are
  the documents.

Then the five commands of the README run as they stand there, by the AWS command line against `moto`, with the README's own
pipeline. The linters are shown faults, too, to see that they would find them.

Prints a line for each and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import itertools
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import boto3
import jsonschema
from cfnlint.api import ManualArgs, lint
from moto.server import ThreadedMotoServer
from parliament import analyze_policy_string

from tables import Verdicts

ACCOUNT = "123456789012"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
PARTITIONS = {"aws": "eu-central-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
PREFIXES = ["", "hubspot", "it's/50% %{x} * $"]
KEYS = [None, KEY, "alias/sluice", "arn:{partition}:kms:{region}:999999999999:key/" + KEY]
# What the linter's data lacks: a condition on the key itself, which it looks for among those of the actions.
# https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
NOT_KNOWN_TO_PARLIAMENT = {
    ("UNKNOWN_CONDITION_FOR_ACTION", f"Unknown condition kms:ResourceAliases for action kms:{action}")
    for action in ("GenerateDataKey", "Decrypt")
}
# https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role, iam_role_policy and iam_policy:
# the arguments that we use, with what the provider asks of them.
NAME = {"type": "string", "pattern": r"^[\w+=,.@-]{1,128}$"}
POLICY = {"type": "string", "maxLength": 10240}
TERRAFORM = {
    "aws_iam_role": {
        "name": {"type": "string", "pattern": r"^[\w+=,.@-]{1,64}$"},
        "path": {"type": "string", "pattern": r"^/(.+/)?$"},
        "description": {"type": "string", "maxLength": 1000},
        "max_session_duration": {"type": "integer", "minimum": 3600, "maximum": 43200},
        "assume_role_policy": POLICY,
    },
    "aws_iam_role_policy": {"name": NAME, "role": {"type": "string", "minLength": 1}, "policy": POLICY},
    "aws_iam_policy": {"name": NAME, "policy": POLICY},
}
TO_ROLE = "${aws_iam_role.sluice.name}"


def closed(properties, **more):
    """A JSON Schema of an object that has all of these and nothing else."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False, **more}


TERRAFORM_FILE = closed(
    {
        "resource": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {kind: closed({"sluice": closed(arguments)}) for kind, arguments in TERRAFORM.items()},
        }
    }
)


def from_terraform(text):
    """What Terraform makes of a text without references: a template's two escapes, and no template."""
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", text), f"this refers to something: {text}"
    return text.replace("$${", "${").replace("%%{", "%{")


def expect(verdicts, what, holds, found):
    verdicts.say(what, None if holds else f"found {found}")


class Pipelines:
    """Pipeline files, and what `sluice iam` prints of them."""

    def __init__(self, sluice, folder):
        self.sluice, self.folder = sluice, folder

    def write(self, name, partition, prefix, key, full):
        region = PARTITIONS[partition]
        lines = [
            f'pipeline = "{name}"',
            'source = { type = "hubspot", token = { env = "NOT_SET" }, streams = ["contacts"] }',
            "[sink]",
            'type = "parquet"',
            f'url = "s3://my-bucket/{prefix}"',
            f'region = "{region}"',
        ]
        if key:
            key = key.format(partition=partition, region=region)
            lines.append(f'encryption = {{ type = "sse-kms", key = "{key}" }}')
        role = [f'arn = "arn:{partition}:iam::{ACCOUNT}:role/crm/{name}"', 'external_id = "an-id"']
        if full:
            lines += ['acl = "bucket-owner-full-control"', 'tags = { team = "data" }']
            role += ['session_tags = { team = "data", "cost center" = "a/b" }', 'source_identity = "nightly"']
        path = self.folder / f"{name}.toml"
        path.write_text("\n".join([*lines, f"role = {{ {', '.join(role)} }}"]) + "\n", encoding="utf-8")
        return path

    def printed(self, document, path, *options):
        command = [self.sluice, "iam", document, str(path), *options]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def found_by_parliament(policy):
    findings = analyze_policy_string(policy).findings
    return {(finding.issue, str(finding.detail)) for finding in findings} - NOT_KNOWN_TO_PARLIAMENT


def found_by_cfn_lint(template, region):
    return [str(match) for match in lint(template, config=ManualArgs(regions=[region]))]


def client(service, region, endpoint):
    return boto3.client(
        service, region_name=region, endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="x"
    )


def compare(pipelines, verdicts, endpoint):
    matrix = itertools.product(PARTITIONS, PREFIXES, KEYS, [False, True])
    for number, (partition, prefix, key, full) in enumerate(matrix):
        name, region = f"p{number}", PARTITIONS[partition]
        path = pipelines.write(name, partition, prefix, key, full)
        versions = ["--versions"] if full else []
        what = f"{partition}, prefix {prefix!r}, key {key}, {'all' if full else 'no'} rules"
        policy = pipelines.printed("policy", path, *versions)
        trust = json.loads(pipelines.printed("trust", path))
        found = found_by_parliament(policy)
        expect(verdicts, f"{what}: parliament finds nothing in the policy", not found, found)
        for document, options in [("policy", versions), ("trust", []), ("role", versions)]:
            template = pipelines.printed(document, path, "--format", "cloudformation", *options)
            found = found_by_cfn_lint(template, region)
            expect(verdicts, f"{what}: cfn-lint finds nothing in the {document}", not found, found)
        role = json.loads(pipelines.printed("role", path))
        policy = json.loads(policy)
        expect(verdicts, f"{what}: IAM takes and gives back", *given_back(client("iam", region, endpoint), role, trust, policy))
        expect(verdicts, f"{what}: Terraform's texts are the documents", *terraform(pipelines, path, versions, trust, policy))


def given_back(iam, role, trust, policy):
    """Makes the role as the commands do; whether IAM has what was printed."""
    iam.create_role(**role)
    name = role["RoleName"]
    iam.put_role_policy(RoleName=name, PolicyName="sluice", PolicyDocument=json.dumps(policy))
    made = iam.get_role(RoleName=name)["Role"]
    put = iam.get_role_policy(RoleName=name, PolicyName="sluice")["PolicyDocument"]
    has = (made["AssumeRolePolicyDocument"], put, made["Path"], made["MaxSessionDuration"])
    return has == (trust, policy, "/crm/", 3600), has


def terraform(pipelines, path, versions, trust, policy):
    """Whether Terraform's files have the form that the provider takes, and in it the documents."""
    of = {}
    for document, options in [("policy", versions), ("trust", []), ("role", versions)]:
        file = json.loads(pipelines.printed(document, path, "--format", "terraform", *options))
        jsonschema.validate(file, TERRAFORM_FILE)
        of[document] = {kind: named["sluice"] for kind, named in file["resource"].items()}
    role, attached = of["role"]["aws_iam_role"], of["role"]["aws_iam_role_policy"]
    found = (
        json.loads(from_terraform(role["assume_role_policy"])),
        json.loads(from_terraform(attached["policy"])),
        attached["role"],
        of["trust"],
        of["policy"],
    )
    expected = (
        trust,
        policy,
        TO_ROLE,
        {"aws_iam_role": role},
        {"aws_iam_role_policy": {**attached, "role": from_terraform(role["name"])}},
    )
    return found == expected, found


def faults(pipelines, verdicts):
    """Faults that policies have had elsewhere: the tools would see them."""
    path = pipelines.write("faults", "aws", "hubspot", None, False)
    policy = json.loads(pipelines.printed("policy", path))
    condition = policy["Statement"][0]["Condition"]
    policy["Statement"][1]["Condition"] = condition
    found = found_by_parliament(json.dumps(policy))
    seen = any(issue == "UNKNOWN_CONDITION_FOR_ACTION" and "GetBucketLocation" in detail for issue, detail in found)
    expect(verdicts, "parliament sees a prefix that no request for the location has", seen, found)
    template = pipelines.printed("policy", path, "--format", "cloudformation")
    found = found_by_cfn_lint(template.replace("s3:AbortMultipartUpload", "s3:AbortUpload"), "eu-central-1")
    expect(verdicts, "cfn-lint sees an action that is none", any("abortupload" in text.lower() for text in found), found)


def readme(pipelines, verdicts, server):
    """The README's commands, as they stand there, for the README's pipeline."""
    text = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    toml = re.search(r"## A pipeline\n\n```toml\n(.*?)```", text, re.S).group(1)
    commands = re.search(r"## The bucket and the role\n.*?```sh\n(.*?)```", text, re.S).group(1)
    expect(verdicts, "the set-up is five commands", re.findall(r"(?m)^(\w+)", commands) == ["aws"] * 5, commands)
    (pipelines.folder / "pipeline.toml").write_text(toml, encoding="utf-8")
    sink = tomllib.loads(toml)["sink"]
    region = re.search(r"--region (\S+)", commands).group(1)
    iam = client("iam", region, server)
    user = re.search(r"--user-name (\S+)", commands).group(1)
    iam.create_user(UserName=user)
    search = [str(pathlib.Path(pipelines.sluice).parent), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        "PATH": os.pathsep.join(search),
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": region,
        "HOME": str(pipelines.folder),
    }
    ran = subprocess.run(
        ["bash", "-euc", commands], cwd=pipelines.folder, env=environment, capture_output=True, text=True, timeout=300
    )
    expect(verdicts, "the README's commands succeed", ran.returncode == 0, ran.stderr)
    bucket, prefix = sink["url"].removeprefix("s3://").split("/", 1)
    s3 = client("s3", region, server)
    where = s3.get_bucket_location(Bucket=bucket)["LocationConstraint"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    advised = {
        "ID": "sluice-unfinished-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": f"{prefix}/"},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    expect(verdicts, "the bucket is there, with its rule", (where, rules) == (region, [advised]), (where, rules))
    path = pipelines.folder / "pipeline.toml"
    said = subprocess.run(
        [pipelines.sluice, "iam", "role", str(path)], check=True, capture_output=True, text=True, timeout=60
    ).stderr
    quoted = re.search(r"--lifecycle-configuration '(.*)'", said)
    expect(verdicts, "it is the rule that is advised", quoted and json.loads(quoted.group(1)) == {"Rules": [advised]}, said)
    name = sink["role"]["arn"].rsplit("/", 1)[1]
    role = iam.get_role(RoleName=name)["Role"]
    id = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"]
    has = (role["Arn"], id)
    expect(verdicts, "the role is the file's", has == (sink["role"]["arn"], sink["role"]["external_id"]), has)
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    put = iam.get_role_policy(RoleName=name, PolicyName=names[0])["PolicyDocument"]
    expect(verdicts, "its policy is what is printed", put == json.loads(pipelines.printed("policy", path)), put)
    allowed = iam.list_user_policies(UserName=user)["PolicyNames"]
    may = iam.get_user_policy(UserName=user, PolicyName=allowed[0])["PolicyDocument"]
    found = found_by_parliament(json.dumps(may))
    of_role = may["Statement"][0]["Resource"] == role["Arn"]
    expect(verdicts, "the user may assume this role", of_role and not found, (may, found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", required=True, help="the binary")
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="where pipeline files are written")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    pipelines, verdicts = Pipelines(str(pathlib.Path(arguments.sluice).resolve()), arguments.folder.resolve()), Verdicts()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    try:
        compare(pipelines, verdicts, endpoint)
        faults(pipelines, verdicts)
        readme(pipelines, verdicts, endpoint)
    finally:
        server.stop()
    verdicts.end()


if __name__ == "__main__":
    main()
