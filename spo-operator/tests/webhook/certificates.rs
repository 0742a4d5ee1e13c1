//! Certificates from a folder, exchanged while connections are open.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustls::pki_types::CertificateDer;

use crate::client::{Offer, connect, converts, post, review, try_connect};
use crate::process::{Issued, Webhook, issue, write};

fn is_served(webhook: &Webhook, authority: &CertificateDer<'static>) -> bool {
    try_connect(webhook.port, authority, &Offer::default()).is_ok()
}

#[test]
fn a_new_pair_is_served_to_new_connections_and_old_ones_go_on() {
    let webhook = Webhook::start();
    let mut open = connect(&webhook);
    let new = issue();
    write(webhook.folder.path(), &new);
    webhook.wait_for("the new certificate", || is_served(&webhook, &new.authority));
    assert!(!is_served(&webhook, &webhook.authority));
    assert_eq!(post(&mut open, "/convert", &review(1, 100)).status, 200);
}

/// Writes a pair as the kubelet does: into a folder of its own, to which `..data` is renamed over.
fn mount(folder: &Path, name: &str, issued: &Issued) {
    fs::create_dir(folder.join(name)).unwrap();
    write(&folder.join(name), issued);
    symlink(name, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[test]
fn a_mounted_secret_is_followed_when_it_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (issue(), issue());
    mount(folder.path(), "..2026_01", &old);
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let webhook = Webhook::on(folder, old.authority, &[]);
    converts(&webhook);
    mount(webhook.folder.path(), "..2026_02", &new);
    webhook.wait_for("the new certificate", || is_served(&webhook, &new.authority));
}

#[test]
fn a_broken_pair_changes_nothing_and_is_told_of() {
    let webhook = Webhook::start();
    let another = issue();
    fs::write(webhook.folder.path().join("tls.key"), &another.key).unwrap();
    webhook.wait_for("the log to tell of it", || webhook.log().contains("do not belong together"));
    fs::write(webhook.folder.path().join("tls.crt"), "garbage").unwrap();
    webhook.wait_for("the log to tell of it", || webhook.log().contains("no certificate in PEM form"));
    fs::remove_file(webhook.folder.path().join("tls.crt")).unwrap();
    converts(&webhook);
    write(webhook.folder.path(), &another);
    webhook.wait_for("the mended pair", || is_served(&webhook, &another.authority));
}

#[test]
fn a_certificate_that_comes_late_is_waited_for() {
    let issued = issue();
    let webhook = Webhook::on(tempfile::tempdir().unwrap(), issued.authority.clone(), &[]);
    assert!(!is_served(&webhook, &issued.authority));
    write(webhook.folder.path(), &issued);
    webhook.wait_for("the certificate", || is_served(&webhook, &issued.authority));
}

#[test]
fn a_folder_that_goes_away_ends_the_process_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let issued = issue();
    let certs = folder.path().join("certs");
    fs::create_dir(&certs).unwrap();
    write(&certs, &issued);
    let mut webhook = Webhook::of(&certs, folder, issued.authority, &[]);
    fs::remove_dir_all(&certs).unwrap();
    assert_eq!(webhook.wait().code(), Some(1));
    assert!(webhook.log().contains("is gone"), "{}", webhook.log());
}
