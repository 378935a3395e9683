"""Removes what a bucket that keeps versions still has, against moto's S3, and looks with boto3 what is left.

sluice writes tables into a bucket that keeps every version, four nights in a row; then all but the newest
commit expire, with `sluice expire --versions`. What it says is gone must be gone for whoever knows the ids of
versions; what it does not own must be as it was; what a legal hold keeps must be told as not gone, and must
not be seen again.

Prints a line for each check and `N passed, M failed` at the end; exits with 1 if any failed.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import traceback

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "kept-for-ever"
PREFIX = "crm/"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
NIGHTS = 4
# Pages of the list of versions are of this many: there are more versions.
PAGE = 1000
STARTS_WITHIN = 60
ENDS_WITHIN = 300

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class World:
    """A store that keeps versions, and a pipeline that writes into it."""

    def __init__(self, sluice, hubspot, token, folder, endpoint):
        self.sluice = sluice
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )
        self.s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        (self.folder / "pipeline.toml").write_text(
            f"""pipeline = "nightly"
source = {{ type = "hubspot", base_url = "{hubspot}", token = {{ env = "TOKEN" }}, streams = ["companies", "owners"] }}

[sink]
type = "parquet"
url = "s3://{BUCKET}/crm"
region = "us-east-1"
endpoint = "{endpoint}"
path_style = true
"""
        )
        self.token = token

    def tell(self, *arguments):
        """Runs a command of sluice; its exit code and all that it says."""
        done = subprocess.run(
            [self.sluice, *arguments],
            cwd=self.folder,
            env={**KEYS, "TOKEN": self.token, "PATH": os.environ["PATH"], "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN,
        )
        return done.returncode, done.stdout, done.stderr

    def versions(self, prefix=""):
        """All versions and marks of removals, as (key, id, whether readers see it, whether it is a mark)."""
        found = []
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=prefix):
            found += [(it["Key"], it["VersionId"], it["IsLatest"], False) for it in page.get("Versions", [])]
            found += [(it["Key"], it["VersionId"], it["IsLatest"], True) for it in page.get("DeleteMarkers", [])]
        return found

    def old(self, prefix=PREFIX):
        return [it for it in self.versions(prefix) if it[3] or not it[2]]

    def seen(self):
        """The keys that readers see."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
        return {it["Key"] for page in pages for it in page.get("Contents", [])}

    def is_readable(self, key, version):
        try:
            self.s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)
            return True
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("NoSuchVersion", "NoSuchKey", "405"), error
            return False

    def commits(self):
        return sorted(key for key in self.seen() if key.startswith(f"{PREFIX}_sluice/commits/"))

    def commit(self, key):
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def files(self, commit):
        return {PREFIX + file["path"] for table in commit["tables"].values() for file in table["files"]}

    def nights(self, number):
        """So many runs, of which all commits are months old."""
        for _ in range(number):
            code, _, told = self.tell("run", "pipeline.toml", "--quiet")
            assert code == 0, told
        for key in self.commits():
            commit = self.commit(key)
            commit["committed"] = "2026-01-01T00:00:00Z"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(commit).encode())


@check
def what_expires_is_read_on_by_its_version(world):
    world.nights(NIGHTS)
    commits = [world.commit(key) for key in world.commits()]
    assert len(commits) == NIGHTS
    world.gone = set().union(*map(world.files, commits[:-1])) - world.files(commits[-1])
    assert len(world.gone) == 2 * (NIGHTS - 1), world.gone
    code, out, told = world.tell("expire", "pipeline.toml", "--keep", "30d")
    assert code == 0 and out.startswith(f"{NIGHTS - 1} commits and {len(world.gone)} files ("), (out, told)
    assert not world.gone & world.seen()
    # Without the option, a removal is a mark, and whoever may read versions reads on.
    readable = [it for it in world.old() if it[0] in world.gone and not it[3]]
    assert len(readable) == len(world.gone) and all(world.is_readable(key, id) for key, id, _, _ in readable)


