//! The failed line: what the failed output says of each record that could not be processed or
//! delivered. Written and parsed here and nowhere else.
//!
//! One JSON object a line, in the three shapes of Firehose (its 2026 order and casing), here with
//! line breaks:
//!
//! ```json
//! {"rawData":"aGVsbG8=","errorCode":"Lambda.FunctionError","errorMessage":"…","attemptsMade":4,
//!  "arrivalTimestamp":1757500000000,"attemptEndingTimestamp":1757500190000,
//!  "lambdaArn":"arn:aws:lambda:…"}
//! {"attemptsMade":5,"arrivalTimestamp":1594265943615,
//!  "errorCode":"HttpEndpoint.DestinationException","errorMessage":"…",
//!  "attemptEndingTimestamp":1594266081318,"rawData":"c2FtcGxl","subsequenceNumber":0,
//!  "dataId":"49….0"}
//! {"attemptsMade":0,"arrivalTimestamp":1506035354675,"errorCode":"Splunk.AckTimeout",
//!  "errorMessage":"…","attemptEndingTimestamp":1506035999000,"rawData":"…","EventId":"49….0"}
//! ```

mod line;

pub use line::{Cause, Line, ParseError, Parsed, parse};
