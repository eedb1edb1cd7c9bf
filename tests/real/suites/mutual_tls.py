"""A private authority signs both sides: who trusts and is known delivers, all others file why."""

from harness import filing
from harness.certificates import Authority
from harness.failed_output import HTTP_ENDPOINT, SPLUNK
from harness.filing import HEC_TOKEN, Filing, Reason, http_endpoint, splunk
from harness.receivers import Telegraf
from harness.s3_servers import Versitygw
from harness.splunk_hec import Collector, Token
from harness.suite import wait_for

LINES = [b"line %d\n" % number for number in range(30)]
# Who has no certificate is told so after the handshake, and may find the connection closed instead.
FILED = {
    "endpoint-unknown": (
        HTTP_ENDPOINT,
        {"HttpEndpoint.SSLFailure", "HttpEndpoint.ConnectionReset"},
    ),
    "endpoint-untrusting": (HTTP_ENDPOINT, {"HttpEndpoint.SSLHandshakeCertificatePathFailure"}),
    "splunk-unknown": (SPLUNK, {"Splunk.SSLHandshake", "Splunk.ConnectionClosed"}),
    "splunk-untrusting": (SPLUNK, {"Splunk.SSLHandshake"}),
}


def run(suite):
    server = Versitygw(suite).start()
    server.bucket(filing.BUCKET)
    authority = Authority(suite.make_folder("certificates"))
    ours, theirs = authority.pair("client"), authority.pair("server")
    telegraf = Telegraf(suite, tls=theirs)
    telegraf.start()
    collector = suite.enter(Collector({HEC_TOKEN: Token()}, false_polls=0, tls=theirs))

    trusting = {"ca_file": str(authority.ca_file)}
    known = trusting | {
        "client_certificate_file": str(ours.certificate),
        "client_key_file": str(ours.key),
    }
    destinations = {}
    for name, settings in [("known", known), ("unknown", trusting), ("untrusting", {})]:
        endpoint = http_endpoint(telegraf.url, "TELEGRAF_KEY", **settings)
        destinations[f"endpoint-{name}"] = endpoint
        destinations[f"splunk-{name}"] = splunk(collector.endpoint, **settings)
    bench = Filing(suite, server, "daemon", destinations).start()
    bench.put_all(destinations, LINES)

    for stream in ["endpoint-known", "splunk-known"]:
        bench.all_delivered(stream, len(LINES))
    wait_for("Telegraf to write", lambda: len(telegraf.records()) == len(LINES), 20)
    suite.equal("Splunk has it", b"".join(LINES), collector.data())
    for stream, (kind, codes) in FILED.items():
        bench.at_rest(stream)
        bench.is_filed(stream, LINES, Reason(kind, codes, attempts=range(1, 6)))
    bench.stop()
