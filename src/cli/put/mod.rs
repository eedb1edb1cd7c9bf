//! `standpipe put`: lines into a stream.

mod client;
pub(super) mod lines;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use http::Uri;
use http::uri::Scheme;

use self::client::{Client, PutError};
use self::lines::Batches;
use super::{Configuration, Exit, Failure};
use crate::aws::{self, Profile, SignError, Signer};
use crate::config::{Loaded, plain_profile, usual_proxies};
use crate::model::StreamName;
use crate::outside::http_client::{HttpClient, Network, Settings};
use crate::outside::{Clock, Dice, Surroundings};

const HELP: &str = "\
Examples:
  standpipe put demo app.log
  journalctl -f -o json | standpipe put demo
  standpipe put clicks --endpoint https://standpipe.example:4573 --profile default -c client.yaml
  standpipe put clicks --endpoint https://standpipe.example:4573 --ca-file our-ca.crt app.log

The daemon is found at `listen.firehose` of the configuration, unless --endpoint says otherwise.
Requests are signed when the configuration has producers or --profile is given; with --endpoint
alone, when $AWS_ACCESS_KEY_ID or $AWS_PROFILE is set.

Exit codes: 0 all lines taken, 1 refused, 64 bad command line, 69 not reachable,
75 the daemon took no more, 78 bad configuration";

/// Sends lines to a stream, each as one record.
///
/// Reads a file or standard input and puts up to 500 lines or 4 MiB at once. The newline stays with
/// its line. Records that the daemon has no room for are put again, with pauses; a record whose
/// answer was lost may be there twice. Says how many were taken.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Put {
    /// The stream's name.
    stream: StreamName,

    /// What to send; without it standard input.
    file: Option<PathBuf>,

    /// Where the daemon is, such as http://127.0.0.1:4573.
    #[arg(long, value_name = "URL")]
    endpoint: Option<Uri>,

    /// Signs with this profile of the configuration's section `aws`; without it with what AWS's
    /// tools would use.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Certificate authorities to trust beside the system's, as PEM: of a daemon whose certificate a
    /// private authority signed.
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,

    #[command(flatten)]
    configuration: Configuration,
}

impl Put {
    pub fn run(&self, surroundings: &Surroundings) -> Result<Exit, Failure> {
        // Two threads: reading may block one of them.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(Exit::Disk, error))?;
        let mut client = runtime.block_on(self.client(surroundings))?;
        let input = self.input(surroundings)?;
        let mut taken = 0;
        let outcome = runtime.block_on(self.send(&mut client, input, &mut taken));
        let plural = if taken == 1 { "record" } else { "records" };
        println!("{taken} {plural} taken by `{}`", self.stream);
        outcome.map(|()| Exit::Stopped)
    }

    fn input(&self, surroundings: &Surroundings) -> Result<Box<dyn Read>, Failure> {
        let Some(path) = &self.file else {
            return Ok(Box::new(io::stdin()));
        };
        surroundings.open(path).map_err(|error| {
            let what = format!("failed to open `{}`: {error}", path.display());
            Failure::new(Exit::BadCommandLine, what)
        })
    }

    async fn send(
        &self,
        client: &mut Client,
        input: Box<dyn Read>,
        taken: &mut u64,
    ) -> Result<(), Failure> {
        let mut batches = Batches::of(input);
        loop {
            let batch = batches.next();
            let batch = batch.map_err(|error| Failure::new(Exit::No, error))?;
            if batch.is_empty() {
                return Ok(());
            }
            let put = client.put(batch, taken).await;
            put.map_err(|error| self.failure(error))?;
        }
    }

    async fn client(&self, surroundings: &Surroundings) -> Result<Client, Failure> {
        let target = self.target(surroundings)?;
        let http = self.network(&target, surroundings)?;
        let clock = Clock::system();
        let signer = match target.profile {
            None => None,
            Some(profile) => {
                let connection = aws::connect(&profile, http.clone(), clock.clone()).await;
                Some(Signer::new(connection, profile.region, "firehose"))
            }
        };
        Ok(Client {
            http,
            endpoint: target.endpoint,
            stream: self.stream.clone(),
            signer,
            clock,
            dice: Dice::system(),
        })
    }

