//! Against a TLS server in this process, with a key of its own making.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use super::*;

/// Answers each of `count` connections with `answer`, and returns what was asked.
pub(in crate::shell) fn serve(answer: &'static [u8], count: usize) -> (String, [u8; 32], JoinHandle<Vec<String>>) {
    let key = KeyPair::generate().unwrap();
    let pin: [u8; 32] = Sha256::digest(key.subject_public_key_info()).into();
    let certificate = CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let config = Arc::new(config);
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..count {
            let (tcp, _) = listener.accept().unwrap();
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, tcp);
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match tls.read(&mut buffer) {
                    Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let _ = tls.write_all(answer);
            tls.conn.send_close_notify();
            let _ = tls.flush();
            asked.push(String::from_utf8_lossy(&request).into_owned());
        }
        asked
    });
    (base, pin, thread)
}

#[test]
fn the_pinned_key_is_enough_and_requests_are_signed() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x82\x01\x02";
    let (base, pin, thread) = serve(answer, 1);
    let key = Arc::new(SecretKey::from_bytes(&[1; 32]));
    let signer = Signer { device: DeviceId(9), key: Arc::clone(&key) };
    let server = Server::new(&base, pin, Some(signer)).unwrap();
    let numbers: (u8, u8) = server.get("/gate/v1/x?cursor=1").unwrap();
    assert_eq!(numbers, (1, 2));
    let asked = thread.join().unwrap().remove(0);
    assert!(asked.starts_with("GET /gate/v1/x?cursor=1 HTTP/1.1\r\n"), "{asked}");
    let header = asked.lines().find_map(|line| line.strip_prefix("turnstone-device: ")).expect(&asked);
    let claim = request::parse(header).unwrap();
    assert_eq!(claim.device, DeviceId(9));
    assert_eq!(claim.verify(&key.public(), "GET", "/gate/v1/x?cursor=1", b""), Ok(()));
}

#[test]
fn another_key_is_another_server_and_hears_nothing() {
    let (base, _, thread) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\x01", 1);
    let server = Server::new(&base, [7; 32], None).unwrap();
    let error = server.get::<u8>("/secret").unwrap_err();
    assert!(matches!(error, HttpError::OtherKey), "{error}");
    assert!(error.to_string().starts_with("This is not the server that this handheld was enrolled with"));
    assert_eq!(thread.join().unwrap(), [""], "no byte of the request left");
}

#[test]
fn refusals_oversize_and_silence_have_their_own_words() {
    let problem =
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 42\r\n\r\n{\"code\":\"device_revoked\",\"detail\":\"Gone.\"}";
    let (base, pin, thread) = serve(problem, 1);
    let error = Server::new(&base, pin, None).unwrap().get::<u8>("/").unwrap_err();
    assert_eq!(error.to_string(), "The server refused: Gone. (device_revoked, status 403)");
    assert_eq!(error.status(), Some(403));
    thread.join().unwrap();

    let (base, pin, thread) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", 1);
    let error = Server::new(&base, pin, None).unwrap().get_bytes("/", 5).unwrap_err();
    assert!(matches!(error, HttpError::TooLarge(5)), "{error}");
    thread.join().unwrap();

    let (base, pin, thread) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nabcdef", 1);
    let error = Server::new(&base, pin, None).unwrap().get_bytes("/", 100).unwrap_err();
    assert!(matches!(error, HttpError::Unreadable(_)), "an answer cut in the middle: {error}");
    thread.join().unwrap();

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Server::new(&format!("https://{closed}"), pin, None).unwrap().get::<u8>("/").unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(Server::new("http://127.0.0.1:1", pin, None).unwrap().get::<u8>("/").is_err(), "never without TLS");
}

#[test]
fn a_line_that_breaks_off_is_said_in_plain_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let cut = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let error = Server::new(&base, [0; 32], None).unwrap().get::<u8>("/").unwrap_err();
    cut.join().unwrap();
    assert!(error.to_string().contains("the connection breaks off"), "{error}");
    let refused = Server::new(&base, [0; 32], None).unwrap().get::<u8>("/").unwrap_err();
    assert!(refused.to_string().contains("it does not run"), "{refused}");
}
