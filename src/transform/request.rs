//! The document that a function gets, in the three forms that Firehose has:
//!
//! ```text
//! {"invocationId":"…","deliveryStreamArn":"…","region":"…","records":[
//!    {"recordId":"…","approximateArrivalTimestamp":1507217624302,"data":"SGVsbG8="}]}
//!
//! {"invocationId":"…","sourceKinesisStreamArn":"…","deliveryStreamArn":"…","region":"…","records":[
//!    {"recordId":"…","approximateArrivalTimestamp":…,"data":"…","kinesisRecordMetadata":{
//!       "sequenceNumber":"…","subsequenceNumber":0,"partitionKey":"…","shardId":"…",
//!       "approximateArrivalTimestamp":…}}]}
//!
//! {"invocationId":"…","sourceMSKArn":"…","deliveryStreamArn":"…","region":"…","records":[
//!    {"recordId":"…","approximateArrivalTimestamp":…,"kafkaRecordValue":"…","mskRecordMetadata":{
//!       "offset":"0","partitionId":"1","approximateArrivalTimestamp":…}}]}
//! ```
//!
//! It is written without blanks, and never larger than Lambda takes: a request ends before the record
//! that would be too much.

use std::ops::Range;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::invocation::{Invocation, KafkaMetadata, KinesisMetadata, Origin};
use crate::model::limits;

/// What a function is told about the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFacts {
    pub arn: String,
    pub region: String,
}

/// A document, and how many records it shows: at least one.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub document: Bytes,
    pub records: usize,
}

/// Everything around the records.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    invocation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_kinesis_stream_arn: Option<&'a str>,
    #[serde(rename = "sourceMSKArn", skip_serializing_if = "Option::is_none")]
    source_msk_arn: Option<&'a str>,
    delivery_stream_arn: &'a str,
    region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KinesisTold<'a> {
    #[serde(flatten)]
    metadata: &'a KinesisMetadata,
    approximate_arrival_timestamp: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KafkaTold {
    offset: String,
    partition_id: String,
    approximate_arrival_timestamp: u64,
}

const END: &[u8] = b"]}";

/// As many of these records as one request holds; `None` where even the first is too large.
pub(super) fn write(
    invocation: &Invocation,
    shown: Range<usize>,
    stream: &StreamFacts,
    invocation_id: Uuid,
) -> Option<Written> {
    let most = limits::LAMBDA_PAYLOAD_BYTES_MAX - END.len();
    let mut document = Vec::with_capacity(bytes_about(invocation, &shown).min(most + END.len()));
    begin(&mut document, invocation, stream, invocation_id);
    let mut records = 0;
    for n in shown {
        let before = document.len();
        if 0 < records {
            document.push(b',');
        }
        record(&mut document, invocation, n);
        if most < document.len() {
            document.truncate(before);
            break;
        }
        records += 1;
    }
    document.extend_from_slice(END);
    (0 < records).then(|| Written {
        document: document.into(),
        records,
    })
}

/// At most so many bytes of a document are this record's, whose own are `bytes`; as long as it has no
/// metadata.
pub(super) const fn record_bytes_max(bytes: usize) -> usize {
    const FRAME: usize = r#"{"recordId":"","approximateArrivalTimestamp":,"data":""},"#.len();
    const TIMESTAMP: usize = 20;
    FRAME + super::record_ids::CHARACTERS + TIMESTAMP + STANDARD.encoded_length(bytes)
}

/// Enough for the document, so that it is not copied as it grows.
fn bytes_about(invocation: &Invocation, shown: &Range<usize>) -> usize {
    const ENVELOPE: usize = 1024;
    const METADATA: usize = 256;
    let metadata = match invocation.origin {
        Origin::DirectPut => 0,
        Origin::Kinesis { .. } | Origin::Kafka { .. } => METADATA,
    };
    let bytes = shown.clone().map(|n| invocation.records.record(n).len());
    let each = bytes.map(|bytes| record_bytes_max(bytes) + metadata);
    ENVELOPE + each.sum::<usize>()
}

