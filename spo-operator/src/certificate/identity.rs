//! The certificate that is served right now.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::x509::{Certificate, X509Error};
use crate::health::Gate;

/// A certificate with its key, which was seen to belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// The server's own first.
    pub(super) chain: Vec<Certificate>,
    key: Arc<CertifiedKey>,
}

/// A certificate and a key that cannot be served.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum PairError {
    #[error("tls.crt: {0}")]
    Certificate(#[from] X509Error),
    #[error("tls.key: no private key in PEM form: {0}")]
    Key(String),
    #[error("tls.crt and tls.key do not belong together: {0}")]
    Mismatch(rustls::Error),
}

impl Pair {
    pub(super) fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain = Certificate::all(certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| PairError::Key(error.to_string()))?;
        let provider = rustls::crypto::ring::default_provider();
        let certificates = chain.iter().map(|certificate| certificate.der.clone()).collect();
        let key = CertifiedKey::from_der(certificates, key, &provider).map_err(PairError::Mismatch)?;
        Ok(Self { chain, key: Arc::new(key) })
    }
}

/// What connections are served with: exchanged at any time, used from the next handshake on.
pub(crate) struct Identity {
    current: RwLock<Option<Pair>>,
    gate: Gate,
}

impl Identity {
    /// None yet; `gate` is opened with the first.
    pub(crate) fn new(gate: Gate) -> Arc<Self> {
        Arc::new(Self { current: RwLock::new(None), gate })
    }

    /// Serves `pair` from now on.
    pub(super) fn exchange(&self, pair: Pair) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| current.chain == pair.chain) {
            return;
        }
        let leaf = &pair.chain[0];
        tracing::info!(names = ?leaf.names, not_after = %leaf.not_after, "serving with a new certificate");
        *current = Some(pair);
        self.gate.open();
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|pair| pair.key.clone())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
