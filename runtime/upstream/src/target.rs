//! Where requests go: a base URL, parsed once.
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use http::HeaderValue;
use http::uri::{Authority, Scheme, Uri};
use rustls::pki_types::ServerName;

/// Why a base URL was refused. The text never repeats the URL (it may have held a password).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("not a valid URL")]
    Syntax,
    /// Neither `http` nor `https`.
    #[error("the scheme must be http or https")]
    Scheme,
    /// Contains a user name, a query or a fragment.
    #[error("a base URL holds scheme, host, port and path only")]
    Extra,
    /// The host is neither a name nor an address.
    #[error("not a valid host")]
    Host,
}

/// What a connection is bound to; the key of a pool. Its hash is computed once.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    /// Lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) server_name: ServerName<'static>,
    hash: u64,
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.port == other.port
            && self.tls == other.tls
            && self.host == other.host
    }
}
impl Eq for Origin {}
impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A base URL such as `https://api.example.com/v1`, taken apart once so that a request only joins strings.
#[derive(Debug)]
pub struct Target {
    pub(crate) origin: Arc<Origin>,
    pub(crate) host_header: HeaderValue,
    authority: String,
    base_path: String,
}

impl Target {
    /// Parses a base URL.
    ///
    /// # Errors
    /// See [`TargetError`]. User names and passwords in URLs are refused: secrets belong to the vault.
    pub fn parse(base_url: &str) -> Result<Self, TargetError> {
        if base_url.contains(['#', '@']) {
            return Err(TargetError::Extra);
        }
        let uri: Uri = base_url.trim().parse().map_err(|_| TargetError::Syntax)?;
        let tls = match uri.scheme() {
            Some(s) if *s == Scheme::HTTPS => true,
            Some(s) if *s == Scheme::HTTP => false,
            _ => return Err(TargetError::Scheme),
        };
        if uri.query().is_some() {
            return Err(TargetError::Extra);
        }
        let authority = uri
            .authority()
            .map(Authority::as_str)
            .ok_or(TargetError::Host)?
            .to_ascii_lowercase();
        let raw_host = uri.host().ok_or(TargetError::Host)?;
        let host = raw_host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        let server_name = ServerName::try_from(host.clone()).map_err(|_| TargetError::Host)?;
        let default_port = if tls { 443 } else { 80 };
        let port = match authority.rsplit_once(':') {
            Some((_, digits)) if !digits.ends_with(']') => {
                digits.parse().map_err(|_| TargetError::Host)?
            }
            _ => default_port,
        };
        let host_header = HeaderValue::from_str(&authority).map_err(|_| TargetError::Host)?;
        let mut hasher = DefaultHasher::new();
        (tls, &host, port).hash(&mut hasher);
        let hash = hasher.finish();
        let base_path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self {
            origin: Arc::new(Origin {
                tls,
                host,
                port,
                server_name,
                hash,
            }),
            host_header,
            authority,
            base_path,
        })
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.origin.tls { "https" } else { "http" }
    }

    /// Host name or address, lower case, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// Port, the scheme's own if the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.origin.port
    }

    /// Host and port as they go into the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path in front of every request's path, without a trailing slash; empty for a bare host.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base_path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_base_url_apart() {
        let t = Target::parse("https://API.Example.com/v1/").unwrap();
        assert_eq!(
            (t.scheme(), t.host(), t.port()),
            ("https", "api.example.com", 443)
        );
        assert_eq!((t.authority(), t.base_path()), ("api.example.com", "/v1"));
        let t = Target::parse("http://127.0.0.1:9001").unwrap();
        assert_eq!(
            (t.host(), t.port(), t.base_path(), t.authority()),
            ("127.0.0.1", 9001, "", "127.0.0.1:9001")
        );
        let t = Target::parse("http://[::1]:8080/x/y").unwrap();
        assert_eq!(
            (t.host(), t.port(), t.base_path(), t.authority()),
            ("::1", 8080, "/x/y", "[::1]:8080")
        );
        assert_eq!(Target::parse("http://[::1]/").unwrap().port(), 80);
    }

    #[test]
    fn refuses_what_is_not_a_plain_base_url() {
        for (url, why) in [
            ("ftp://x.example", TargetError::Scheme),
            ("/v1", TargetError::Scheme),
            ("https://user:pw@x.example", TargetError::Extra),
            ("https://x.example/?key=1", TargetError::Extra),
            ("https://x.example/#a", TargetError::Extra),
            ("https://x.example:99999", TargetError::Host),
            ("not a url", TargetError::Syntax),
            ("", TargetError::Syntax),
        ] {
            assert_eq!(Target::parse(url).unwrap_err(), why, "{url}");
        }
    }

    #[test]
    fn origins_are_equal_by_scheme_host_and_port_only() {
        let a = Target::parse("https://a.example/v1").unwrap();
        assert_eq!(
            a.origin,
            Target::parse("https://A.example:443/other").unwrap().origin
        );
        for other in [
            "http://a.example",
            "https://a.example:444",
            "https://b.example",
        ] {
            assert_ne!(a.origin, Target::parse(other).unwrap().origin, "{other}");
        }
    }
}
