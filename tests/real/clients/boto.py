"""boto3, within this process. One instance may be used by one thread."""

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from clients import Answer

# Method names of boto3.
_METHODS = {
    "PutRecord": "put_record",
    "PutRecordBatch": "put_record_batch",
    "DescribeDeliveryStream": "describe_delivery_stream",
    "ListDeliveryStreams": "list_delivery_streams",
    "ListTagsForDeliveryStream": "list_tags_for_delivery_stream",
}


class Boto:
    name = "boto3"
    # Takes any bytes, not only text.
    binary = True

    def __init__(self):
        self._clients = {}

    def call(self, account, operation, input):
        try:
            value = getattr(self._client(account), _METHODS[operation])(**input)
            value.pop("ResponseMetadata", None)
            return Answer(value=value)
        except ClientError as refusal:
            error = refusal.response["Error"]
            return Answer(error=error["Code"], message=error.get("Message", ""))
        except BotoCoreError as failure:
            return Answer(error="NoAnswer", message=str(failure))

    def _client(self, account):
        if account not in self._clients:
            # A session of its own: the default one is shared between threads, and not safe.
            self._clients[account] = boto3.session.Session().client(
                "firehose",
                endpoint_url=account.endpoint,
                region_name=account.region,
                aws_access_key_id=account.key,
                aws_secret_access_key=account.secret,
                aws_session_token=account.token,
                config=Config(
                    retries={"total_max_attempts": 1},
                    proxies={},
                    connect_timeout=5,
                    read_timeout=20,
                ),
            )
        return self._clients[account]
