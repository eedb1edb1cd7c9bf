//! TLS for a listener, from two PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::outside::Surroundings;
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
    #[error("the certificate in `{}` and the key in `{}` cannot be used", files.certificate_file.display(), files.key_file.display())]
    Unusable {
        files: TlsFiles,
        #[source]
        cause: rustls::Error,
    },
}

pub(super) fn acceptor(
    files: &TlsFiles,
    surroundings: &Surroundings,
) -> Result<TlsAcceptor, TlsError> {
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| TlsError::Unusable {
            files: files.clone(),
            cause,
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
