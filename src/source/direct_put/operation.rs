//! The operations of the Firehose API.

use bytes::Bytes;

use crate::server::Caller;
use crate::source::direct_put::answer::Answered;
use crate::source::direct_put::{DirectPut, parse, validate};

/// Those that AWS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    PutRecord,
    PutRecordBatch,
    DescribeDeliveryStream,
    ListDeliveryStreams,
    ListTagsForDeliveryStream,
    /// Known to AWS, not offered here: streams are changed in the configuration.
    NotOffered(&'static str),
}

const NOT_OFFERED: [&str; 7] = [
    "CreateDeliveryStream",
    "DeleteDeliveryStream",
    "StartDeliveryStreamEncryption",
    "StopDeliveryStreamEncryption",
    "TagDeliveryStream",
    "UntagDeliveryStream",
    "UpdateDestination",
];

impl Operation {
    /// By the `X-Amz-Target` header.
    pub(super) fn of(target: &str) -> Option<Operation> {
        let name = target.strip_prefix("Firehose_20150804.")?;
        match name {
            "PutRecord" => Some(Operation::PutRecord),
            "PutRecordBatch" => Some(Operation::PutRecordBatch),
            "DescribeDeliveryStream" => Some(Operation::DescribeDeliveryStream),
            "ListDeliveryStreams" => Some(Operation::ListDeliveryStreams),
            "ListTagsForDeliveryStream" => Some(Operation::ListTagsForDeliveryStream),
            name => {
                let known = NOT_OFFERED.into_iter().find(|known| *known == name)?;
                Some(Operation::NotOffered(known))
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::PutRecord => "PutRecord",
            Operation::PutRecordBatch => "PutRecordBatch",
            Operation::DescribeDeliveryStream => "DescribeDeliveryStream",
            Operation::ListDeliveryStreams => "ListDeliveryStreams",
            Operation::ListTagsForDeliveryStream => "ListTagsForDeliveryStream",
            Operation::NotOffered(name) => name,
        }
    }
}

impl DirectPut {
    pub(super) async fn operate(
        &self,
        operation: Operation,
        caller: &Caller,
        body: &[u8],
    ) -> Answered {
        match operation {
            Operation::PutRecord => self.put_record(caller, body).await,
            Operation::PutRecordBatch => self.put_record_batch(caller, body).await,
            Operation::DescribeDeliveryStream => self.describe(caller, body),
            Operation::ListDeliveryStreams => self.list(caller, body),
            Operation::ListTagsForDeliveryStream => self.list_tags(caller, body),
            Operation::NotOffered(action) => {
                let named: parse::Named = parse::json(body)?;
                let stream = validate::named(&named)?;
                Err(self.settings.denied(caller, action, stream))
            }
        }
    }

    /// At most `Limit` names, in order, each strictly after the start name.
    fn list(&self, caller: &Caller, body: &[u8]) -> Answered {
        let asked: parse::List = parse::json(body)?;
        validate::list(&asked)?;
        let limit = asked
            .limit
            .map_or(LIST_LIMIT_DEFAULT, |limit| limit.0 as usize);
        let after = asked.exclusive_start_delivery_stream_name.as_deref();
        // Direct put is the only type that streams here have.
        let wanted = asked
            .delivery_stream_type
            .as_deref()
            .is_none_or(|it| it == "DirectPut");
        let mut names = self
            .streams
            .keys()
            .filter(|name| wanted && caller.may_see(name))
            .map(|name| name.as_str())
            .skip_while(|name| after.is_some_and(|after| *name <= after));
        let shown: Vec<&str> = names.by_ref().take(limit).collect();
        let more = names.next().is_some();
        let shown = serde_json::to_string(&shown).expect("strings are always JSON");
        let text = format!(r#"{{"DeliveryStreamNames":{shown},"HasMoreDeliveryStreams":{more}}}"#);
        Ok(text.into())
    }

    fn list_tags(&self, caller: &Caller, body: &[u8]) -> Answered {
        let asked: parse::ListTags = parse::json(body)?;
        let name = validate::list_tags(&asked)?;
        self.stream(name, caller, "ListTagsForDeliveryStream")?;
        Ok(Bytes::from_static(br#"{"HasMoreTags":false,"Tags":[]}"#))
    }
}

/// Firehose API: "the default value is 10".
const LIST_LIMIT_DEFAULT: usize = 10;
