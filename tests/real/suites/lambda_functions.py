"""Functions in a real Lambda runtime, good and bad, under a daemon: each record to its place."""

from clients import boto
from harness import buckets, failed_output, lambda_servers, places, putting, transformed
from harness.daemon import QUICK, Daemon
from harness.lambda_servers import ACCOUNT, REGION, Ministack
from harness.s3_servers import Versitygw
from harness.suite import wait_for

RECORDS = 5_000
BUCKET = "functions"
FUNCTIONS = places.ROOT / "tests" / "real" / "functions"
SAMPLES = [b"one\n", b"two\n", b"three\n"]

# Of the samples: those that are delivered, and the code and attempts of the others. One retry.
FATES = {
    "raises": ([], dict.fromkeys(SAMPLES, ("Lambda.FunctionError", 2))),
    "sleeps": ([], dict.fromkeys(SAMPLES, ("Lambda.FunctionTimedOut", 2))),
    "throttled": ([], dict.fromkeys(SAMPLES, ("Lambda.InvokeLimitExceeded", 2))),
    "nobody": ([], dict.fromkeys(SAMPLES, ("Lambda.ResourceNotFound", 2))),
    "is_silent": ([], dict.fromkeys(SAMPLES, ("Lambda.MissingRecordId", 1))),
    "forgets": (
        SAMPLES[1:2],
        {
            SAMPLES[0]: ("Lambda.DuplicatedRecordId", 1),
            SAMPLES[2]: ("Lambda.MissingRecordId", 1),
        },
    ),
    "confuses": (
        [],
        {
            SAMPLES[0]: ("Lambda.JsonProcessingException", 1),
            SAMPLES[1]: ("Lambda.InvalidReturnFormat", 1),
            SAMPLES[2]: ("Lambda.InvalidReturnFormat", 1),
        },
    ),
}


def run(suite):
    server = Versitygw(suite).start()
    server.bucket(BUCKET)
    ministack = Ministack(suite).start()
    functions = create_functions(ministack)
    streams = {name: stream(name, function) for name, function in functions.items()}
    streams["released"] = stream("released", functions["released"], retries=20)
    daemon = Daemon(
        suite,
        streams,
        profiles={
            "s3": server.profile(),
            "functions": {
                "endpoint": ministack.endpoint,
                "region": REGION,
                "access_key_id": lambda_servers.KEY,
                "secret_access_key": {"env": "LAMBDA_SECRET"},
            },
        },
        secrets=server.secrets | {"LAMBDA_SECRET": lambda_servers.SECRET},
    ).start()
    for name in ["released", *FATES]:
        putting.put(daemon, name, SAMPLES)
    released(suite, daemon, server, ministack)
    numbers(suite, daemon, server)
    for name, (delivered, filed) in FATES.items():
        daemon.books_at_rest(name)
        found = {one.data: (one.code, one.attempts) for one in failed(server, name)}
        suite.equal(f"{name}: filed is what must be, and why", filed, found)
        suite.equal(f"{name}: the others are delivered", delivered, lines(server, name))
    arns = {one.line["lambdaArn"] for name in FATES for one in failed(server, name)}
    suite.equal("the lines name the functions", {functions[name] for name in FATES}, arns)
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())


def create_functions(ministack):
    """The function of each stream, as the configuration names it."""
    client = ministack.client()
    numbers = ministack.function(transformed.FUNCTION)
    version = client.publish_version(FunctionName=numbers)["Version"]
    client.create_alias(FunctionName=numbers, Name="live", FunctionVersion=version)
    functions = {
        "numbers": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{numbers}:live",
        "nobody": "nobody",
        "sleeps": ministack.function(FUNCTIONS / "sleeps.py", seconds=1),
    }
    for name in ["raises", "forgets", "confuses", "is_silent"]:
        functions[name] = ministack.function(FUNCTIONS / f"{name}.py")
    redact = places.ROOT / "deploy" / "transformers" / "redact.py"
    for name in ["throttled", "released"]:
        functions[name] = ministack.function(redact, name)
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return functions


def stream(name, function, retries=1):
    bad = f"{name}/bad/!{{firehose:error-output-type}}/"
    prefixes = {"prefix": f"{name}/good/", "error_output_prefix": bad}
    return {
        "source": "direct_put",
        "transform": {
            "lambda": {"function": function, "profile": "functions"},
            "buffering": {"size": "0.2MiB", "interval": "1s"},
            "retries": retries,
        },
        "buffering": QUICK,
        "destination": {"s3": {"profile": "s3", "bucket": BUCKET} | prefixes},
    }


def numbers(suite, daemon, server):
    """Ok, Dropped and ProcessingFailed, through an alias, with the daemon killed once."""
    account = putting.producer_account(daemon)
    producer = suite.enter(transformed.Producer(boto.Boto(), account, "numbers", RECORDS))
    wait_for("half of them", lambda: RECORDS / 2 <= len(producer.acknowledged), 60, pause=0.02)
    daemon.kill()
    daemon.start()
    wait_for("all of them", producer.is_done, 60)
    producer.stop()
    found = transformed.Found(
        books=daemon.books_at_rest("numbers"),
        acknowledged=producer.numbers(),
        delivered=lines(server, "numbers"),
        failed=failed(server, "numbers"),
        source=None,
        may_repeat=False,
    )
    transformed.judge(suite, "numbers", found)


def released(suite, daemon, server, ministack):
    """A function that is throttled for a while loses nobody a record."""
    wait_for("it to be throttled twice", lambda: 2 <= throttled(daemon, "released"), 30)
    ministack.client().delete_function_concurrency(FunctionName="released")
    daemon.books_at_rest("released")
    suite.equal("throttled for a while: delivered later", SAMPLES, lines(server, "released"))
    suite.equal("and nothing is filed", [], failed(server, "released"))


def throttled(daemon, name):
    """How many invocations were refused for their number."""
    found = [
        float(line.rpartition(" ")[2])
        for line in daemon.metrics().splitlines()
        if line.startswith("standpipe_invocations_total")
        and f'stream="{name}"' in line
        and 'result="Lambda.InvokeLimitExceeded"' in line
    ]
    return sum(found)


def lines(server, name):
    found = buckets.read(server.client(), BUCKET, f"{name}/good/")
    return [line for item in found for line in item.body.splitlines(keepends=True)]


def failed(server, name):
    return failed_output.read(server.client(), BUCKET, f"{name}/bad/")
