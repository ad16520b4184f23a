//! Checked settings of a running server. The command line makes them; nothing else reads environment variables.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a setting can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "--public-url {url} cannot be used: {reason}; write it like https://tickets.example.org or https://10.0.0.5:8443"
    )]
    PublicUrl { url: String, reason: &'static str },
    #[error(
        "--database {url} cannot be used: this version keeps its data in SQLite only; leave the option away, or write sqlite:PATH"
    )]
    Database { url: String },
    #[error(
        "--tls-cert and --tls-key belong together: give both, or neither to let the server make its own certificate"
    )]
    HalfTls,
    #[error("--upstream {url} cannot be used: {reason}; write it like https://tickets.example.org")]
    Upstream { url: String, reason: &'static str },
    #[error("--role edge needs --upstream URL, the address of the server that it belongs to")]
    NoUpstream,
    #[error("--upstream is for --role edge alone; leave it away, or say --role edge")]
    UpstreamOfAll,
}

/// The address by which phones and handhelds reach this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
    host: String,
}

impl PublicUrl {
    /// # Errors
    /// [`ConfigError::PublicUrl`] unless it is `https://host` or `https://host:port`.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        let refuse = |reason| ConfigError::PublicUrl { url: url.to_owned(), reason };
        let text = url.trim_end_matches('/');
        let uri: axum::http::Uri = text.parse().map_err(|_| refuse("it is not an address"))?;
        if uri.scheme_str() != Some("https") {
            return Err(refuse("it does not begin with https://"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(refuse("it has a path"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it has a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { text: text.to_owned(), host })
    }

    /// Where nobody gave one: this machine, for trying things out.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self { text: format!("https://localhost:{port}"), host: "localhost".into() }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUrl(PathBuf);

impl DatabaseUrl {
    /// # Errors
    /// [`ConfigError::Database`] for anything but `sqlite:PATH`.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        match url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() => {
                let absolute = url.starts_with("sqlite:///");
                Ok(Self(PathBuf::from(if absolute {
                    format!("/{}", path.trim_start_matches('/'))
                } else {
                    path.into()
                })))
            }
            _ => Err(ConfigError::Database { url: redact(url) }),
        }
    }

    #[must_use]
    pub fn in_data(data: &std::path::Path) -> Self {
        Self(data.join("turnstone.db"))
    }

    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

/// A database address may hold a password; what is printed of it must not.
fn redact(url: &str) -> String {
    url.split_once("://").map_or_else(|| "(address)".into(), |(scheme, _)| format!("{scheme}://..."))
}

/// Certificate and key that the operator brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeRole {
    /// Everything.
    All,
    /// A venue's edge.
    Edge { upstream: PublicUrl },
}

/// Everything that `serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    pub role: ServeRole,
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub public_url: Option<PublicUrl>,
    pub database: DatabaseUrl,
    pub tls: Option<TlsFiles>,
    pub ready_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_by_table() {
        for (url, host) in [
            ("https://tickets.example.org", "tickets.example.org"),
            ("https://10.0.0.5:8443/", "10.0.0.5"),
            ("https://[::1]:8443", "::1"),
        ] {
            assert_eq!(PublicUrl::parse(url).unwrap().host(), host);
        }
        for url in [
            "http://a.example",
            "https://",
            "https://a.example/shop",
            "https://me@a.example",
            "a.example",
            "https://a?b=c",
        ] {
            assert!(PublicUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn database_urls_by_table() {
        assert_eq!(DatabaseUrl::parse("sqlite:a/b.db").unwrap().path(), std::path::Path::new("a/b.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:///srv/b.db").unwrap().path(), std::path::Path::new("/srv/b.db"));
        assert_eq!(DatabaseUrl::parse("sqlite:/srv/b.db").unwrap().path(), std::path::Path::new("/srv/b.db"));
        let error = DatabaseUrl::parse("postgres://me:hunter2@host/db").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("SQLite only"), "{error}");
        assert!(DatabaseUrl::parse("sqlite:").is_err());
    }
}
