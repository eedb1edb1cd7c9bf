//! Authorities and client certificates, from PEM. They are looked at when the configuration is read,
//! so that what cannot be used is told before anything is sent.

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{ClientIdentity, OpenError};

/// Whether these are authorities that a server's certificate can be checked against.
pub fn check_authorities(pem: &[u8]) -> Result<(), OpenError> {
    add_authorities(&mut RootCertStore::empty(), pem)
}

pub(super) fn add_authorities(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), OpenError> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|cause| OpenError::Certificates(cause.into()))?;
        let added = roots.add(certificate);
        added.map_err(|cause| OpenError::Certificates(cause.into()))?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err(OpenError::NoCertificate)
    }
}

impl ClientIdentity {
    /// Whether the key is the certificate's, and both are such that they can be shown.
    pub fn check(&self) -> Result<(), OpenError> {
        let (chain, key) = certificate_and_key(self)?;
        match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InconsistentKeys(_)) => Err(OpenError::KeyOfAnother),
            Err(cause) => Err(OpenError::Identity(cause.into())),
        }
    }
}

type CertificateAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) fn certificate_and_key(
    identity: &ClientIdentity,
) -> Result<CertificateAndKey, OpenError> {
    let unreadable = |cause: Error| OpenError::Identity(cause.into());
    let chain = CertificateDer::pem_slice_iter(&identity.certificate_pem);
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.reveal().as_bytes());
    Ok((chain, key.map_err(unreadable)?))
}