@check
def what_is_told_to_be_gone_is_gone_and_the_rest_is_as_it_was(world):
    for number in range(3):
        world.s3.put_object(Bucket=BUCKET, Key="crm/readme.md", Body=f"version {number}".encode())
    world.s3.put_object(Bucket=BUCKET, Key="elsewhere/file", Body=b"one")
    world.s3.put_object(Bucket=BUCKET, Key="elsewhere/file", Body=b"two")
    theirs = "crm/owners/pipeline=other/run=20260101T000000Z-00000001/part-00000.parquet"
    for body in (b"one", b"two"):
        world.s3.put_object(Bucket=BUCKET, Key=theirs, Body=body)
    # More versions than one page of their list has: the note of the sweep, over and over.
    note = "crm/_sluice/swept/nightly.json"
    content = world.s3.get_object(Bucket=BUCKET, Key=note)["Body"].read()
    for _ in range(PAGE + 1):
        world.s3.put_object(Bucket=BUCKET, Key=note, Body=content)
    foreign = {"crm/readme.md", theirs}
    others = [it for it in world.versions() if it[0] in foreign or it[0].startswith("elsewhere/")]
    before, seen = [it for it in world.old() if it[0] not in foreign], world.seen()
    assert len(before) > PAGE

    code, out, told = world.tell("expire", "pipeline.toml", "--keep", "30d", "--versions", "--format", "json")
    assert code == 0, (out, told)
    report = json.loads(out)["old_versions"]
    assert report["left"] == [] and report["bytes"] > 0, report
    assert report["versions"] == len([it for it in before if not it[3]]), report
    assert report["marks"] == len([it for it in before if it[3]]) and report["marks"] >= len(world.gone), report
    left = [it for it in world.old() if it[0] not in foreign]
    assert left == [], (len(left), len(before), left[:5])
    assert not any(world.is_readable(key, id) for key, id, _, is_mark in before if key in world.gone and not is_mark)
    assert world.seen() == seen, "what readers see is what they saw"
    assert [it for it in world.versions() if it in others] == others, "what is not sluice's is as it was"
    assert world.files(world.commit(world.commits()[-1])) <= world.seen()
    code, _, told = world.tell("run", "pipeline.toml", "--quiet")
    assert code == 0, told


@check
def what_a_legal_hold_keeps_is_told_and_is_not_seen_again(world):
    world.nights(1)
    oldest = world.files(world.commit(world.commits()[0])) - world.files(world.commit(world.commits()[-1]))
    held = sorted(oldest)[0]
    version = [id for key, id, _, _ in world.versions(held) if key == held][0]
    hold = lambda status: world.s3.put_object_legal_hold(
        Bucket=BUCKET, Key=held, VersionId=version, LegalHold={"Status": status}
    )
    hold("ON")
    code, out, told = world.tell("expire", "pipeline.toml", "--keep", "30d", "--versions")
    assert code == 2, (code, out, told)
    assert f"NOT gone: 1, such as version {version} of `{held.removeprefix(PREFIX)}`: S3 answered 403" in out, out
    assert "NOT gone: 1, such as version" in out and "covers an old version" in out, out
    assert "s3:DeleteObjectVersion" in told and "legal hold" in told, told
    assert held not in world.seen() and world.is_readable(held, version)
    left = {it[0] for it in world.old()} - {"crm/readme.md"}
    assert held in left, left
    hold("OFF")
    code, out, told = world.tell("expire", "pipeline.toml", "--keep", "30d", "--versions")
    assert code == 0 and "NOT gone" not in out and "provably gone: 1 old versions" in out, (out, told)
    assert not world.is_readable(held, version) and held not in world.seen()


@check
def a_folder_keeps_no_versions(world):
    text = (world.folder / "pipeline.toml").read_text()
    folder = world.folder.resolve() / "tables"
    folder.mkdir()
    lines = [line for line in text.splitlines() if not line.startswith(("region", "endpoint", "path_style"))]
    local = "\n".join(lines).replace(f"s3://{BUCKET}/crm", f"file://{folder}")
    (world.folder / "folder.toml").write_text(local)
    code, out, told = world.tell("expire", "folder.toml", "--keep", "30d", "--versions")
    assert code == 0 and "keeps no versions" in told, (code, out, told)


def started(port):
    """moto's server, ready."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert server.poll() is None, "moto has ended"
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    server.kill()
    raise TimeoutError("moto does not listen")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--hubspot", required=True, help="the address of the simulated HubSpot")
    parser.add_argument("--token", required=True)
    parser.add_argument("--folder", required=True, help="a folder that is not there yet")
    arguments = parser.parse_args()
    port = free_port()
    server = started(port)
    failed = 0
    try:
        endpoint = f"http://127.0.0.1:{port}"
        world = World(arguments.sluice, arguments.hubspot, arguments.token, arguments.folder, endpoint)
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            try:
                function(world)
                print(f"ok    {name}")
            except Exception:
                failed += 1
                print(f"FAIL  {name}")
                traceback.print_exc()
    finally:
        server.kill()
        server.wait()
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
