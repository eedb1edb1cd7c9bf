"""The short way to put a few records, for suites that are about something else than putting."""

from clients import Account, boto
from harness.daemon import PRODUCER_KEY, PRODUCER_SECRET

# A call takes 4 MiB at most.
_CALL_BYTES = 4 * 1024 * 1024
_CALL_RECORDS = 500


def producer_account(daemon):
    return Account(daemon.endpoint, PRODUCER_KEY, PRODUCER_SECRET)


def try_put(daemon, stream, records, client=None):
    """One PutRecordBatch; the client's answer."""
    return (client or boto.Boto()).call(
        producer_account(daemon),
        "PutRecordBatch",
        {"DeliveryStreamName": stream, "Records": [{"Data": data} for data in records]},
    )


def put(daemon, stream, records, client=None):
    """As many calls as it takes; an error if any record is not acknowledged."""
    client = client or boto.Boto()
    for call in _calls(records):
        answer = try_put(daemon, stream, call, client)
        if answer.error or answer.value["FailedPutCount"]:
            raise RuntimeError(f"a put into {stream} was refused: {answer}")


def _calls(records):
    call, call_bytes = [], 0
    for data in records:
        if call and (_CALL_BYTES < call_bytes + len(data) or len(call) == _CALL_RECORDS):
            yield call
            call, call_bytes = [], 0
        call.append(data)
        call_bytes += len(data)
    if call:
        yield call
