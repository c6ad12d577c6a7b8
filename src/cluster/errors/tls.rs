//! What is wrong with a TLS connection, in words: for the API server, and for the servers that
//! bundles are downloaded from.

use rustls::CertificateError;

/// The kinds of trouble with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Nobody whom this machine trusts has signed the certificate.
    UnknownIssuer,
    /// The names that the certificate is for, where known.
    WrongName(Vec<String>),
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The server speaks plain HTTP.
    PlainHttp,
    /// Anything else, as rustls says it.
    Other(String),
}

impl Tls {
    /// The trouble behind an error of rustls.
    pub fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
                CertificateError::NotValidForName => Self::WrongName(Vec::new()),
                CertificateError::NotValidForNameContext { presented, .. } => {
                    Self::WrongName(presented.iter().filter_map(|name| readable_name(name)).collect())
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                other => Self::Other(other.to_string()),
            },
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Self::PlainHttp,
            other => Self::Other(other.to_string()),
        }
    }

    /// In words that fit "cannot reach https://HOST: …".
    pub fn why(&self, host: &str) -> String {
        match self {
            Self::UnknownIssuer => "its certificate is signed by an unknown authority".into(),
            Self::WrongName(names) if names.is_empty() => {
                format!("its certificate is not for the name {host}")
            }
            Self::WrongName(names) => {
                format!("its certificate is for {}, not for {host}", names.join(", "))
            }
            Self::Expired => "its certificate has expired".into(),
            Self::NotYetValid => "its certificate is not valid yet".into(),
            Self::PlainHttp => "it speaks http, not https".into(),
            Self::Other(message) => format!("TLS does not come about: {message}"),
        }
    }
}

/// `DnsName("x")` and `IpAddress(1.2.3.4)`, as rustls lists a certificate's names, without the
/// wrapping.
fn readable_name(name: &str) -> Option<String> {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    let inner = inner.trim_matches('"');
    (!inner.is_empty()).then(|| inner.to_owned())
}
