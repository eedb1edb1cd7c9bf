//! Every hard limit, with its origin. `FIREHOSE_…` are Amazon Data Firehose's own.

use std::time::Duration;

use crate::model::ByteSize;

/// One record, decoded: 1,000 KiB (Firehose API, `Record.Data`).
pub const FIREHOSE_RECORD_BYTES_MAX: usize = 1_024_000;
/// Records in one PutRecordBatch (Firehose API).
pub const FIREHOSE_RECORDS_PER_PUT_MAX: usize = 500;
/// Data in one PutRecordBatch before base64: 4 MiB (Firehose API).
pub const FIREHOSE_PUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A delivery stream's name (Firehose API).
pub const FIREHOSE_STREAM_NAME_CHARACTERS_MAX: usize = 64;
/// Buffering hints of S3 (Firehose API: SizeInMBs 1–128, default 5).
pub const FIREHOSE_S3_BUFFER_SIZE_MIN: ByteSize = ByteSize::mebibytes(1);
pub const FIREHOSE_S3_BUFFER_SIZE_MAX: ByteSize = ByteSize::mebibytes(128);
pub const FIREHOSE_S3_BUFFER_SIZE_DEFAULT: ByteSize = ByteSize::mebibytes(5);
/// Buffering hints of S3 (IntervalInSeconds 60–900, default 300; from 0 with `low_latency`).
pub const FIREHOSE_BUFFER_INTERVAL_MIN: Duration = Duration::from_secs(60);
pub const FIREHOSE_BUFFER_INTERVAL_MAX: Duration = Duration::from_secs(900);
pub const FIREHOSE_BUFFER_INTERVAL_DEFAULT: Duration = Duration::from_secs(300);
/// Buffering hints of HTTP endpoints (Firehose API: SizeInMBs 1–64, IntervalInSeconds 0–900; the guide's
/// default, of all endpoints alike, is 60).
pub const FIREHOSE_ENDPOINT_BUFFER_SIZE_MAX: ByteSize = ByteSize::mebibytes(64);
pub const FIREHOSE_ENDPOINT_BUFFER_SIZE_DEFAULT: ByteSize = ByteSize::mebibytes(5);
pub const FIREHOSE_ENDPOINT_BUFFER_INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
/// Buffering hints of Splunk (Firehose API: SizeInMBs 1–5, IntervalInSeconds 0–60; both their defaults).
pub const FIREHOSE_SPLUNK_BUFFER_SIZE_MAX: ByteSize = ByteSize::mebibytes(5);
pub const FIREHOSE_SPLUNK_BUFFER_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// A prefix as written (Firehose API), and as evaluated (Firehose's own check).
pub const FIREHOSE_PREFIX_CHARACTERS_MAX: usize = 1024;
pub const FIREHOSE_EVALUATED_PREFIX_CHARACTERS_MAX: usize = 512;

/// What a failed line says of the reason (Firehose: an HTTP endpoint's `errorMessage`).
pub const FAILURE_MESSAGE_CHARACTERS_MAX: usize = 8_192;

