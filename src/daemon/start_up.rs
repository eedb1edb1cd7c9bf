//! The daemon as a process: real doors, sockets, signals, and the lines that say where to put.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::{Listen, Settings};
use crate::daemon::{Daemon, Doors, OpenError, Outcome, Sockets, following, signals};
use crate::model::StreamName;
use crate::outside::disk::{self, RealDisk};
use crate::outside::http_client::Network;
use crate::outside::{Clock, Dice, Followed, Surroundings};
use crate::server::{BindError, Identity, Listener, Producer};
use crate::telemetry::{Metrics, happened};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("failed to listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the daemon until a signal stops it. `configuration` says where the settings came from.
pub async fn start(
    settings: &Settings,
    configuration: &str,
    surroundings: &Surroundings,
) -> Result<Outcome, StartError> {
    let metrics = Metrics::default();
    let clock = Clock::system();
    let storage = &settings.storage.directory;
    happened::daemon::started(&metrics, clock.now(), configuration, storage);
    disk::outlive_size_limit().map_err(StartError::Signals)?;
    let (mut sockets, address) = bind(&settings.listen, surroundings).await?;
    let doors = Doors {
        disk: Box::new(|root| Arc::new(RealDisk::new(root))),
        http: Box::new(|settings| Ok(Arc::new(Network::open(settings)?))),
        clock,
        dice: Dice::system(),
        metrics,
    };
    let daemon = Daemon::open(settings, doors).await?;
    let mut beside = JoinSet::new();
    let wishes = signals::forward(&mut beside).map_err(StartError::Signals)?;
    let followed = followed(settings, &mut sockets);
    beside.spawn(following::follow(followed, surroundings.clone()));
    say_where(settings, address);
    let outcome = daemon.run(sockets, wishes).await;
    beside.shutdown().await;
    Ok(outcome)
}

/// Both ports first, so that a taken one is said before anything else happens.
async fn bind(
    listen: &Listen,
    surroundings: &Surroundings,
) -> Result<(Sockets, SocketAddr), BindError> {
    let firehose = Listener::bind(&listen.firehose, surroundings).await?;
    let admin = Listener::bind(&listen.admin, surroundings).await?;
    let address = firehose.local_address();
    happened::daemon::listening("puts", address);
    happened::daemon::listening("metrics and health", admin.local_address());
    let sockets = Sockets {
        firehose: Some(firehose),
        admin: Some(admin),
    };
    Ok((sockets, address))
}

/// Every file that is in use, and may change.
fn followed(settings: &Settings, sockets: &mut Sockets) -> Vec<Followed> {
    let listeners = [&mut sockets.firehose, &mut sockets.admin];
    let certificates = listeners
        .into_iter()
        .filter_map(|listener| listener.as_mut()?.take_followed());
    let secrets = settings.secret_files.iter().cloned();
    secrets.chain(certificates).collect()
}

/// Where to put, where objects will appear, and lines to copy.
fn say_where(settings: &Settings, address: SocketAddr) {
    let open_to_all = settings.producers.is_empty();
    if open_to_all {
        happened::daemon::anyone_may_put(address);
    }
    let scheme = match settings.listen.firehose.tls {
        Some(_) => "https",
        None => "http",
    };
    let endpoint = format!("{scheme}://{address}");
    for stream in &settings.streams {
        let objects = stream.description.destination.url();
        happened::daemon::stream_ready(&stream.name, &endpoint, objects);
    }
    let region = &settings.identity.region;
    let lines = match (settings.streams.first(), settings.producers.first()) {
        (None, _) => return,
        (Some(stream), None) => lines_to_copy(&endpoint, region, &stream.name).to_vec(),
        (Some(_), Some(producer)) => {
            let mut streams = settings.streams.iter().map(|stream| &stream.name);
            let may_see = |name: &&StreamName| producer.streams.iter().any(|it| it.matches(name));
            let stream = streams.find(may_see);
            let line = stream.map(|stream| line_of(producer, &endpoint, region, stream));
            line.into_iter().collect()
        }
    };
    for line in lines {
        happened::daemon::try_it(&line);
    }
    let others = settings.streams.len() - 1;
    if 0 < others && open_to_all {
        happened::daemon::others_likewise(others);
    }
}

/// Each works as it stands, with nothing configured at the client.
fn lines_to_copy(endpoint: &str, region: &str, stream: &StreamName) -> [String; 3] {
    let put = format!(
        "aws firehose put-record --endpoint-url {endpoint} --region {region} --no-sign-request \
         --delivery-stream-name {stream}"
    );
    [
        format!("curl -d 'hello from curl' {endpoint}/v1/streams/{stream}/records"),
        format!(
            "{put} --cli-binary-format raw-in-base64-out --record 'Data=\"hello from the CLI v2\"'"
        ),
        format!("{put} --record 'Data=\"hello from the CLI v1\"'"),
    ]
}

/// With the producer's own secret in the place of the dots.
fn line_of(producer: &Producer, endpoint: &str, region: &str, stream: &StreamName) -> String {
    match &producer.identity {
        Identity::Token(_) => format!(
            "curl -H 'Authorization: Bearer …' -d 'hello from curl' \
             {endpoint}/v1/streams/{stream}/records"
        ),
        Identity::AccessKey { access_key_id, .. } => format!(
            "curl --aws-sigv4 aws:amz:{region}:firehose --user '{access_key_id}:…' \
             -d 'hello from curl' {endpoint}/v1/streams/{stream}/records"
        ),
    }
}
