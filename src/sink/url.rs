//! Where a server is that takes requests: what every such URL must be, and what of it may be shown.

use std::fmt;

use http::Uri;
use http::uri::Scheme;

use crate::outside::http_client::has_possible_port;

/// `http` or `https`, with a host, without a user. Only scheme and authority are ever shown: what
/// follows may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Uri);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    NotAUrl,
    HoldsUser,
}

impl ServerUrl {
    pub fn parse(text: &str) -> Result<ServerUrl, Unfit> {
        let uri: Uri = text.parse().map_err(|_| Unfit::NotAUrl)?;
        let known = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or(Unfit::NotAUrl)?;
        let is_possible = has_possible_port(&uri);
        if !known || authority.host().is_empty() || !is_possible {
            return Err(Unfit::NotAUrl);
        }
        if authority.as_str().contains('@') {
            return Err(Unfit::HoldsUser);
        }
        Ok(ServerUrl(uri))
    }

    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |it| it.as_str());
        write!(f, "{scheme}://{authority}")
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