/// A request to an HTTP endpoint: records, its body before compression, and how long it may take
/// (Firehose's HTTP endpoint specification); the answer with its headers, and its reason phrase.
pub const FIREHOSE_ENDPOINT_RECORDS_MAX: u64 = 10_000;
pub const FIREHOSE_ENDPOINT_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
pub const FIREHOSE_ENDPOINT_TIMEOUT: Duration = Duration::from_secs(180);
pub const FIREHOSE_ENDPOINT_ANSWER_BYTES_MAX: usize = 1024 * 1024;
pub const FIREHOSE_ENDPOINT_REASON_PHRASE_CHARACTERS_MAX: usize = 64;
/// An HTTP endpoint's URL, its key and its common attributes (Firehose API).
pub const FIREHOSE_ENDPOINT_URL_CHARACTERS_MAX: usize = 1000;
pub const FIREHOSE_ENDPOINT_ATTRIBUTES_MAX: usize = 50;
pub const FIREHOSE_ENDPOINT_ATTRIBUTE_NAME_CHARACTERS_MAX: usize = 256;
pub const FIREHOSE_ENDPOINT_ATTRIBUTE_VALUE_CHARACTERS_MAX: usize = 1024;
pub const FIREHOSE_ENDPOINT_ACCESS_KEY_CHARACTERS_MAX: usize = 4096;
/// How long HTTP endpoints and Splunk are tried again (Firehose API: 0 to 7200 seconds).
pub const FIREHOSE_RETRY_DURATION_MAX: Duration = Duration::from_secs(7200);
pub const FIREHOSE_RETRY_DURATION_DEFAULT: Duration = Duration::from_secs(300);
/// How long Splunk may take to acknowledge (Firehose API: 180 to 600 seconds).
pub const FIREHOSE_SPLUNK_ACK_TIMEOUT_MIN: Duration = Duration::from_secs(180);
pub const FIREHOSE_SPLUNK_ACK_TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// A request to Splunk: the largest batch that Firehose makes for it.
pub const SPLUNK_BODY_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Records in one request to Splunk: each costs an index entry; the bytes are what counts.
pub const SPLUNK_RECORDS_MAX: u64 = 250_000;
/// What is read of Splunk's answers: they are one line.
pub const SPLUNK_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A whole request body: 4 MiB of data in base64 is 5.6 MB; the rest is room for JSON around 500
/// records and for clients that escape every slash.
pub const REQUEST_BODY_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Records in one body of the plain endpoint: lines may be empty, and each costs an index entry.
pub const PLAIN_PUT_RECORDS_MAX: usize = 250_000;
/// What has arrived of request bodies and is held in memory at once, over all connections; past it puts
/// are told to slow down. Where several may put, one of them may hold half. Whoever knows a name can
/// claim it, and signed requests are read before they are proved: those that are not leave room for
/// more than one full body of a sender that is known.
pub const REQUEST_BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;
pub const PRODUCER_BYTES_IN_FLIGHT_MAX: usize = REQUEST_BYTES_IN_FLIGHT_MAX / 2;
pub const UNPROVED_BYTES_IN_FLIGHT_MAX: usize = REQUEST_BYTES_IN_FLIGHT_MAX / 4 * 3;
/// A request's head: its line and all its headers (tools and SDKs send one or two KiB). So much is also
/// read of a connection at once.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;
/// How far an HTTP/2 client may send ahead of us, on one connection.
pub const HTTP2_WINDOW_BYTES: u32 = 256 * 1024;
/// Buffers kept to be used again, beside those in use: four for full bodies, four for the records of
/// one (or many for answers), and some for reads of the log.
pub const SPARE_BODY_BYTES_MAX: usize = 24 * 1024 * 1024;
pub const SPARE_RECORD_BYTES_MAX: usize = 17 * 1024 * 1024;
pub const SPARE_READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connections open at once on one listener.
pub const CONNECTIONS_MAX: usize = 10_000;
/// File descriptors that connections leave to the log, its segments and the deliveries: 64 segments
/// twice, and a connection for each of a few dozen deliveries.
pub const DESCRIPTORS_RESERVED: u64 = 256;
/// How long a client may take for its headers, its whole body, between two pieces of it, and between two
/// requests.
pub const REQUEST_HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
pub const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(60);
pub const REQUEST_BODY_PAUSE_MAX: Duration = Duration::from_secs(10);
pub const CONNECTION_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long what is on its way may still take to arrive once a stop has begun.
pub const REQUEST_DRAIN_GRACE: Duration = Duration::from_secs(1);
/// How far a signature's date may be from our clock (AWS: five minutes).
pub const SIGNATURE_CLOCK_SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// Requests under way to one server, over as many connections as it takes: more than a disk can feed,
/// and less than a server would mind. A daemon with many streams would open hundreds otherwise.
pub const REQUESTS_PER_SERVER_MAX: usize = 64;

