//! The composed server: documentation that matches, health, and a real socket with TLS.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::platform::Shutdown;
use crate::platform::config::ServeRole;
use crate::platform::config::{Config, DatabaseUrl};
use crate::server::{self, Ready};
use crate::testing::{Server, json_of};

#[tokio::test]
async fn the_document_names_every_address_and_no_other() {
    let server = Server::with_keys(KeyRing::default()).await;
    let served = json_of(server.send(Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap()).await).await.1;
    assert_eq!(served, serde_json::to_value(document()).unwrap());
    let paths = served["paths"].as_object().unwrap();
    assert!(paths.len() >= 8, "{:?}", paths.keys());
    for (path, operations) in paths {
        let address = path.replace("{event}", "5");
        for method in operations.as_object().unwrap().keys() {
            let request =
                Request::builder().method(method.to_uppercase().as_str()).uri(&address).body(Body::empty()).unwrap();
            let (status, body) = json_of(server.send(request).await).await;
            let undocumented =
                body["code"] == "method_not_allowed" || body["detail"] == "There is nothing at this address.";
            assert!(!undocumented, "{method} {path}: {status} {body}");
        }
    }
    for (path, name) in [("/api/v1/venues", "api_key"), ("/api/v1/events", "api_key")] {
        assert_eq!(served["paths"][path]["post"]["security"][0].as_object().unwrap().keys().next().unwrap(), name);
    }
}

#[tokio::test]
async fn health_needs_no_rights() {
    let server = Server::with_keys(KeyRing::default()).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.send(Request::get(path).body(Body::empty()).unwrap()).await.status(), 200);
    }
}

async fn started(data: &std::path::Path) -> (Ready, Shutdown, tokio::task::JoinHandle<Result<(), server::RunError>>) {
    let config = Config {
        role: ServeRole::All,
        data: data.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        database: DatabaseUrl::in_data(data),
        tls: None,
        ready_file: Some(data.join("ready")),
    };
    let shutdown = Shutdown::default();
    let (sender, ready) = oneshot::channel();
    let running = tokio::spawn(server::run(config, shutdown.clone(), move |ready: &Ready| {
        let _ = sender.send(ready.clone());
    }));
    (ready.await.unwrap(), shutdown, running)
}

async fn get_over_tls(ready: &Ready, certificate: &std::path::Path) -> String {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(ready.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_over_tls_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let (ready, shutdown, running) = started(data.path()).await;
    assert_eq!(ready.public_url, format!("https://localhost:{}", ready.address.port()));
    assert_eq!(std::fs::read_to_string(data.path().join("ready")).unwrap().trim(), ready.public_url);
    let answer = get_over_tls(&ready, &data.path().join("tls/cert.pem")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("nosniff") && answer.ends_with(r#"{"status":"ready"}"#),
        "{answer}"
    );

    // Plain text to the TLS port, and a connection that says nothing, hinder nobody.
    let _silent = TcpStream::connect(ready.address).await.unwrap();
    let mut plain = TcpStream::connect(ready.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let answer = get_over_tls(&ready, &data.path().join("tls/cert.pem")).await;
    assert!(answer.starts_with("HTTP/1.1 200"));

    shutdown.request();
    running.await.unwrap().unwrap();
    assert!(TcpStream::connect(ready.address).await.is_err(), "it listens no more");

    let (again, shutdown, running) = started(data.path()).await;
    assert_eq!(again.spki_sha256, ready.spki_sha256, "handhelds still know it");
    shutdown.request();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_in_use_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        role: ServeRole::All,
        data: data.path().to_owned(),
        listen: taken.local_addr().unwrap(),
        public_url: None,
        database: DatabaseUrl::in_data(data.path()),
        tls: None,
        ready_file: None,
    };
    let error = server::run(config, Shutdown::default(), |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("choose another --listen address"), "{error}");
}
