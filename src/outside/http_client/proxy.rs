//! Which requests go through a proxy, and which never do.

use std::net::IpAddr;

use http::Uri;

use crate::model::Secret;

/// What stands between us and the others. A proxy's URL may hold a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://`.
    pub http: Option<Secret>,
    /// For `https://`.
    pub https: Option<Secret>,
    /// Who is asked directly, as `NO_PROXY` says it: names, suffixes, addresses, networks, with commas.
    pub except: String,
    /// Whether loopback is asked directly all the same. Instance metadata always is.
    pub spare_loopback: bool,
}

impl Proxies {
    /// As the usual variables say: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in small
    /// letters or capitals. They speak for the whole machine, so loopback is spared.
    pub fn usual<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Proxies {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase()));
        let proxy = |name: &str| Some(Secret::new(either(name).or_else(|| either("all_proxy"))?));
        Proxies {
            http: proxy("http_proxy"),
            https: proxy("https_proxy"),
            except: either("no_proxy").unwrap_or_default().to_owned(),
            spare_loopback: true,
        }
    }

    /// This one for everything, as somebody wished in so many words.
    pub fn named(url: Secret, except: String) -> Proxies {
        Proxies {
            http: Some(url.clone()),
            https: Some(url),
            except,
            spare_loopback: false,
        }
    }

    pub(super) fn spare(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => is_metadata(address) || self.spare_loopback && address.is_loopback(),
            Err(_) => self.spare_loopback && (host == "localhost" || host.ends_with(".localhost")),
        }
    }
}

/// Where clouds keep instance and task credentials: link-local addresses.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        // fd00:ec2::254 and fd00:ec2::23 are Amazon's link-local addresses of IPv6.
        IpAddr::V6(address) => {
            address.segments()[..2] == [0xfd00, 0x0ec2] || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_variables_never_speak_for_loopback_and_nobody_for_instance_metadata() {
        let usual = Proxies::usual(|_| None);
        let named = Proxies::named(Secret::new("http://proxy"), String::new());
        for (uri, by_usual, by_named) in [
            ("http://127.0.0.1:9000/b", true, false),
            ("http://127.8.9.1/", true, false),
            ("https://[::1]:9000/", true, false),
            ("http://localhost:9000/", true, false),
            ("http://bucket.localhost:9000/", true, false),
            ("http://169.254.169.254/latest", true, true),
            ("http://169.254.170.2/credentials", true, true),
            ("http://[fd00:ec2::254]/latest", true, true),
            ("http://[fe80::1]/", true, true),
            ("https://s3.eu-west-1.amazonaws.com/", false, false),
            ("http://10.0.0.1/", false, false),
            ("https://localhost.example/", false, false),
            ("https://[fd00:ec3::254]/", false, false),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(usual.spare(&uri), by_usual, "{uri}, usual");
            assert_eq!(named.spare(&uri), by_named, "{uri}, named");
        }
    }

    #[test]
    fn small_letters_come_before_capitals_and_one_scheme_before_all() {
        let variables = |name: &str| match name {
            "https_proxy" => Some("http://small"),
            "HTTPS_PROXY" => Some("http://capital"),
            "ALL_PROXY" => Some("http://all"),
            "NO_PROXY" => Some("example.org,10.0.0.0/8"),
            _ => None,
        };
        let proxies = Proxies::usual(variables);
        let shown = |proxy: Option<Secret>| proxy.map(|it| it.reveal().to_string());
        assert_eq!(shown(proxies.https).as_deref(), Some("http://small"));
        assert_eq!(shown(proxies.http).as_deref(), Some("http://all"));
        assert_eq!(proxies.except, "example.org,10.0.0.0/8");
    }
}
