//! TLS for a listener, from two PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::server::TlsFiles;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("failed to read `{}`: it must hold PEM", file.display())]
    File {
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

pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |cause| TlsError::File { file, cause }
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(&files.certificate_file)
            .and_then(Iterator::collect)
            .map_err(unreadable(&files.certificate_file))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate_file.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(unreadable(&files.key_file))?;
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
