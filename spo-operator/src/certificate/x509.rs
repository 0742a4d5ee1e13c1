//! What of an X.509 certificate matters here: when it is valid, for which names, and whom it chains to.
//!
//! Whether a certificate is good is not decided here but by rustls, with the time as an argument: the API server's own rules.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A Secret has at most a MiB; nobody needs more certificates than this in one text.
const MOST: usize = 64;

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// DNS names and addresses.
    pub(super) names: BTreeSet<String>,
    /// Whether it may sign others.
    pub(super) is_authority: bool,
}

/// A text that should hold certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum X509Error {
    #[error("no certificate in PEM form")]
    None,
    #[error("more than {MOST} certificates")]
    TooMany,
    #[error("damaged PEM: {0}")]
    Pem(String),
    #[error("a damaged certificate: {0}")]
    Certificate(String),
}

impl Certificate {
    fn parse(der: CertificateDer<'static>) -> Result<Self, X509Error> {
        let damaged = |why: String| X509Error::Certificate(why);
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| damaged(error.to_string()))?;
        let time = |seconds| Timestamp::from_second(seconds).map_err(|error| damaged(error.to_string()));
        let validity = parsed.validity();
        let not_before = time(validity.not_before.timestamp())?;
        let not_after = time(validity.not_after.timestamp())?;
        let names = parsed.subject_alternative_name().map_err(|error| damaged(error.to_string()))?;
        let names = names.into_iter().flat_map(|names| &names.value.general_names).filter_map(name).collect();
        let is_authority = parsed.is_ca();
        Ok(Self { not_before, not_after, names, is_authority, der })
    }

    /// The certificates in `pem`, of which there is at least one.
    pub(super) fn all(pem: &[u8]) -> Result<Vec<Self>, X509Error> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).take(MOST + 1).collect();
        let found = found.map_err(|error| X509Error::Pem(error.to_string()))?;
        match found.len() {
            0 => Err(X509Error::None),
            1..=MOST => found.into_iter().map(Self::parse).collect(),
            _ => Err(X509Error::TooMany),
        }
    }

    /// As a text, one after the other.
    pub(super) fn pem(certificates: &[Self]) -> String {
        let unix = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let text = |one: &Self| pem::encode_config(&pem::Pem::new("CERTIFICATE", one.der.to_vec()), unix);
        certificates.iter().map(text).collect()
    }

    pub(super) fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Whether it names the server, as a client compares names.
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        ParsedCertificate::try_from(&self.der).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Whether a client that trusts `roots` accepts the chain, whose first is the server's own, for `name` at `now`.
pub(super) fn accepts(roots: &[Certificate], chain: &[Certificate], name: &ServerName<'_>, now: Timestamp) -> bool {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(|root| root.der.clone()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build() else {
        return false; // no roots
    };
    let Some((leaf, others)) = chain.split_first() else { return false };
    let others: Vec<CertificateDer<'_>> = others.iter().map(|other| other.der.clone()).collect();
    let Ok(seconds) = u64::try_from(now.as_second()) else { return false };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    verifier.verify_server_cert(&leaf.der, &others, name, &[], now).is_ok()
}

/// Whether the chain ends at `root`, whatever the time is.
pub(super) fn chains_to(root: &Certificate, chain: &[Certificate], name: &ServerName<'_>) -> bool {
    let Some(leaf) = chain.first() else { return false };
    let both_valid = leaf.not_before.max(root.not_before);
    accepts(std::slice::from_ref(root), chain, name, both_valid)
}
