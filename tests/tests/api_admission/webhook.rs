//! The webhook server beside the API server, which calls it by the generated configurations.

use std::net::TcpListener;

use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use serde_json::json;
use spo_tests::api::process::{Process, webhook_with};
use spo_tests::api::server::Server;
use spo_tests::{manifest, wait};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Configurations that say when the webhooks are called, below deploy/manifests.
const CONFIGURATIONS: [&str; 2] = ["webhooks.yaml", "webhooks-exec.yaml"];

/// Starts the server with a certificate of this test, waits until it is ready, and has the API server call it.
pub(crate) async fn start(server: &Server) -> Process {
    let folder = server.dir().join("certificate");
    std::fs::create_dir_all(&folder).unwrap();
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certified.cert.pem();
    std::fs::write(folder.join("tls.key"), certified.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), &certificate).unwrap();
    let [port, health] = free_ports();
    let running = webhook_with(server, port, &folder, health);
    wait::until_async("the webhook server to be ready", async || is_ready(health).await).await;
    manifest::apply_objects(&server.client, &configurations(port, &certificate)).await.unwrap();
    running
}

/// The generated configurations, but for where the server is.
fn configurations(port: u16, certificate: &str) -> Vec<DynamicObject> {
    let texts = CONFIGURATIONS.map(|file| manifest::text(&format!("deploy/manifests/{file}")).unwrap());
    let mut all: Vec<DynamicObject> = texts.iter().flat_map(|text| manifest::objects(text).unwrap()).collect();
    let webhooks = all.iter_mut().filter_map(|object| object.data["webhooks"].as_array_mut()).flatten();
    for client in webhooks.map(|webhook| &mut webhook["clientConfig"]) {
        let path = client["service"]["path"].as_str().unwrap_or_default();
        let url = format!("https://127.0.0.1:{port}{path}");
        *client = json!({"url": url, "caBundle": ByteString(certificate.as_bytes().to_vec())});
    }
    all
}

/// Two ports that are free at the moment.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

async fn is_ready(port: u16) -> bool {
    let ask = async {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}
