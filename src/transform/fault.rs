//! What can be wrong with the answer for a record. Names and texts are Firehose's, to the letter:
//! people search for them, and programs read them.

/// None of them is a reason to ask again: the function ran well, and would say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `result` is `ProcessingFailed`: the function says so itself.
    ProcessingFailed,
    MissingRecordId,
    DuplicatedRecordId,
    /// `Ok`, and no data.
    InvalidReturnFormat,
    /// `Ok`, and the data is not base64.
    JsonMapping,
    /// Not JSON, or a `result` that there is not.
    JsonProcessing,
}

impl Fault {
    /// As `errorCode` of a failed line.
    pub fn code(self) -> &'static str {
        match self {
            Fault::ProcessingFailed => "Lambda.ProcessingFailedStatus",
            Fault::MissingRecordId => "Lambda.MissingRecordId",
            Fault::DuplicatedRecordId => "Lambda.DuplicatedRecordId",
            Fault::InvalidReturnFormat => "Lambda.InvalidReturnFormat",
            Fault::JsonMapping => "Lambda.JsonMappingException",
            Fault::JsonProcessing => "Lambda.JsonProcessingException",
        }
    }

    /// As `errorMessage` of a failed line.
    pub fn message(self) -> &'static str {
        match self {
            Fault::ProcessingFailed => "ProcessingFailed status set for record",
            Fault::MissingRecordId => {
                "One or more record Ids were not returned. Ensure that the Lambda function returns \
                 all received record Ids."
            }
            Fault::DuplicatedRecordId => {
                "Multiple records were returned with the same record Id. Ensure that the Lambda \
                 function returns a unique record Id for each record."
            }
            Fault::InvalidReturnFormat => {
                "The data field cannot be null when the SourceType is DirectPut or \
                 KinesisStreamAsSource and processing result is Ok. The value field cannot be null \
                 when the SourceType is MSKAsSource and processing result is Ok."
            }
            Fault::JsonMapping => {
                "There was an error parsing returned records from the Lambda function. Ensure that \
                 data field is base-64 encoded."
            }
            Fault::JsonProcessing => {
                "There was an error parsing returned records from the Lambda function. Ensure that \
                 the returned records follow the status model required by Kinesis Data Firehose."
            }
        }
    }
}
