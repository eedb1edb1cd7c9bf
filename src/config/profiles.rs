//! The section `aws`: profiles, as AWS users know them.

use super::kind::{ACCESS_KEY_ID, BOOL, ENDPOINT, REGION, TEXT};
use super::outbound::{self, usual_proxies};
use super::place::Place;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told, with_nearest};
use super::secret;
use crate::aws::{AssumeRole, Checksums, Credentials, Profile};
use crate::outside::Surroundings;
use crate::outside::http_client;

pub static ALL: [&Keys; 2] = [&PROFILE, &ASSUME_ROLE];
static PROFILE: Keys = Keys {
    known: &[
        "region",
        "endpoint",
        "path_style",
        "checksums",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "assume_role",
        "ca_file",
        "client_certificate_file",
        "client_key_file",
        "proxy",
    ],
    later: &[],
};
static ASSUME_ROLE: Keys = Keys {
    known: &["arn", "external_id", "session_name", "endpoint"],
    later: &[],
};

/// The profile of whoever names none.
pub const DEFAULT: &str = "default";
/// What foreign servers call themselves when nobody asked.
const FOREIGN_REGION: &str = "us-east-1";

pub fn read(root: &Block<'_>) -> Result<Vec<Profile>, Told> {
    let (section, entries) = root.named("aws")?;
    let read = entries.iter().map(|entry| {
        let block = section.open_entry(entry, &PROFILE)?;
        profile(&block, &entry.key)
    });
    let mut profiles = read
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<Vec<_>, Told>>()?;
    let has_default = profiles.iter().any(|profile| profile.name == DEFAULT);
    if !has_default && let Some((variable, region)) = region_of_surroundings(root) {
        let profile = plain_profile(DEFAULT, &region, root.reading.surroundings);
        profiles.push(profile);
        let place = Place::variable(variable);
        root.reading.say(
            &place,
            "aws.default.region",
            &profiles[profiles.len() - 1].region,
        );
    }
    Ok(profiles)
}

/// AWS itself, with whatever credentials the SDK finds.
pub fn plain_profile(name: &str, region: &str, surroundings: &Surroundings) -> Profile {
    Profile {
        name: name.to_owned(),
        region: region.to_owned(),
        endpoint: None,
        path_style: false,
        checksums: Checksums::default(),
        credentials: Credentials::Chain,
        assume_role: None,
        http: http_client::Settings {
            proxies: usual_proxies(surroundings),
            ..http_client::Settings::default()
        },
    }
}

fn profile(block: &Block<'_>, name: &str) -> Result<Profile, Told> {
    let endpoint = block.optional("endpoint", &ENDPOINT);
    if let Ok(Some(endpoint)) = &endpoint {
        outbound::warn_if_in_the_open(block, "endpoint", &endpoint.to_string());
    }
    let region = region(block);
    let path_style = block.or("path_style", &BOOL, false);
    let words = [
        ("when_supported", Checksums::WhenSupported),
        ("when_required", Checksums::WhenRequired),
    ];
    let checksums = block.choice("checksums", &words, Checksums::default());
    let credentials = credentials(block);
    let role = block.block_if_given("assume_role", &ASSUME_ROLE);
    let assume_role = role.and_then(|role| role.map(|role| assume_role(&role)).transpose());
    let http = outbound::settings(block);
    Ok(Profile {
        region: region?,
        endpoint: endpoint?,
        path_style: path_style?,
        checksums: checksums?,
        credentials: credentials?,
        assume_role: assume_role?,
        http: http?,
        name: name.to_owned(),
    })
}

/// What is written, else what AWS's tools would take, else a foreign server's.
fn region(block: &Block<'_>) -> Result<String, Told> {
    if let Some(region) = block.optional("region", &REGION)? {
        return Ok(region);
    }
    let (place, region) = match region_of_surroundings(block) {
        Some((variable, region)) => (Place::variable(variable), region),
        None if block.entry("endpoint").is_some() => {
            (Place::default_value(), FOREIGN_REGION.to_owned())
        }
        None => return Err(block.missing("region")),
    };
    block.reading.say(&place, &block.at("region"), &region);
    Ok(region)
}

fn region_of_surroundings(block: &Block<'_>) -> Option<(&'static str, String)> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|variable| {
            let region = block.reading.surroundings.variable(variable)?;
            Some((variable, region.to_owned()))
        })
}

fn credentials(block: &Block<'_>) -> Result<Credentials, Told> {
    let keys = ["access_key_id", "secret_access_key", "session_token"];
    if keys.iter().all(|key| block.entry(key).is_none()) {
        let shown = "the SDK's chain: environment, profile files, container, instance";
        block
            .reading
            .say(&Place::default_value(), &block.at("credentials"), shown);
        return Ok(Credentials::Chain);
    }
    let access_key_id = block.required("access_key_id", &ACCESS_KEY_ID);
    let secret_access_key = block.required_secret("secret_access_key", secret::ANY);
    let session_token = block.optional_secret("session_token", secret::HEADER);
    Ok(Credentials::Static {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: session_token?,
    })
}

fn assume_role(block: &Block<'_>) -> Result<AssumeRole, Told> {
    let arn = block.required("arn", &TEXT).and_then(|arn| {
        if arn.starts_with("arn:") && arn.contains(":role/") {
            return Ok(arn);
        }
        let wrong = Wrong::new(format!("`{arn}` is not a role's ARN"));
        Err(block.wrong(
            "arn",
            wrong.hint("e.g. `arn:aws:iam::123456789012:role/lake`"),
        ))
    });
    let external_id = block.optional("external_id", &TEXT);
    let session_name = block.or("session_name", &TEXT, "standpipe".to_owned());
    let endpoint = block.optional("endpoint", &ENDPOINT);
    Ok(AssumeRole {
        arn: arn?,
        external_id: external_id?,
        session_name: session_name?,
        endpoint: endpoint?,
    })
}

/// The profile that a block names, else the one of whoever names none.
pub fn chosen(block: &Block<'_>, known: &Result<Vec<Profile>, Told>) -> Result<Profile, Told> {
    let name = block.or("profile", &TEXT, DEFAULT.to_owned())?;
    let known = known.as_ref().map_err(|told| *told)?;
    if let Some(profile) = known.iter().find(|profile| profile.name == name) {
        return Ok(profile.clone());
    }
    let names: Vec<&str> = known.iter().map(|profile| profile.name.as_str()).collect();
    let wrong = Wrong::new(format!("there is no profile `{name}`"));
    let wrong = match with_nearest(wrong, &name, &names) {
        Wrong { what, hint: None } => Wrong::new(what).hint(format!(
            "say where it is: `aws: {{ {name}: {{ region: eu-west-1 }} }}`"
        )),
        wrong => wrong,
    };
    Err(block.wrong("profile", wrong))
}
