//! `standpipe put`: lines into a stream.

mod client;
pub(super) mod lines;
mod wire;

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use http::Uri;
use http::uri::Scheme;

use self::client::{Client, PutError};
use self::lines::{Batches, LineError};
use self::wire::Identity;
use super::{Configuration, Exit, Failure};
use crate::aws::{self, Profile, SignError, Signer};
use crate::config::{Loaded, plain_profile, usual_proxies};
use crate::model::StreamName;
use crate::outside::http_client::{HttpClient, Network, SendError, Settings, Trouble};
use crate::outside::{Clock, Dice, Surroundings};

const HELP: &str = "\
Examples:
  standpipe put demo app.log
  journalctl -f -o json | standpipe put demo
  standpipe put clicks --endpoint https://standpipe.example:4573 --profile default -c client.yaml
  standpipe put clicks --endpoint https://standpipe.example:4573 --ca-file our-ca.crt app.log
  standpipe put clicks --endpoint https://standpipe.example:4573 --token-file secrets/token app.log

The daemon is found at `listen.firehose` of the configuration, unless --endpoint says otherwise.
Requests are signed when the configuration has producers or --profile is given; with --endpoint
alone, when $AWS_ACCESS_KEY_ID or $AWS_PROFILE is set. With --token-file they bear that token.

Exit codes: 0 all lines taken, 1 refused, 64 bad command line, 69 not reachable,
75 the daemon took nothing for five minutes, 78 bad configuration";

/// Sends lines to a stream, each as one record.
///
/// Reads a file or standard input and puts up to 500 lines or 4 MiB at once. The newline stays with
/// its line. Records that the daemon has no room for are put again, with pauses, and so they are when
/// it is gone after it answered once, as in a restart: until it took nothing for five minutes. A
/// record whose answer was lost may be there twice. Says how many were taken.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Put {
    /// The stream's name.
    stream: StreamName,

    /// What to send; without it standard input.
    file: Option<PathBuf>,

    /// Where the daemon is, such as http://127.0.0.1:4573.
    #[arg(long, value_name = "URL", value_parser = super::endpoint)]
    endpoint: Option<Uri>,

    /// Signs with this profile of the configuration's section `aws`; without it with what AWS's
    /// tools would use.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Puts as the producer whose bearer token is in this file.
    #[arg(long, value_name = "PATH", conflicts_with = "profile")]
    token_file: Option<PathBuf>,

    /// Certificate authorities to trust beside the system's, as PEM: of a daemon whose certificate a
    /// private authority signed.
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,

    #[command(flatten)]
    configuration: Configuration,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to read `{}`", .path.display())]
struct Unreadable {
    path: PathBuf,
    #[source]
    cause: LineError,
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
        super::print(format_args!(
            "{taken} {plural} taken by `{}`\n",
            self.stream
        ));
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
            let batch = batch.map_err(|cause| self.unreadable(cause))?;
            if batch.is_empty() {
                return Ok(());
            }
            let put = client.put(batch, taken).await;
            put.map_err(|error| self.failure(error))?;
        }
    }

    fn unreadable(&self, cause: LineError) -> Failure {
        match &self.file {
            Some(path) => Failure::new(
                Exit::No,
                Unreadable {
                    path: path.clone(),
                    cause,
                },
            ),
            None => Failure::new(Exit::No, cause),
        }
    }

    async fn client(&self, surroundings: &Surroundings) -> Result<Client, Failure> {
        let target = self.target(surroundings)?;
        let http = self.network(&target, surroundings)?;
        let clock = Clock::system();
        let identity = match target.caller {
            Caller::Unsigned => Identity::Nobody,
            Caller::Bearer(identity) => identity,
            Caller::Signed(profile) => {
                let connection = aws::connect(&profile, http.clone(), clock.clone()).await;
                let signer = Signer::new(connection, profile.region, "firehose");
                Identity::Signer(Box::new(signer))
            }
        };
        Ok(Client {
            http,
            endpoint: target.endpoint,
            stream: self.stream.clone(),
            identity,
            clock,
            dice: Dice::system(),
            answered: false,
        })
    }

    fn network(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<dyn HttpClient>, Failure> {
        let mut settings = match &target.caller {
            Caller::Signed(profile) => profile.http.clone(),
            Caller::Unsigned | Caller::Bearer(_) => Settings {
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
            PutError::Send(error) => (Exit::Unreachable, unreachable_hint(error)),
            PutError::Refused { .. } => (Exit::No, ""),
            PutError::Full { .. } => (Exit::TryAgain, ""),
            PutError::Strange { .. } => (Exit::No, "is this a Standpipe daemon's address?"),
            PutError::Sign(SignError::Credentials(_)) => (
                Exit::BadConfiguration,
                "name a profile of the configuration: `--profile NAME`, or bear a producer's token: \
                 `--token-file PATH`",
            ),
            PutError::Sign(SignError::Request(_)) => (Exit::Bug, ""),
        };
        let failure = Failure::new(exit, error);
        match hint {
            "" => failure,
            hint => failure.hint(hint),
        }
    }
}

fn unreachable_hint(error: &SendError) -> &'static str {
    match error.trouble() {
        Trouble::BadCertificate if error.shows_authority() => {
            "make it a certificate of its own, with `basicConstraints=CA:FALSE`"
        }
        Trouble::UnknownIssuer => {
            "trust the authority that signed its certificate: `--ca-file PATH`"
        }
        Trouble::OtherHost => {
            "call it by a name that its certificate is for: `--endpoint https://NAME:PORT`"
        }
        Trouble::BadCertificate => "renew its certificate, or give it one that is for servers",
        Trouble::ClientCertificate => {
            "what listens there wants a certificate; standpipe's own does not"
        }
        Trouble::NotHttp => "does it answer with TLS? Then its URL begins with https://",
        Trouble::Handshake | Trouble::Tls => {
            "does it answer without TLS? Then its URL begins with http://"
        }
        Trouble::Unreachable
        | Trouble::ConnectTimedOut
        | Trouble::TimedOut
        | Trouble::TooLong
        | Trouble::BadStatus
        | Trouble::Broken => "is the daemon running? `standpipe run`",
    }
}

