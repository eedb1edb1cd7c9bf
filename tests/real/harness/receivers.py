"""Receivers that others wrote, on loopback: Telegraf's for Firehose requests, lading's for Splunk."""

import json
import os
import urllib.error
import urllib.request

from harness import places
from harness.processes import Process

ACCESS_KEY = "good-key"

_TELEGRAF = """\
[agent]
  interval = "1s"
  flush_interval = "200ms"
  omit_hostname = true
  metric_buffer_limit = 200000
[[inputs.firehose]]
  service_address = "127.0.0.1:{port}"
  paths = ["/firehose"]
  access_key = "{key}"
  parameter_tags = ["environment"]
  data_format = "value"
  data_type = "string"
  name_override = "record"
{tls}[[outputs.file]]
  files = ["{output}"]
  data_format = "json"
"""

_TLS = """\
  tls_cert = "{certificate}"
  tls_key = "{key}"
  tls_allowed_cacerts = ["{ca_file}"]
"""

_LADING = """\
generator: []
blackhole:
  - splunk_hec:
      binding_addr: "127.0.0.1:{port}"
"""


class Telegraf:
    """Strict about requests. It trims white space and takes only UTF-8, so records are base64 text
    where bytes matter. With `tls` (certificates.Pair) it talks to that authority's clients only."""

    def __init__(self, suite, name="telegraf", *, tls=None):
        self._suite = suite
        self._name = name
        self._tls = tls
        self.port = places.free_port()
        self._output = suite.folder / f"{name}.jsonl"
        self._configuration = suite.folder / f"{name}.conf"

    @property
    def url(self):
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/firehose"

    def start(self):
        tls = _TLS.format(**vars(self._tls)) if self._tls else ""
        text = _TELEGRAF.format(port=self.port, key=ACCESS_KEY, output=self._output, tls=tls)
        self._configuration.write_text(text)
        command = [places.installed("telegraf"), "--config", self._configuration]
        log = self._suite.folder / f"{self._name}.log"
        process = Process(self._name, command, log=log, environment=dict(os.environ))
        self._suite.enter(process)
        process.wait_until_ready(lambda: places.is_taken(self.port))
        return process

    def records(self):
        """The text of each record that was taken, and the value of its `environment`."""
        if not self._output.exists():
            return []
        lines = [json.loads(line) for line in self._output.read_text().splitlines()]
        return [(line["fields"]["value"], line["tags"].get("environment")) for line in lines]


class Lading:
    """Answers every request with an id and acknowledges all of them; keeps only counts."""

    def __init__(self, suite, name="lading"):
        self._suite = suite
        self._name = name
        self.port = places.free_port()
        self._metrics = places.free_port()
        self._configuration = suite.folder / f"{name}.yaml"

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds=600):
        self._configuration.write_text(_LADING.format(port=self.port))
        command = [
            places.installed("lading"),
            "--no-target",
            "--config-path",
            self._configuration,
            "--prometheus-addr",
            f"127.0.0.1:{self._metrics}",
            "--experiment-duration-seconds",
            str(seconds),
        ]
        log = self._suite.folder / f"{self._name}.log"
        process = Process(self._name, command, log=log, environment=dict(os.environ))
        self._suite.enter(process)
        process.wait_until_ready(lambda: answers_at(self.endpoint))
        return process


def answers_at(url):
    """Whether anybody answers, whatever the answer."""
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
