//! AWS profiles: endpoint, region and credentials, and the SDK's connector onto our HTTP door.

mod connection;
mod connector;
mod signing;

use crate::model::Secret;
use crate::outside::http_client;

pub use connection::{Connection, connect};
pub use signing::{SignError, Signer};

/// A named set of settings for talking to AWS, or to whoever speaks its protocols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub region: String,
    /// `None`: AWS's own, for the region.
    pub endpoint: Option<http::Uri>,
    pub path_style: bool,
    /// Whether to send and ask for checksums wherever possible (AWS and newer servers), or only where
    /// an operation demands them (older servers that refuse what they do not know).
    pub checksums: Checksums,
    pub credentials: Credentials,
    /// Taken on with the credentials above.
    pub assume_role: Option<AssumeRole>,
    /// How its servers are reached.
    pub http: http_client::Settings,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    #[default]
    WhenSupported,
    WhenRequired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Environment, profile files, container and instance metadata, in the SDK's order.
    Chain,
    Static {
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    pub arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
    /// Where STS answers; `None`: AWS's own, for the region.
    pub endpoint: Option<http::Uri>,
}