/// Bytes in one group commit: what a slow disk can be asked to sync at once (docs/performance.md).
pub const COMMIT_GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The payload of one frame, which is read as a whole: a full PutRecordBatch (4 MiB, and 4 bytes for
/// each record). Longer bodies of the plain endpoint are several frames.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024 + 4 * FIREHOSE_RECORDS_PER_PUT_MAX;
/// What a delivery reads from the log at once, but for a frame that is larger.
pub const READ_BYTES_MAX: usize = 1024 * 1024;
/// Batches of one stream that are being delivered at once.
pub const DELIVERIES_PER_STREAM_MAX: usize = 4;
/// The delivery plan inside a cut.
pub const PLAN_BYTES_MAX: usize = 8 * 1024;
/// Verdicts on the parts of one batch: neighbours that agree count once. When a batch has so many, what
/// failed of it is filed before it goes on.
pub const VERDICTS_PER_CUT_MAX: usize = 201;
/// Pieces of one batch that are under way at once, where the other side confirms later what it took.
pub const PIECES_UNDER_WAY_MAX: usize = 32;
/// The reasons in a batch's verdicts together; a later one may be cut shorter.
pub const VERDICT_MESSAGES_PER_CUT_BYTES_MAX: usize = 16 * 1024;
/// Where the pieces of a batch begin that are still to be sent. Halving alone needs one for each time a
/// part can be halved, which is 18 times.
pub const BORDERS_PER_CUT_MAX: usize = 60;
/// What a batch that is delivered in parts may take of every snapshot for its verdicts: each takes some
/// 80 bytes with the longest code, a border 12, and what was delivered is always taken note of.
pub const VERDICTS_PER_CUT_BYTES_MAX: usize = VERDICT_MESSAGES_PER_CUT_BYTES_MAX
    + 80 * (2 * VERDICTS_PER_CUT_MAX + 1)
    + 12 * BORDERS_PER_CUT_MAX;
/// Segments of the log, and how many make up `storage.max_size`.
pub const SEGMENT_SIZE_MIN: ByteSize = ByteSize::mebibytes(16);
pub const SEGMENT_SIZE_MAX: ByteSize = ByteSize::mebibytes(256);
pub const SEGMENTS_MAX: u64 = 64;
/// The least that `storage.max_size` can be: eight of the smallest segments.
pub const STORAGE_SIZE_MIN: ByteSize = ByteSize::mebibytes(128);
/// What the log may take of its file system at most: a full one stops more than this daemon.
pub const STORAGE_PERCENT_OF_FILE_SYSTEM_MAX: u64 = 80;
/// Free segments kept for control frames, a failed sync and the next life (modelled: two are not
/// enough).
pub const SEGMENTS_RESERVED: usize = 3;

/// Up to here an object is compressed in one go, above as a stream (docs/performance.md); and what one
/// part of a multipart upload holds (S3: at least 5 MiB but for the last one, at most 10,000 parts).
pub const OBJECT_WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;
pub const OBJECT_PART_BYTES: usize = 8 * 1024 * 1024;
/// What all objects on their way hold in memory at once, over all streams (docs/performance.md): eight
/// streamed uploads.
pub const OBJECT_BYTES_IN_MEMORY_MAX: usize = 8 * (OBJECT_PART_BYTES + FRAME_BYTES_MAX);
/// Up to here an object of known length is one streamed PUT; above, parts, so that a broken
/// connection costs a part and not all of it.
pub const OBJECT_SINGLE_PUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Fewer segments leave no room for records beside the reserve, the current one and two that are
/// alive.
pub const SEGMENTS_MIN: u64 = 8;
/// Bytes of puts that wait for the committer (32 MiB): four groups, more than a slow disk takes in a second.
pub const QUEUE_BYTES_MAX: usize = 4 * COMMIT_GROUP_BYTES_MAX;

/// The document of an invocation, and the function's answer (Lambda: 6 MB for each).
pub const LAMBDA_PAYLOAD_BYTES_MAX: usize = 6_291_556;
/// What all invocations hold in memory at once, over all streams (docs/performance.md): of several
/// streams, a busy one may have some half of it, which is five of the default size side by side.
pub const INVOCATION_BYTES_IN_MEMORY_MAX: usize = 160 * 1024 * 1024;
/// How long a function may take, whatever Lambda allows it (Firehose).
pub const FIREHOSE_INVOCATION_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How often a failed invocation is repeated (Firehose, `NumberOfRetries`).
pub const FIREHOSE_INVOCATION_RETRIES_MAX: u32 = 300;
pub const FIREHOSE_INVOCATION_RETRIES_DEFAULT: u32 = 3;
/// Buffering hints of a transformer (Firehose: BufferSizeInMBs 0.2–3, default 1, for Splunk 0.25;
/// BufferIntervalInSeconds 0–900, default 60).
pub const FIREHOSE_PROCESSING_SIZE_MIN: ByteSize = ByteSize::bytes((1 << 20) / 5);
pub const FIREHOSE_PROCESSING_SIZE_MAX: ByteSize = ByteSize::mebibytes(3);
pub const FIREHOSE_PROCESSING_SIZE_DEFAULT: ByteSize = ByteSize::mebibytes(1);
pub const FIREHOSE_PROCESSING_SIZE_SPLUNK: ByteSize = ByteSize::bytes((1 << 20) / 4);
pub const FIREHOSE_PROCESSING_INTERVAL_MAX: Duration = Duration::from_secs(900);
pub const FIREHOSE_PROCESSING_INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
/// Invocations side by side for one shard (Firehose).
pub const FIREHOSE_INVOCATIONS_PER_SHARD_MAX: usize = 5;
pub const FIREHOSE_INVOCATIONS_PER_SHARD_SPLUNK: usize = 10;
