//! TLS with a server in a pod: by the name that the cluster knows it by, with the authority that signed its
//! certificate.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PodStream;
use crate::cluster::errors::{Tls, causes_of};

/// Whom to trust under which name.
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    /// The authorities are PEM.
    pub fn new(authorities: &[u8], name: &str) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(|_| "its authority is no certificate in PEM".to_owned())?;
            roots
                .add(certificate)
                .map_err(|_| "its authority is no certificate that can be used".to_owned())?;
        }
        if roots.is_empty() {
            return Err("its authority holds no certificate".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("\"{name}\" is no name of a server"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    pub(super) async fn connect(&self, stream: PodStream) -> Result<TlsStream<PodStream>, String> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), stream).await.map_err(|error| {
            let causes = causes_of(&error);
            match causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
                Some(tls) => Tls::of(tls).why(&self.name.to_str()),
                None => super::refusal(&error).unwrap_or_else(|| error.to_string()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_certificate() {
        for (pem, why) in [
            ("", "its authority holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "its authority is no certificate that can be used",
            ),
        ] {
            assert_eq!(Trust::new(pem.as_bytes(), "x.svc").err().as_deref(), Some(why));
        }
        let key = rcgen::generate_simple_self_signed(["x.svc".to_owned()]).unwrap();
        assert!(Trust::new(key.cert.pem().as_bytes(), "x.svc").is_ok());
        assert_eq!(
            Trust::new(key.cert.pem().as_bytes(), "a b").err().as_deref(),
            Some("\"a b\" is no name of a server")
        );
    }
}
