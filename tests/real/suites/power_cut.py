"""The power of the data directory's disk is cut while clients put: nothing acknowledged is lost.

A real ext4, told by ioctl to forget what it has not synced, which is what a power cut does. Needs
root and loop devices.
"""

import random
import time

from clients import boto, conversation
from harness import numbered, putting
from harness.daemon import daemon_into_bucket
from harness.mounts import Ext4
from harness.s3_servers import Versitygw

CUTS = 5
SECONDS_BETWEEN_CUTS = (1.0, 4.0)
STREAM = "numbered"


def run(suite):
    seed = random.randrange(2**32)
    suite.note(f"seed {seed}")
    dice = random.Random(seed)
    disk = suite.enter(Ext4(suite, "disk", megabytes=1024))
    server = Versitygw(suite).start()
    bucket = server.bucket(STREAM)
    # The mount itself, `lost+found` and all.
    storage = {"directory": str(disk.folder), "max_size": "512MiB"}
    daemon = daemon_into_bucket(suite, STREAM, server, storage=storage).start()
    account = putting.producer_account(daemon)
    producers = [
        suite.enter(numbered.Producer(client, account, STREAM, dice.random()))
        for client in (boto.Boto(), suite.enter(conversation.go(suite)))
    ]
    for _ in range(CUTS):
        time.sleep(dice.uniform(*SECONDS_BETWEEN_CUTS))
        disk.cut_power()
        daemon.kill()
        disk.restore_power()
        daemon.start()
    for producer in producers:
        producer.stop()
    numbered.count(suite, producers, server.client(), bucket)
    books = daemon.books(STREAM)
    suite.equal("a power cut is no damage", 0, books["quarantined"])
    suite.equal("the daemon stops with exit code 0", 0, daemon.stop())
