//! TLS for a listener, from two PEM files, which may be replaced while it listens.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::outside::{Followed, Surroundings};
use crate::server::TlsFiles;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("failed to read `{}`", file.display())]
    File {
        file: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("`{}` must hold a certificate or a key as PEM", file.display())]
    NotPem {
        file: PathBuf,
        #[source]
        cause: pem::Error,
    },
    #[error("`{}` holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("the key in `{}` is not that of the certificate in `{}`", .0.key_file.display(), .0.certificate_file.display())]
    OfAnother(TlsFiles),
    #[error("the certificate in `{}` and the key in `{}` cannot be used", files.certificate_file.display(), files.key_file.display())]
    Unusable {
        files: TlsFiles,
        #[source]
        cause: rustls::Error,
    },
}

impl TlsError {
    /// Rather than of the key, or of how the two belong together.
    pub fn is_of_certificate(&self, files: &TlsFiles) -> bool {
        match self {
            TlsError::File { file, .. } | TlsError::NotPem { file, .. } => {
                *file == files.certificate_file
            }
            TlsError::NoCertificate(_) => true,
            TlsError::OfAnother(_) | TlsError::Unusable { .. } => false,
        }
    }
}

impl TlsFiles {
    /// Whether a listener could use what they hold now.
    pub fn check(&self, surroundings: &Surroundings) -> Result<(), TlsError> {
        certified(self, surroundings).map(drop)
    }
}

/// The certificate that new connections are shown; none only until the first is read.
#[derive(Debug, Default)]
struct Shown(RwLock<Option<Arc<CertifiedKey>>>);

impl Shown {
    fn replace(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

/// Also answers what to follow: a changed certificate is shown to whoever connects after it.
pub(super) fn acceptor(
    files: &TlsFiles,
    surroundings: &Surroundings,
) -> Result<(TlsAcceptor, Followed), TlsError> {
    let shown = Arc::new(Shown::default());
    let followed = {
        let (shown, files) = (Arc::clone(&shown), files.clone());
        let paths = vec![files.certificate_file.clone(), files.key_file.clone()];
        Followed::new(paths, surroundings, move |surroundings| {
            shown.replace(certified(&files, surroundings)?);
            Ok::<_, TlsError>(())
        })
    };
    shown.replace(certified(files, surroundings)?);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), followed))
}

/// What the files hold now: a certificate, and the key that belongs to it.
fn certified(files: &TlsFiles, surroundings: &Surroundings) -> Result<CertifiedKey, TlsError> {
    let read = |file: &Path| {
        let read = surroundings.read(file);
        read.map_err(|cause| TlsError::File {
            file: file.to_owned(),
            cause,
        })
    };
    let not_pem = |file: &Path| {
        let file = file.to_owned();
        move |cause| TlsError::NotPem { file, cause }
    };
    let certificates = read(&files.certificate_file)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificates)
        .collect::<Result<_, _>>()
        .map_err(not_pem(&files.certificate_file))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate_file.clone()));
    }
    let key = read(&files.key_file)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(not_pem(&files.key_file))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|cause| {
        let files = files.clone();
        match cause {
            rustls::Error::InconsistentKeys(_) => TlsError::OfAnother(files),
            cause => TlsError::Unusable { files, cause },
        }
    })
}
