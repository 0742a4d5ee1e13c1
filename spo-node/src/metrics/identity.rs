//! The certificate that metrics are served with: `tls.crt` and `tls.key` in a folder that is watched.
//!
//! A mounted Secret is such a folder, and it may be empty for a while. Until there is a certificate no handshake succeeds. What comes
//! is served from the next handshake on; a pair that does not belong together is half of a change, and leaves the one before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::status::chain;
use crate::watch::FolderWatch;

/// What is served right now.
#[derive(Debug, Default)]
pub(super) struct Identity(RwLock<Option<Arc<CertifiedKey>>>);

impl Identity {
    fn exchange(&self, key: CertifiedKey) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|current| current.cert != key.cert) {
            tracing::info!("serving metrics with a new certificate");
            *current = Some(Arc::new(key));
        }
    }

    /// None until there was one.
    pub(super) fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

/// Why nothing was read from the folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{0} is not in PEM form")]
    Pem(PathBuf, #[source] rustls::pki_types::pem::Error),
    #[error("there is no certificate in tls.crt")]
    Empty,
    #[error("tls.crt and tls.key do not belong together")]
    Mismatch(#[source] rustls::Error),
}

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    watch: FolderWatch,
    identity: Arc<Identity>,
}

impl Folder {
    /// Watches `path`, and has `identity` serve what is there.
    pub(super) fn open(path: &Path, identity: Arc<Identity>) -> Result<Self> {
        let watch = FolderWatch::new(path).with_context(|| {
            let path = path.display();
            format!("cannot watch the folder of certificates {path}; choose another by --metrics-cert-dir, or serve no metrics by --metrics-port 0")
        })?;
        let folder = Self { path: path.to_owned(), watch, identity };
        folder.take();
        Ok(folder)
    }

    /// Takes over what comes, until the folder is gone.
    pub(super) async fn follow(mut self) {
        loop {
            match self.watch.next().await {
                Ok(seen) if !seen.gone => self.take(),
                Ok(_) => {
                    return tracing::error!(folder = %self.path.display(), "the folder of certificates is gone; the last certificate stays");
                }
                Err(error) => {
                    return tracing::error!(folder = %self.path.display(), %error, "cannot watch certificates any more; the last one stays");
                }
            }
        }
    }

    fn take(&self) {
        match read(&self.path) {
            Ok(key) => self.identity.exchange(key),
            Err(error) => {
                let stays = self.identity.current().is_some();
                tracing::warn!(folder = %self.path.display(), error = %chain(&error), stays, "no certificate to serve metrics with; one that was there before stays");
            }
        }
    }
}

pub(super) fn read(folder: &Path) -> Result<CertifiedKey, FolderError> {
    let file = |name: &str| {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(error) => Err(FolderError::Read(path, error)),
        }
    };
    let (path, bytes) = file("tls.crt")?;
    let certificates = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| FolderError::Pem(path, error))?;
    if certificates.is_empty() {
        return Err(FolderError::Empty);
    }
    let (path, bytes) = file("tls.key")?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| FolderError::Pem(path, error))?;
    CertifiedKey::from_der(certificates, key, &rustls::crypto::ring::default_provider()).map_err(FolderError::Mismatch)
}
