//! Packing an image: files into a layer, the layer and what describes it into a tar of the OCI layout.
//!
//! Equal input gives equal bytes: entries are sorted, belong to root, and have no time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The files of an image.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    File { from: PathBuf, mode: u32 },
    Link { to: String },
    Dir { mode: u32 },
}

impl Layer {
    /// A copy of a file, at a path without a leading slash.
    pub(crate) fn file(&mut self, path: &str, from: &Path, mode: u32) -> Result<()> {
        anyhow::ensure!(from.is_file(), "there is no file {}", from.display());
        self.insert(path, Entry::File { from: from.to_owned(), mode });
        Ok(())
    }

    pub(crate) fn link(&mut self, path: &str, to: &str) {
        self.insert(path, Entry::Link { to: to.to_owned() });
    }

    pub(crate) fn dir(&mut self, path: &str, mode: u32) {
        self.insert(path, Entry::Dir { mode });
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        for (at, _) in path.match_indices('/') {
            self.entries.entry(path[..at].to_owned()).or_insert(Entry::Dir { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    fn tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            match entry {
                Entry::File { from, mode } => {
                    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, path, bytes.as_slice())?;
                }
                Entry::Link { to } => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, path, to)?;
                }
                Entry::Dir { mode } => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(*mode);
                    header.set_size(0);
                    tar.append_data(&mut header, path, std::io::empty())?;
                }
            }
        }
        tar.into_inner().context("a tar in memory has no end of space")
    }
}

/// How an image is run.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// With its tag.
    pub(crate) name: &'a str,
    /// What is run where a pod names no command.
    pub(crate) command: &'a [&'a str],
    /// Where programs are looked for.
    pub(crate) path: &'a str,
    /// The user, as `UID:GID`; root without it.
    pub(crate) user: Option<&'a str>,
    /// Compresses quickly rather than well.
    pub(crate) quick: bool,
}

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Of the manifest: `sha256:…`.
    pub(crate) digest: String,
    /// Of everything that a registry would transfer.
    pub(crate) compressed_bytes: u64,
}

impl Image<'_> {
    /// Writes the image into a tar.
    pub(crate) fn pack(&self, layer: Layer, to: &Path) -> Result<Packed> {
        let mut blobs = Blobs::default();
        let plain = layer.tar()?;
        let layer = blobs.add("application/vnd.oci.image.layer.v1.tar+gzip", compressed(&plain, self.quick)?);
        let config = self.config(&digest(&plain));
        let config = blobs.add("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let mut manifest = blobs.add(MANIFEST, manifest.to_string().into_bytes());
        let packed = Packed {
            digest: manifest["digest"].as_str().unwrap_or_default().to_owned(),
            compressed_bytes: blobs.blobs.values().map(|blob| blob.len() as u64).sum(),
        };
        // containerd names the image after the first, other tools show the second.
        let (_, tag) = self.name.rsplit_once(':').unwrap_or((self.name, "latest"));
        manifest["annotations"] =
            json!({"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag});
        blobs.write(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}), to)?;
        Ok(packed)
    }

    fn config(&self, diff_id: &str) -> Value {
        let mut config = json!({"Env": [format!("PATH={}", self.path)], "Cmd": self.command});
        if let Some(user) = self.user {
            config["User"] = user.into();
        }
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        })
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// This machine's architecture, in the words of the OCI.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What an image consists of, by digest.
#[derive(Debug, Default)]
struct Blobs {
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Blobs {
    /// Takes one in; gives back what refers to it.
    fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.blobs.insert(digest, bytes);
        descriptor
    }

