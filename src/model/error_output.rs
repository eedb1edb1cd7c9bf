//! What kinds of failures there are, as the failed output names them.

/// Firehose's error output types: the folder of the failed output, and what `!{firehose:error-output-type}`
/// becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorOutput {
    /// The transformer could not process them.
    Processing,
    HttpEndpoint,
    Splunk,
}

impl ErrorOutput {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorOutput::Processing => "processing-failed",
            ErrorOutput::HttpEndpoint => "http-endpoint-failed",
            ErrorOutput::Splunk => "splunk-failed",
        }
    }
}
