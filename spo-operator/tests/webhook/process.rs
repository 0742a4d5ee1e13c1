//! The program, with a folder of certificates.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;

/// A server that is up, and ends with this value.
pub(crate) struct Webhook {
    child: Child,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: CertificateDer<'static>,
}

/// A certificate and its key in PEM form, and who issued it.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) authority: CertificateDer<'static>,
}

/// A certificate for `localhost`, of an authority of its own.
pub(crate) fn issue() -> Issued {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, format!("authority {}", free_port()));
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let der = authority.self_signed(&authority_key).unwrap().der().clone();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    Issued { certificate: params.signed_by(&key, &issuer).unwrap().pem(), key: key.serialize_pem(), authority: der }
}

/// Writes a pair as a person would, one file after the other.
pub(crate) fn write(folder: &Path, issued: &Issued) {
    std::fs::write(folder.join("tls.crt"), &issued.certificate).unwrap();
    std::fs::write(folder.join("tls.key"), &issued.key).unwrap();
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Webhook {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With more words on its command line.
    pub(crate) fn with(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issued = issue();
        write(folder.path(), &issued);
        Self::on(folder, issued.authority, words)
    }

    /// On a folder that was made ready.
    pub(crate) fn on(folder: tempfile::TempDir, authority: CertificateDer<'static>, words: &[&str]) -> Self {
        let certificates = folder.path().to_owned();
        Self::of(&certificates, folder, authority, words)
    }

    /// With the certificates somewhere below its folder.
    pub(crate) fn of(
        certificates: &Path,
        folder: tempfile::TempDir,
        authority: CertificateDer<'static>,
        words: &[&str],
    ) -> Self {
        let port = free_port();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_spo-operator"));
        for name in ["KUBECONFIG", "OPERATOR_NAMESPACE", "POD_NAME", "SPO_VERBOSITY", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.args(["webhook", "--convert-only", "--port", &port.to_string()]);
        if !words.contains(&"--health-port") {
            command.args(["--health-port", "0"]);
        }
        command.arg("--cert-dir").arg(certificates).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let webhook = Self { child: command.spawn().unwrap(), port, folder, authority };
        webhook.wait_for("the port to be open", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        webhook
    }

    /// Waits until something is so; a test that hangs is ended by who runs it.
    pub(crate) fn wait_for(&self, what: &str, mut so: impl FnMut() -> bool) {
        for _ in 0..1000 {
            if so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("waited in vain for {what}; the log:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What it has in memory, of what is its own.
    pub(crate) fn anonymous_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// The most that it ever had in memory.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// The ports that it listens on.
    pub(crate) fn listening(&self) -> BTreeSet<u16> {
        let process = Path::new("/proc").join(self.child.id().to_string());
        let files = std::fs::read_dir(process.join("fd")).unwrap();
        let own: BTreeSet<String> = files
            .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
            .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let tables =
            ["net/tcp", "net/tcp6"].map(|table| std::fs::read_to_string(process.join(table)).unwrap_or_default());
        let rows = tables.iter().flat_map(|table| table.lines()).map(|row| row.split_whitespace().collect::<Vec<_>>());
        let listening = rows.filter(|row| row.len() > 9 && row[3] == "0A" && own.contains(row[9]));
        listening.map(|row| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap()).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the log of the webhook:\n{}", self.log());
        }
    }
}
