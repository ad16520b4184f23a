//! The server's JSON API over HTTPS, as a back end or a page uses it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use serde_json::Value;

/// A client that believes one certificate.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::blocking::Client,
    key: Option<String>,
    cookie: Option<String>,
}

/// An answer: status and body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The stable code of a problem answer.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body of a success; an error that shows the problem otherwise.
    pub fn ok(self) -> Result<Value> {
        if !(200..300).contains(&self.status) {
            bail!("the server answered {}: {}", self.status, self.body);
        }
        Ok(self.body)
    }
}

impl Client {
    pub fn new(base: &str, certificate: &Path) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pem = std::fs::read(certificate).with_context(|| format!("read {}", certificate.display()))?;
        let http = reqwest::blocking::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?)
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Client { base: base.to_owned(), http, key: None, cookie: None })
    }

    pub fn with_key(self, key: String) -> Self {
        Client { key: Some(key), ..self }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Logs in as a member of staff; later calls carry the session.
    pub fn log_in(&mut self, name: &str, password: &str) -> Result<()> {
        let body = serde_json::json!({ "name": name, "password": password });
        let answer = self.send("POST", "/api/v1/session", Some(&body), None)?;
        let cookies = answer.headers().get_all(SET_COOKIE);
        let cookie = cookies.iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next()).collect::<Vec<_>>();
        if !answer.status().is_success() || cookie.is_empty() {
            bail!("login failed with {}", answer.status());
        }
        self.cookie = Some(cookie.join("; "));
        Ok(())
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        read(self.send("GET", path, None, None)?)
    }

    /// A POST with an idempotency key, made of `key`.
    pub fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        read(self.send("POST", path, Some(body), Some(key))?)
    }

    pub fn put(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        read(self.send("PUT", path, Some(body), Some(key))?)
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Result<Response> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(bearer) = &self.key {
            request = request.bearer_auth(bearer);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(serde_json::to_vec(body)?);
        }
        request.send().with_context(|| format!("{path} was not answered"))
    }
}

fn read(response: Response) -> Result<Answer> {
    let status = response.status().as_u16();
    let text = response.text()?;
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    Ok(Answer { status, body })
}