fn begin(out: &mut Vec<u8>, invocation: &Invocation, stream: &StreamFacts, invocation_id: Uuid) {
    let (kinesis, kafka) = match &invocation.origin {
        Origin::DirectPut => (None, None),
        Origin::Kinesis { stream_arn, .. } => (Some(stream_arn.as_str()), None),
        Origin::Kafka { cluster_arn, .. } => (None, Some(cluster_arn.as_str())),
    };
    let envelope = Envelope {
        invocation_id: invocation_id.to_string(),
        source_kinesis_stream_arn: kinesis,
        source_msk_arn: kafka,
        delivery_stream_arn: &stream.arn,
        region: &stream.region,
    };
    json(out, &envelope);
    let closed = out.pop();
    assert_eq!(closed, Some(b'}'), "an envelope is an object");
    out.extend_from_slice(br#","records":["#);
}

fn record(out: &mut Vec<u8>, invocation: &Invocation, n: usize) {
    let arrived = invocation.arrivals.of(n).as_millis();
    out.extend_from_slice(br#"{"recordId":""#);
    invocation.ids.write(n, out);
    out.extend_from_slice(br#"","approximateArrivalTimestamp":"#);
    json(out, &arrived);
    let (name, metadata): (&[u8], &[u8]) = match invocation.origin {
        Origin::DirectPut => (br#","data":""#, b""),
        Origin::Kinesis { .. } => (br#","data":""#, br#","kinesisRecordMetadata":"#),
        Origin::Kafka { .. } => (br#","kafkaRecordValue":""#, br#","mskRecordMetadata":"#),
    };
    out.extend_from_slice(name);
    STANDARD.encode_append(invocation.records.record(n), out);
    out.push(b'"');
    out.extend_from_slice(metadata);
    match &invocation.origin {
        Origin::DirectPut => {}
        Origin::Kinesis { metadata, .. } => json(
            out,
            &KinesisTold {
                metadata: &metadata[n],
                approximate_arrival_timestamp: arrived,
            },
        ),
        Origin::Kafka { metadata, .. } => {
            let KafkaMetadata { offset, partition } = metadata[n];
            let told = KafkaTold {
                offset: offset.to_string(),
                partition_id: partition.to_string(),
                approximate_arrival_timestamp: arrived,
            };
            json(out, &told);
        }
    }
    out.push(b'}');
}

fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("a vector takes all");
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::{DirectoryId, RecordsBuilder, Seq, Timestamp};
    use crate::transform::{Arrivals, RecordIds};

    fn invocation(records: &[Vec<u8>], origin: Origin) -> Invocation {
        let mut builder = RecordsBuilder::default();
        for record in records {
            builder.push(record);
        }
        Invocation {
            records: builder.build().unwrap(),
            ids: RecordIds::new(DirectoryId(5), 3, Seq::new(40)),
            arrivals: Arrivals::together(records.len(), Timestamp::from_millis(1_507_217_624_302)),
            origin,
        }
    }

    fn written(invocation: &Invocation) -> Option<Written> {
        let stream = StreamFacts {
            arn: "arn:aws:firehose:us-east-1:000000000000:deliverystream/s".to_owned(),
            region: "us-east-1".to_owned(),
        };
        write(invocation, invocation.whole(), &stream, Uuid::from_u128(7))
    }

    #[track_caller]
    fn check(records: &[&[u8]], origin: Origin, expected: Expect) {
        let records: Vec<_> = records.iter().map(|record| record.to_vec()).collect();
        let written = written(&invocation(&records, origin)).unwrap();
        assert_eq!(written.records, records.len());
        let text = String::from_utf8(written.document.to_vec()).unwrap();
        expected.assert_eq(&text.replace(",{\"rec", ",\n{\"rec"));
    }

    #[test]
    fn a_direct_put_is_shown_as_firehose_does() {
        check(
            &[b"Hello", b"", b"\xff\x00\n"],
            Origin::DirectPut,
            expect![[r#"
                {"invocationId":"00000000-0000-0000-0000-000000000007","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/s","region":"us-east-1","records":[{"recordId":"49000000000000000000000005000000000300000000000000000040000000","approximateArrivalTimestamp":1507217624302,"data":"SGVsbG8="},
                {"recordId":"49000000000000000000000005000000000300000000000000000041000000","approximateArrivalTimestamp":1507217624302,"data":""},
                {"recordId":"49000000000000000000000005000000000300000000000000000042000000","approximateArrivalTimestamp":1507217624302,"data":"/wAK"}]}"#]],
        );
    }

    #[test]
    fn records_of_kinesis_bring_their_metadata() {
        let metadata = KinesisMetadata {
            sequence_number: "4954".to_owned(),
            subsequence_number: 2,
            partition_key: "a \"key\" ü".to_owned(),
            shard_id: "shardId-000000000000".to_owned(),
        };
        let origin = Origin::Kinesis {
            stream_arn: "arn:aws:kinesis:us-east-1:1:stream/k".to_owned(),
            metadata: vec![metadata],
        };
        check(
            &[b"Hello"],
            origin,
            expect![[
                r#"{"invocationId":"00000000-0000-0000-0000-000000000007","sourceKinesisStreamArn":"arn:aws:kinesis:us-east-1:1:stream/k","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/s","region":"us-east-1","records":[{"recordId":"49000000000000000000000005000000000300000000000000000040000000","approximateArrivalTimestamp":1507217624302,"data":"SGVsbG8=","kinesisRecordMetadata":{"sequenceNumber":"4954","subsequenceNumber":2,"partitionKey":"a \"key\" ü","shardId":"shardId-000000000000","approximateArrivalTimestamp":1507217624302}}]}"#
            ]],
        );
    }

    #[test]
    fn records_of_kafka_have_no_data_but_a_value() {
        let metadata = KafkaMetadata {
            offset: 17,
            partition: 1,
        };
        let origin = Origin::Kafka {
            cluster_arn: "arn:aws:kafka:us-east-1:1:cluster/c".to_owned(),
            metadata: vec![metadata],
        };
        check(
            &[b"Hello"],
            origin,
            expect![[
                r#"{"invocationId":"00000000-0000-0000-0000-000000000007","sourceMSKArn":"arn:aws:kafka:us-east-1:1:cluster/c","deliveryStreamArn":"arn:aws:firehose:us-east-1:000000000000:deliverystream/s","region":"us-east-1","records":[{"recordId":"49000000000000000000000005000000000300000000000000000040000000","approximateArrivalTimestamp":1507217624302,"kafkaRecordValue":"SGVsbG8=","mskRecordMetadata":{"offset":"17","partitionId":"1","approximateArrivalTimestamp":1507217624302}}]}"#
            ]],
        );
    }

    /// A record whose document is as large as Lambda takes, or so many bytes smaller.
    fn largest(less: usize) -> Vec<u8> {
        let envelope = written(&invocation(&[Vec::new()], Origin::DirectPut)).unwrap();
        let base64 = limits::LAMBDA_PAYLOAD_BYTES_MAX - envelope.document.len() - less;
        vec![b'x'; base64 / 4 * 3]
    }

    #[test]
    fn a_document_is_at_most_as_large_as_lambda_takes() {
        let fits = invocation(&[largest(0)], Origin::DirectPut);
        let bytes = written(&fits).unwrap().document.len();
        assert!(
            (limits::LAMBDA_PAYLOAD_BYTES_MAX - 3..=limits::LAMBDA_PAYLOAD_BYTES_MAX)
                .contains(&bytes)
        );
        let mut past_it = largest(0);
        past_it.push(b'x');
        assert!(written(&invocation(&[past_it], Origin::DirectPut)).is_none());
    }

    #[test]
    fn a_request_ends_before_the_record_that_would_be_too_much() {
        let one_more = record_bytes_max(0);
        for (less, shown) in [(0, 1), (one_more - 10, 1), (one_more + 10, 2)] {
            let both = invocation(&[largest(less), Vec::new()], Origin::DirectPut);
            let written = written(&both).unwrap();
            assert_eq!(written.records, shown, "{less} bytes are free");
            serde_json::from_slice::<serde_json::Value>(&written.document).unwrap();
        }
    }

    #[test]
    fn three_mebibytes_in_few_records_are_one_request() {
        let records = vec![vec![b'x'; 256 << 10]; 12];
        let written = written(&invocation(&records, Origin::DirectPut)).unwrap();
        assert_eq!(written.records, 12);
    }

    #[test]
    fn what_a_record_takes_is_never_underestimated() {
        for bytes in [0, 1, 2, 3, 1_024_000] {
            let one = written(&invocation(&[vec![0; bytes]], Origin::DirectPut)).unwrap();
            let records = vec![vec![0; bytes]; 2];
            let two = written(&invocation(&records, Origin::DirectPut)).unwrap();
            assert!(two.document.len() - one.document.len() <= record_bytes_max(bytes));
        }
    }
}