    fn network(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<dyn HttpClient>, Failure> {
        let mut settings = match &target.profile {
            Some(profile) => profile.http.clone(),
            None => Settings {
                proxies: usual_proxies(surroundings),
                ..Settings::default()
            },
        };
        if let Some(path) = &self.ca_file {
            let read = surroundings.read(path).map_err(|error| {
                let what = format!("failed to read `{}`: {error}", path.display());
                Failure::new(Exit::BadCommandLine, what)
            });
            settings.ca_pem = Some(read?);
        }
        let network = Network::open(&settings);
        let network = network.map_err(|error| Failure::new(Exit::BadConfiguration, error))?;
        Ok(Arc::new(network))
    }

    fn failure(&self, error: PutError) -> Failure {
        let (exit, hint) = match &error {
            PutError::Send(error) if error.is_untrusted() => {
                let hint = "trust the authority that signed its certificate: `--ca-file PATH`";
                (Exit::Unreachable, Some(hint))
            }
            PutError::Send(_) => (
                Exit::Unreachable,
                Some("is the daemon running? `standpipe run`"),
            ),
            PutError::Refused { .. } => (Exit::No, None),
            PutError::Full { .. } => (Exit::TryAgain, None),
            PutError::Strange { .. } => (Exit::No, Some("is this a Standpipe daemon's address?")),
            PutError::Sign(SignError::Credentials(_)) => {
                let hint = "name a profile of the configuration: `--profile NAME`";
                (Exit::BadConfiguration, Some(hint))
            }
            PutError::Sign(SignError::Request(_)) => (Exit::Bug, None),
        };
        let failure = Failure::new(exit, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Where to put, and as whom.
struct Target {
    endpoint: Uri,
    /// `None`: unsigned.
    profile: Option<Profile>,
}

impl Put {
    fn target(&self, surroundings: &Surroundings) -> Result<Target, Failure> {
        let needs_configuration =
            self.endpoint.is_none() || self.profile.is_some() || self.configuration.is_named();
        if !needs_configuration {
            let may_sign = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"];
            let signs = may_sign
                .iter()
                .any(|name| surroundings.variable(name).is_some());
            let region = || surroundings.variable("AWS_REGION").unwrap_or("us-east-1");
            return Ok(Target {
                endpoint: self
                    .endpoint
                    .clone()
                    .expect("else the configuration is needed"),
                profile: signs.then(|| plain_profile("default", region(), surroundings)),
            });
        }
        let loaded = self.configuration.load(surroundings)?;
        let endpoint = self
            .endpoint
            .clone()
            .unwrap_or_else(|| listening_at(&loaded));
        let profile = match &self.profile {
            Some(name) => Some(named(name, &loaded)?),
            None if loaded.settings.producers.is_empty() => None,
            None => {
                let default = loaded
                    .profiles
                    .iter()
                    .find(|profile| profile.name == "default");
                let region = &loaded.settings.identity.region;
                Some(
                    default
                        .cloned()
                        .unwrap_or_else(|| plain_profile("default", region, surroundings)),
                )
            }
        };
        Ok(Target { endpoint, profile })
    }
}

/// The configuration's profile of this name.
pub(super) fn named(name: &str, loaded: &Loaded) -> Result<Profile, Failure> {
    let found = loaded.profiles.iter().find(|profile| profile.name == name);
    found.cloned().ok_or_else(|| {
        let what = format!("there is no profile `{name}` in the configuration");
        Failure::new(Exit::BadCommandLine, what).hint("its section `aws` names them")
    })
}

/// The daemon on this machine: one that listens everywhere is reached on loopback.
fn listening_at(loaded: &Loaded) -> Uri {
    let listener = &loaded.settings.listen.firehose;
    let mut address = listener.address;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    let scheme = if listener.tls.is_some() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    Uri::builder()
        .scheme(scheme)
        .authority(address.to_string())
        .path_and_query("/")
        .build()
        .expect("an address is an authority")
}
