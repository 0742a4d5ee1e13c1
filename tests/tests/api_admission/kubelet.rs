//! The kubelet of a node that is only an object: it takes one request, remembers what was asked, and refuses.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use spo_tests::api::server::NODE;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::stage::Stage;

pub(crate) struct Kubelet {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Kubelet {
    /// Listens, and has the node say where.
    pub(crate) async fn of_node(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
        let nodes: Api<Node> = Api::all(stage.server.client.clone());
        let port = listener.local_addr().unwrap().port();
        let status = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }});
        nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    pub(crate) fn node(&self) -> &'static str {
        NODE
    }

    /// The first line of the first request.
    pub(crate) async fn asked(&self) -> String {
        let asked = async {
            let (client, _) = self.listener.accept().await.unwrap();
            let mut client = BufReader::new(self.acceptor.accept(client).await.unwrap());
            let mut line = String::new();
            client.read_line(&mut line).await.unwrap();
            client
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            client.shutdown().await.unwrap();
            line
        };
        tokio::time::timeout(spo_tests::wait::PATIENCE, asked).await.expect("the kubelet is not asked")
    }
}