    /// Writes the layout; at its place only when it is whole.
    fn write(&self, index: &Value, to: &Path) -> Result<()> {
        let dir = to.parent().context("an image needs a folder")?;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let unfinished = to.with_extension("unfinished");
        let file = File::create(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
        let mut tar = tar::Builder::new(file);
        let mut add = |path: &str, bytes: &[u8]| -> std::io::Result<()> {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes)
        };
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        add("index.json", index.to_string().as_bytes())?;
        for (digest, bytes) in &self.blobs {
            add(&format!("blobs/{}", digest.replace(':', "/")), bytes)?;
        }
        tar.into_inner()?.flush()?;
        fs::rename(&unfinished, to).with_context(|| format!("cannot make {}", to.display()))
    }
}

/// The digest of the image in a tar that was packed before, by this tool or another; nothing if it is no OCI layout.
pub(crate) fn digest_in(image: &Path) -> Option<String> {
    let mut tar = tar::Archive::new(File::open(image).ok()?);
    let mut entries = tar.entries().ok()?.flatten();
    let index = entries.find(|entry| entry.path().is_ok_and(|path| path == Path::new("index.json")))?;
    let index: Value = serde_json::from_reader(index).ok()?;
    Some(index["manifests"][0]["digest"].as_str()?.to_owned())
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn compressed(bytes: &[u8], quick: bool) -> Result<Vec<u8>> {
    let level = if quick { Compression::fast() } else { Compression::best() };
    // The header of gzip has a time and a system, which would differ.
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), level);
    gzip.write_all(bytes).context("cannot compress")?;
    gzip.finish().context("cannot compress")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn sample(dir: &Path) -> Layer {
        let program = dir.join("program");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        let mut layer = Layer::default();
        layer.link("usr/bin/other", "program");
        layer.file("usr/bin/program", &program, 0o755).unwrap();
        layer.dir("tmp", 0o1777);
        layer
    }

    const IMAGE: Image<'_> = Image {
        name: "localhost/sample:1",
        command: &["program"],
        path: "/usr/bin",
        user: Some("65535:65535"),
        quick: false,
    };

    fn contents(tar: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(tar).unwrap());
        let read = |entry: std::io::Result<tar::Entry<'_, File>>| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn equal_input_gives_equal_bytes() {
        let temp = tempfile::tempdir().unwrap();
        let tars = ["a.tar", "b.tar"].map(|name| temp.path().join(name));
        let [first, second] = tars.each_ref().map(|tar| IMAGE.pack(sample(temp.path()), tar).unwrap());
        assert_eq!(first, second);
        assert_eq!(fs::read(&tars[0]).unwrap(), fs::read(&tars[1]).unwrap());
    }

    #[test]
    fn every_digest_is_that_of_its_bytes_and_leads_from_the_index_to_the_files() {
        let temp = tempfile::tempdir().unwrap();
        let tar = temp.path().join("image.tar");
        let packed = IMAGE.pack(sample(temp.path()), &tar).unwrap();
        assert_eq!(digest_in(&tar), Some(packed.digest.clone()));
        let files = contents(&tar);
        let blob = |descriptor: &Value| {
            let name = descriptor["digest"].as_str().unwrap();
            let bytes = &files[&format!("blobs/{}", name.replace(':', "/"))];
            assert_eq!(digest(bytes), name);
            assert_eq!(descriptor["size"], bytes.len());
            bytes.clone()
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!(index["manifests"][0]["digest"], packed.digest.as_str());
        let manifest: Value = serde_json::from_slice(&blob(&index["manifests"][0])).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        let mut layer = Vec::new();
        let packed_layer = blob(&manifest["layers"][0]);
        flate2::read::GzDecoder::new(packed_layer.as_slice()).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer).as_str());
        assert_eq!(config["config"]["User"], "65535:65535");
        let inner = temp.path().join("layer.tar");
        fs::write(&inner, layer).unwrap();
        let names: Vec<String> = contents(&inner).into_keys().collect();
        assert_eq!(names, ["tmp", "usr", "usr/bin", "usr/bin/other", "usr/bin/program"]);
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = Layer::default().file("usr/bin/x", Path::new("/nowhere/x"), 0o755).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x"), "{error}");
    }
}
