//! Certificates with their keys, made anew: nobody's tests end when one of them does.

use std::sync::LazyLock;

use rcgen::{CertificateParams, KeyPair};

/// As PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

pub static OURS: LazyLock<Pair> = LazyLock::new(made);
pub static ANOTHER: LazyLock<Pair> = LazyLock::new(made);

fn made() -> Pair {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    Pair {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}
