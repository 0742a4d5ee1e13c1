//! The operator's own certificate authority.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::identity::{Pair, PairError};
use super::x509::{Certificate, X509Error};

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

/// A certificate that signs, its key, and all that consumers are to trust.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) certificate: Certificate,
    /// In PEM form.
    pub(super) key: String,
    /// The certificate first, then those that came before it and that are still in use.
    pub(super) bundle: Vec<Certificate>,
}

/// Certificate and key in PEM form.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// An authority that is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error("tls.crt is no certificate authority")]
    NoAuthority,
    #[error("ca.crt: {0}")]
    Bundle(#[from] X509Error),
    #[error("cannot sign")]
    Sign(#[from] rcgen::Error),
}

impl Authority {
    /// Reads one. Whatever else `bundle` holds, the certificate itself is trusted first.
    pub(super) fn parse(certificate: &[u8], key: &[u8], bundle: &[u8]) -> Result<Self, AuthorityError> {
        let pair = Pair::parse(certificate, key)?;
        let own = pair.chain.into_iter().next().filter(|own| own.is_authority).ok_or(AuthorityError::NoAuthority)?;
        let mut all = vec![own.clone()];
        all.extend(Certificate::all(bundle)?.into_iter().filter(|one| *one != own));
        Ok(Self { certificate: own, key: String::from_utf8_lossy(key).into_owned(), bundle: all })
    }

    /// Makes a new one, with a new key.
    pub(super) fn make(valid: Validity, also_trusted: &[Certificate]) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "security-profiles-operator");
        params.distinguished_name.push(DnType::CommonName, format!("webhook-ca {}", valid.not_after));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, valid);
        let key = KeyPair::generate()?;
        let certificate = Certificate::all(params.self_signed(&key)?.pem().as_bytes())?.remove(0);
        let bundle = std::iter::once(&certificate).chain(also_trusted).cloned().collect();
        Ok(Self { certificate, key: key.serialize_pem(), bundle })
    }

    /// Issues a certificate for a server of these names.
    pub(super) fn issue(&self, names: &BTreeSet<String>, valid: Validity) -> Result<Issued, AuthorityError> {
        let issuer = Issuer::from_ca_cert_der(&self.certificate.der, KeyPair::from_pem(&self.key)?)?;
        let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::OrganizationName, "security-profiles-operator");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_validity(&mut params, valid);
        let key = KeyPair::generate()?;
        Ok(Issued { certificate: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
    }
}

/// Certificates know whole seconds, and nothing before 1970 is needed.
fn set_validity(params: &mut CertificateParams, valid: Validity) {
    let at = |time: Timestamp| {
        let seconds = u64::try_from(time.as_second()).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(valid.not_before);
    params.not_after = at(valid.not_after);
}
