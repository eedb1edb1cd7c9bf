//! From a profile to what every SDK client of it is made of.
//!
//! Credentials are kept by the SDK's cache, one for all clients of a connection, which asks anew
//! shortly before they expire. Nothing of the environment is read unless the profile leaves its
//! credentials to the SDK's chain.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;

use super::connector::Connector;
use super::{AssumeRole, Credentials, Profile};
use crate::model::Secret;
use crate::outside::Clock;
use crate::outside::http_client::HttpClient;

/// How long before credentials expire new ones are asked for; the SDK draws up to half of it away.
/// An upload of a part takes longer than the SDK's own ten seconds.
pub(super) const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_secs(120);
/// STS or a credential process may be slow; the delivery behind it just waits.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);

/// Cheap to clone; clones share their credentials.
#[derive(Clone, Debug)]
pub struct Connection {
    config: SdkConfig,
    clock: Clock,
    keeping: Keeping,
}

/// How long credentials are used before they are asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// There is nothing to wait for, and whoever kept them would never ask again.
    Never,
    WhileGood,
}

impl Connection {
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn keeping(&self) -> Keeping {
        self.keeping
    }
}

/// Does not reach out: credentials are asked for with the first request.
pub async fn connect(profile: &Profile, http: Arc<dyn HttpClient>, clock: Clock) -> Connection {
    let bare = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(profile.region.clone()))
        .http_client(Connector::new(http))
        .time_source(WallClock(clock.clone()))
        .sleep_impl(TokioSleep::new())
        // Ours are the connector's time-outs and `retry`'s attempts.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // The stores compute checksums themselves: the SDK would wrap streams in chunks with a
        // trailer, which many servers do not take over plain HTTP, or keep as the object's encoding.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    let own = credentials(profile, &bare).await;
    let provider = match &profile.assume_role {
        Some(role) => SharedCredentialsProvider::new(assumed(role, &bare, own).await),
        None => own,
    };
    let keeping = match (&profile.credentials, &profile.assume_role) {
        (Credentials::Static { .. }, None) => Keeping::Never,
        (Credentials::Static { .. }, Some(_)) | (Credentials::Chain, _) => Keeping::WhileGood,
    };
    let cache = match keeping {
        Keeping::Never => IdentityCache::no_cache(),
        Keeping::WhileGood => IdentityCache::lazy()
            .buffer_time(REFRESH_BEFORE_EXPIRY)
            .load_timeout(CREDENTIALS_TIMEOUT)
            .build(),
    };
    let endpoint = profile.endpoint.as_ref().map(ToString::to_string);
    let mut config = bare.into_builder();
    config.set_endpoint_url(endpoint);
    let config = config.credentials_provider(provider).identity_cache(cache);
    Connection {
        config: config.build(),
        clock,
        keeping,
    }
}

async fn credentials(profile: &Profile, bare: &SdkConfig) -> SharedCredentialsProvider {
    match &profile.credentials {
        Credentials::Static {
            access_key_id,
            secret_access_key,
            session_token,
        } => SharedCredentialsProvider::new(Configured {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            session_token: session_token.clone(),
        }),
        Credentials::Chain => {
            let mut doors = ProviderConfig::default().with_region(bare.region().cloned());
            if let Some(http) = bare.http_client() {
                doors = doors.with_http_client(http);
            }
            if let Some(time) = bare.time_source() {
                doors = doors.with_time_source(time);
            }
            let chain = DefaultCredentialsChain::builder().configure(doors);
            let region = Region::new(profile.region.clone());
            SharedCredentialsProvider::new(chain.region(region).build().await)
        }
    }
}

async fn assumed(
    role: &AssumeRole,
    bare: &SdkConfig,
    own: SharedCredentialsProvider,
) -> AssumeRoleProvider {
    let mut sts = bare.clone().into_builder();
    sts.set_endpoint_url(role.endpoint.as_ref().map(ToString::to_string));
    // It is asked once for each grant, with the keys of that moment.
    sts.set_identity_cache(Some(IdentityCache::no_cache()));
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name(&role.session_name)
        .configure(&sts.build());
    if let Some(external_id) = &role.external_id {
        provider = provider.external_id(external_id);
    }
    provider.build_from_provider(own).await
}

/// Keys of the configuration, as they are now: their files may change.
#[derive(Debug)]
struct Configured {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

impl ProvideCredentials for Configured {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let token = self.session_token.as_ref().map(Secret::reveal);
        future::ProvideCredentials::ready(Ok(Keys::new(
            &self.access_key_id,
            &*self.secret_access_key.reveal(),
            token.map(|token| token.to_string()),
            None,
            "configuration",
        )))
    }
}

/// Our clock, as the SDK asks for it: signatures and expiry go by the same time as everything else.
#[derive(Debug)]
struct WallClock(Clock);

impl TimeSource for WallClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.now().as_millis())
    }
}
