//! The certificates of a cluster: one authority, and a certificate for every component.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::dir::Dir;
use super::guests;
use super::namespace::NODE_ADDRESS;

/// Who a certificate is for: Kubernetes reads the user from the common name and groups from the organisation.
#[derive(Debug)]
pub(super) struct Subject {
    /// The file, without its suffix.
    pub(super) file: &'static str,
    pub(super) user: &'static str,
    pub(super) group: Option<&'static str>,
    /// Addresses and names at which it answers, if it is a server.
    pub(super) served_at: &'static [&'static str],
}

impl Subject {
    const fn client(file: &'static str, user: &'static str) -> Self {
        Self { file, user, group: None, served_at: &[] }
    }
}

/// The API server, and who may do everything.
pub(super) const API: &[Subject] = &[
    Subject {
        served_at: &["127.0.0.1", NODE_ADDRESS, "10.96.0.1", "localhost", "kubernetes", "kubernetes.default.svc"],
        ..Subject::client("apiserver", "kube-apiserver")
    },
    Subject { group: Some("system:masters"), ..Subject::client("admin", "admin") },
];

/// The components of a node.
pub(super) const NODE: &[Subject] = &[
    Subject::client("kube-controller-manager", "system:kube-controller-manager"),
    Subject::client("kube-scheduler", "system:kube-scheduler"),
    Subject::client("kube-proxy", "system:kube-proxy"),
    Subject {
        group: Some("system:nodes"),
        served_at: &[NODE_ADDRESS, "127.0.0.1", "node1"],
        ..Subject::client("kubelet", "system:node:node1")
    },
];

/// The kubelets of guests.
pub(super) const GUESTS: &[Subject] = &[
    Subject {
        group: Some("system:nodes"),
        served_at: &[guests::ALL[0].address],
        ..Subject::client("apparmor", "system:node:apparmor")
    },
    Subject {
        group: Some("system:nodes"),
        served_at: &[guests::ALL[1].address],
        ..Subject::client("selinux", "system:node:selinux")
    },
];

/// Writes `pki/ca.crt`, a certificate and key for each subject, and the key pair that signs the tokens of service accounts.
pub(super) fn issue(dir: &Dir, subjects: &[&[Subject]]) -> Result<()> {
    dir.make("pki")?;
    let authority = authority(dir)?;
    for subject in subjects.iter().copied().flatten() {
        let key = key()?;
        let certificate = params(subject)?
            .signed_by(&key, &authority)
            .with_context(|| format!("cannot sign the certificate of {}", subject.user))?;
        dir.write(format!("pki/{}.crt", subject.file), certificate.pem())?;
        secret(dir, subject.file, &key)?;
    }
    let tokens = key()?;
    dir.write("pki/tokens.pub", tokens.public_key_pem())?;
    secret(dir, "tokens", &tokens)
}

fn authority(dir: &Dir) -> Result<Issuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "spo test cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = key()?;
    let certificate = params.self_signed(&key).context("cannot sign the certificate of the authority")?;
    dir.write("pki/ca.crt", certificate.pem())?;
    Ok(Issuer::new(params, key))
}

fn params(subject: &Subject) -> Result<CertificateParams> {
    let names: Vec<String> = subject.served_at.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).with_context(|| format!("a name of {} is no name", subject.user))?;
    params.distinguished_name.push(DnType::CommonName, subject.user);
    if let Some(group) = subject.group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn key() -> Result<KeyPair> {
    KeyPair::generate().context("cannot generate a key")
}

/// Keys are readable for their owner only.
fn secret(dir: &Dir, name: &str, key: &KeyPair) -> Result<()> {
    let path = dir.join(format!("pki/{name}.key"));
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(key.serialize_pem().as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