/// Where to put, and as whom.
struct Target {
    endpoint: Uri,
    caller: Caller,
}

enum Caller {
    Unsigned,
    Signed(Box<Profile>),
    Bearer(Identity),
}

impl Put {
    fn target(&self, surroundings: &Surroundings) -> Result<Target, Failure> {
        let bearer = self.bearer(surroundings)?;
        if let Some(endpoint) = &self.endpoint
            && self.profile.is_none()
            && !self.configuration.is_named()
        {
            return Ok(Target {
                endpoint: endpoint.clone(),
                caller: bearer.unwrap_or_else(|| usual_caller(surroundings)),
            });
        }
        let loaded = self.configuration.load(surroundings)?;
        let endpoint = self.endpoint.clone();
        let caller = match bearer {
            Some(bearer) => bearer,
            None => self.configured_caller(&loaded, surroundings)?,
        };
        Ok(Target {
            endpoint: endpoint.unwrap_or_else(|| listening_at(&loaded)),
            caller,
        })
    }

    fn bearer(&self, surroundings: &Surroundings) -> Result<Option<Caller>, Failure> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let shown = path.display();
        let text = surroundings.read_text(path).map_err(|error| {
            let what = format!("failed to read `{shown}`: {error}");
            Failure::new(Exit::BadCommandLine, what)
        })?;
        // Editors end a file with a newline.
        let identity = Identity::bearer(text.trim_end_matches(['\r', '\n']));
        let identity = identity.ok_or_else(|| {
            let what = format!("`{shown}` does not hold a bearer token: one line of visible text");
            Failure::new(Exit::BadCommandLine, what)
        })?;
        Ok(Some(Caller::Bearer(identity)))
    }

    fn configured_caller(
        &self,
        loaded: &Loaded,
        surroundings: &Surroundings,
    ) -> Result<Caller, Failure> {
        if let Some(name) = &self.profile {
            return Ok(Caller::Signed(Box::new(named(name, loaded)?)));
        }
        if loaded.settings.producers.is_empty() {
            return Ok(Caller::Unsigned);
        }
        let mut profiles = loaded.profiles.iter();
        let default = profiles.find(|profile| profile.name == "default").cloned();
        let region = &loaded.settings.identity.region;
        let profile = default.unwrap_or_else(|| plain_profile("default", region, surroundings));
        Ok(Caller::Signed(Box::new(profile)))
    }
}

/// Without a configuration: as AWS's tools would, if anything of theirs is set.
fn usual_caller(surroundings: &Surroundings) -> Caller {
    let may_sign = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"];
    let mut may_sign = may_sign.iter();
    if !may_sign.any(|name| surroundings.variable(name).is_some()) {
        return Caller::Unsigned;
    }
    let region = surroundings.variable("AWS_REGION").unwrap_or("us-east-1");
    Caller::Signed(Box::new(plain_profile("default", region, surroundings)))
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
