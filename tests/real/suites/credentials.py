"""Every link of the SDK's chain delivers; and MinIO lets the README's permissions do all of it."""

import json
import os
import re

import boto3
from botocore.config import Config
from harness import buckets, places, putting
from harness.daemon import Daemon, direct_put
from harness.metadata import CONTAINER_TOKEN, ROLE, WEB_TOKEN, Grantor
from harness.relay import Relay
from harness.s3_servers import ACCESS_KEY, REGION, SECRET_KEY, Minio
from harness.suite import wait_for

BUCKET = "lake"
MIB = 1024 * 1024
# More than one part, packed or not.
RECORDS = 12
RECORD_BYTES = 1_000_000
SLOW_BYTES_PER_SECOND = 4 * MIB


def run(suite):
    # It makes and takes session tokens, which versitygw refuses.
    server = Minio(suite).start()
    server.bucket(BUCKET)
    with suite.part("the chain"):
        chain(suite, server)
    with suite.part("the permissions of the README"):
        permissions(suite, server)


def session(server, **more):
    """Temporary credentials, made by MinIO."""
    sts = boto3.client(
        "sts",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(proxies={}),
    )
    return sts.assume_role(RoleArn=ROLE, RoleSessionName="standpipe", **more)["Credentials"]


def chain(suite, server):
    grantor = suite.enter(Grantor(session(server)))
    folder = suite.make_folder("home")
    profiles = folder / "credentials"
    profiles.write_text(
        f"[work]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    token = folder / "token"
    token.write_text(WEB_TOKEN)
    links = {
        "environment": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
        "profile file": {"AWS_SHARED_CREDENTIALS_FILE": profiles, "AWS_PROFILE": "work"},
        "web identity": {
            "AWS_WEB_IDENTITY_TOKEN_FILE": token,
            "AWS_ROLE_ARN": ROLE,
            "AWS_ENDPOINT_URL_STS": grantor.endpoint,
        },
        "container": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{grantor.endpoint}/task",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": CONTAINER_TOKEN,
        },
        "instance": {
            "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": grantor.endpoint,
        },
    }
    profile = {"endpoint": server.endpoint, "region": REGION, "path_style": True}
    for link, variables in links.items():
        name = link.replace(" ", "-")
        destination = {"s3": {"profile": "chain", "bucket": BUCKET, "prefix": f"{name}/"}}
        daemon = Daemon(
            suite,
            {name: direct_put(destination)},
            name=name,
            profiles={"chain": profile},
            secrets=variables,
        ).start()
        putting.put(daemon, name, [f"by {link}\n".encode()])
        delivered(suite, server, f"{link}: an object is delivered", f"{name}/", f"by {link}\n")
        daemon.stop()
    asked = ["web identity", "container", "instance"]
    suite.equal("each was asked once, and only its own", asked, grantor.granted)


def delivered(suite, server, story, prefix, expected):
    def bodies():
        return [found.body.decode() for found in buckets.read(server.client(), BUCKET, prefix)]

    try:
        wait_for(f"an object under {prefix}", bodies, 20)
    finally:
        suite.equal(story, [expected], bodies())


def readme_policy():
    """The JSON document of the README, for this bucket."""
    text = (places.ROOT / "README.md").read_text()
    return json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])


def permissions(suite, server):
    """Asked of MinIO with a session policy: temporary credentials that may do this and no more."""
    relay = suite.enter(Relay(server.port))
    policy = readme_policy()
    daemon = Daemon(
        suite,
        {
            "plain": direct_put({"s3": {"profile": "s3", "bucket": BUCKET, "prefix": "plain/"}}),
            "parts": direct_put(
                {
                    "s3": {
                        "profile": "s3",
                        "bucket": BUCKET,
                        "prefix": "parts/",
                        "compression": "gzip",
                    }
                },
                {"size": "128MiB", "interval": "3s", "low_latency": True},
            ),
        },
        name="permissions",
    )
    records = [os.urandom(RECORD_BYTES) for _ in range(RECORDS)]

    may(daemon, server, relay, without(policy, "s3:PutObject"))
    daemon.start()
    putting.put(daemon, "plain", [b"plain\n"])
    wait_for("a refusal", lambda: "AccessDenied" in daemon.output(), 30)
    suite.check("without s3:PutObject the log says AccessDenied", True)
    suite.equal("and the record is held", 1, daemon.books("plain")["buffered"])
    daemon.stop()

    may(daemon, server, relay, policy)
    daemon.start()
    delivered(suite, server, "with all of them it is delivered", "plain/", "plain\n")
    killed_between_parts(daemon, server, relay, records)
    left = uploads(server)
    suite.equal("an upload is left behind", 1, len(left))
    for action in ["s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"]:
        may(daemon, server, relay, without(policy, action))
        said = daemon.output().count("leftovers")
        daemon.start()
        wait_for("a word about it", lambda: said < daemon.output().count("leftovers"), 30)
        daemon.kill()
        suite.check(
            f"without {action} it stays, and the log says so",
            left[0] in uploads(server),
            uploads(server),
        )
    relay.bytes_per_second = None
    may(daemon, server, relay, policy)
    daemon.start()
    wait_for("the object", lambda: buckets.keys(server.client(), BUCKET, "parts/"), 60)
    found = buckets.read(server.client(), BUCKET, "parts/")
    suite.check("with all of them it arrives in parts", "-" in found[0].etag, found[0].etag)
    suite.check("as it was put", found[0].plain() == b"".join(records), len(found[0].body))
    wait_for("no upload to be left", lambda: not uploads(server), 30)
    suite.check("and what was left behind is gone", True)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def without(policy, action):
    statements = [
        statement | {"Action": [other for other in statement["Action"] if other != action]}
        for statement in policy["Statement"]
    ]
    return policy | {"Statement": [one for one in statements if one["Action"]]}


def may(daemon, server, relay, policy):
    """From its next start on, the daemon's profile may do what `policy` says."""
    granted = session(server, Policy=json.dumps(policy))
    files = {"secret": granted["SecretAccessKey"], "session": granted["SessionToken"]}
    for name, text in files.items():
        (daemon.folder / name).write_text(text)
    daemon.configuration["aws"] = {
        "s3": server.profile(
            endpoint=f"http://127.0.0.1:{relay.port}",
            access_key_id=granted["AccessKeyId"],
            secret_access_key={"file": str(daemon.folder / "secret")},
            session_token={"file": str(daemon.folder / "session")},
        )
    }


def uploads(server):
    listed = server.client().list_multipart_uploads(Bucket=BUCKET)
    return [upload["UploadId"] for upload in listed.get("Uploads", [])]


def killed_between_parts(daemon, server, relay, records):
    relay.bytes_per_second = SLOW_BYTES_PER_SECOND
    putting.put(daemon, "parts", records)
    before = relay.bytes_up
    wait_for("a part and more", lambda: before + 9 * MIB < relay.bytes_up and uploads(server), 60)
    daemon.kill()
