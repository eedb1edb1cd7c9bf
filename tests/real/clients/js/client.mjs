// A Firehose producer with the AWS SDK for JavaScript v3.
//
// One call a line on standard input, one answer a line on standard output (see clients/__init__.py
// for their shape). Blobs are base64 in both directions.

import * as readline from "node:readline";
import * as firehose from "@aws-sdk/client-firehose";

const clients = new Map();

function clientFor(call) {
  const key = JSON.stringify([call.endpoint, call.region, call.key, call.secret, call.token]);
  if (!clients.has(key)) {
    clients.set(key, new firehose.FirehoseClient({
      endpoint: call.endpoint,
      region: call.region,
      credentials: {
        accessKeyId: call.key,
        secretAccessKey: call.secret,
        sessionToken: call.token,
      },
      // A repeated put may rightly arrive twice; the suites count, so nothing may repeat by itself.
      maxAttempts: 1,
    }));
  }
  return clients.get(key);
}

function withBytes(record) {
  return { Data: Buffer.from(record.Data, "base64") };
}

function inputOf(call) {
  const input = { ...call.input };
  if (input.Record) input.Record = withBytes(input.Record);
  if (input.Records) input.Records = input.Records.map(withBytes);
  return input;
}

async function answerTo(call) {
  try {
    const command = new firehose[`${call.operation}Command`](inputOf(call));
    const { $metadata, ...value } = await clientFor(call).send(command);
    return { value };
  } catch (error) {
    const answered = error.$response !== undefined || error.$metadata?.httpStatusCode !== undefined;
    return { error: answered ? error.name : "NoAnswer", message: String(error.message) };
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answerTo(JSON.parse(line))) + "\n");
}
