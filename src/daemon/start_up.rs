//! The daemon as a process: real doors, sockets, signals, and the lines that say where to put.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::config::{Listen, Settings};
use crate::daemon::{Daemon, Doors, OpenError, Outcome, Sockets, signals};
use crate::outside::disk::RealDisk;
use crate::outside::http_client::Network;
use crate::outside::{Clock, Dice};
use crate::server::{BindError, Listener};
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
pub async fn start(settings: &Settings, configuration: &str) -> Result<Outcome, StartError> {
    let metrics = Metrics::default();
    let clock = Clock::system();
    let storage = &settings.storage.directory;
    happened::daemon::started(&metrics, clock.now(), configuration, storage);
    let (sockets, address) = bind(&settings.listen).await?;
    let doors = Doors {
        disk: Box::new(|root| Arc::new(RealDisk::new(root))),
        http: Box::new(|settings| Ok(Arc::new(Network::open(settings)?))),
        clock,
        dice: Dice::system(),
        metrics,
    };
    let daemon = Daemon::open(settings, doors).await?;
    let mut forwarding = JoinSet::new();
    let wishes = signals::forward(&mut forwarding).map_err(StartError::Signals)?;
    say_where(settings, address);
    let outcome = daemon.run(sockets, wishes).await;
    forwarding.shutdown().await;
    Ok(outcome)
}

/// Both ports first, so that a taken one is said before anything else happens.
async fn bind(listen: &Listen) -> Result<(Sockets, SocketAddr), BindError> {
    let firehose = Listener::bind(&listen.firehose).await?;
    let admin = Listener::bind(&listen.admin).await?;
    let address = firehose.local_address();
    happened::daemon::listening("puts", address);
    happened::daemon::listening("metrics and health", admin.local_address());
    let sockets = Sockets {
        firehose: Some(firehose),
        admin: Some(admin),
    };
    Ok((sockets, address))
}

fn say_where(settings: &Settings, address: SocketAddr) {
    if settings.producers.is_empty() {
        happened::daemon::anyone_may_put(address);
    }
    let scheme = match settings.listen.firehose.tls {
        Some(_) => "https",
        None => "http",
    };
    for stream in &settings.streams {
        let put_to = format!("{scheme}://{address}/v1/streams/{}/records", stream.name);
        happened::daemon::stream_ready(&stream.name, &put_to, &stream.description.destination.url);
    }
}
