"""Every real client puts, describes and lists; the objects are exactly what was put.

Signed producers, versitygw as the bucket. A stream a client, so that what each put can be compared.
"""

import clients
from clients import Account
from harness import buckets, putting
from harness.daemon import PRODUCER_SECRET, Daemon, direct_put
from harness.s3_servers import Versitygw
from harness.suite import wait_for

# Bytes that text handling would spoil, an empty record, and no newline where none was put.
BINARY = [bytes(range(256)), b"", b"\x00\xff\xfe\r\n", b"no newline"]
TEXT = ["schön, 漢字 🚰".encode(), b"", b'{"quoted": "\\"json\\""}\n', b"no newline"]


def run(suite):
    server = Versitygw(suite).start()
    bucket = server.bucket("clients")
    everyone = clients.every(suite)
    streams = {
        client.name: direct_put(
            {"s3": {"profile": "s3", "bucket": bucket, "prefix": f"{client.name}/"}}
        )
        for client in everyone
    }
    daemon = Daemon(suite, streams, profiles={"s3": server.profile()}, secrets=server.secrets)
    # This one may see one stream only, and put into no other.
    daemon.configuration["producers"]["narrow"] = {
        "access_key_id": "AKIAREALNARROW000001",
        "secret_access_key": {"env": "PRODUCER_SECRET"},
        "streams": [everyone[0].name],
    }
    daemon.start()
    good = putting.producer_account(daemon)
    expected = {}
    for client in everyone:
        with suite.part(f"{client.name} works"):
            expected[client.name] = put(suite, client, good)
            describe(suite, client, good, sorted(streams))
            refusals(suite, client, good)
    narrow = Account(daemon.endpoint, "AKIAREALNARROW000001", PRODUCER_SECRET)
    lists_only_its_own(suite, everyone, narrow)
    for name, body in expected.items():
        compare(suite, server, bucket, name, body)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def put(suite, client, account):
    """Puts one record and a batch; the bytes that should be in the bucket."""
    records = BINARY if client.binary else TEXT
    single = f"first of {client.name}\n".encode()
    one = client.call(
        account, "PutRecord", {"DeliveryStreamName": client.name, "Record": {"Data": single}}
    )
    suite.check(f"{client.name} puts a record", one.value and one.value.get("RecordId"), one)
    batch = client.call(
        account,
        "PutRecordBatch",
        {"DeliveryStreamName": client.name, "Records": [{"Data": data} for data in records]},
    )
    taken = batch.value and batch.value.get("FailedPutCount") == 0
    ids = {entry.get("RecordId") for entry in (batch.value or {}).get("RequestResponses", [])}
    suite.check(
        f"{client.name} puts a batch, each record with an id of its own",
        taken and len(ids) == len(records) and None not in ids,
        batch,
    )
    return single + b"".join(records)


def describe(suite, client, account, names):
    stream = {"DeliveryStreamName": client.name}
    described = client.call(account, "DescribeDeliveryStream", stream)
    description = (described.value or {}).get("DeliveryStreamDescription", {})
    suite.check(
        f"{client.name} describes its stream",
        description.get("DeliveryStreamName") == client.name
        and description.get("DeliveryStreamStatus") == "ACTIVE"
        and description.get("DeliveryStreamType") == "DirectPut"
        and description.get("DeliveryStreamARN", "").endswith(f":deliverystream/{client.name}"),
        described,
    )
    listed = client.call(account, "ListDeliveryStreams", {})
    suite.equal(
        f"{client.name} lists all streams in order",
        names,
        (listed.value or {}).get("DeliveryStreamNames", listed),
    )
    tags = client.call(account, "ListTagsForDeliveryStream", stream)
    found = (
        tags.value is not None and not tags.value.get("Tags") and not tags.value.get("HasMoreTags")
    )
    suite.check(f"{client.name} lists tags, of which there are none", found, tags)


def refusals(suite, client, account):
    put = {"DeliveryStreamName": client.name, "Record": {"Data": b"never stored"}}
    nowhere = {"DeliveryStreamName": "nowhere", "Record": {"Data": b"never stored"}}
    unknown_key = Account(account.endpoint, "AKIAREALNOBODY000001", account.secret)
    wrong_secret = Account(account.endpoint, account.key, "a" * 40)
    for story, who, what, error in [
        ("an unknown key", unknown_key, put, "UnrecognizedClientException"),
        ("a wrong secret", wrong_secret, put, "InvalidSignatureException"),
        ("an unknown stream", account, nowhere, "ResourceNotFoundException"),
    ]:
        answer = client.call(who, "PutRecord", what)
        suite.equal(f"{client.name} is refused for {story}", error, answer.error or answer)


def lists_only_its_own(suite, everyone, narrow):
    first, other = everyone[0], everyone[1]
    listed = first.call(narrow, "ListDeliveryStreams", {})
    suite.equal(
        "a key sees only the streams that it may put into",
        [first.name],
        (listed.value or {}).get("DeliveryStreamNames", listed),
    )
    answer = first.call(
        narrow, "PutRecord", {"DeliveryStreamName": other.name, "Record": {"Data": b"never stored"}}
    )
    suite.check(
        "a key may not put into another stream",
        answer.error in ("AccessDeniedException", "ResourceNotFoundException"),
        answer,
    )


def compare(suite, server, bucket, name, body):
    def bodies():
        return [found.body for found in buckets.read(server.client(), bucket, f"{name}/")]

    def whole():
        return len(body) <= sum(len(part) for part in bodies())

    with suite.part(f"{name}'s objects are exactly what it put"):
        wait_for(f"the objects of {name}", whole, 30)
        found = bodies()
        suite.check(
            f"{name}'s objects are exactly what it put", buckets.in_order(found, body), found
        )
