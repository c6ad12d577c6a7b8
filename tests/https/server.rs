//! An https server that does what a test wants, with a certificate of an authority that nobody
//! else knows: clients trust it when they are told so.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does with a request.
pub(crate) enum Answer {
    /// 200 with these bytes.
    Body(Vec<u8>),
    /// This status code, without a body.
    Status(u16),
    /// 302 to this address.
    Redirect(String),
    /// 200 and bytes without end; `true` says beforehand that there are many.
    Endless(bool),
    /// 200, the first bytes, then nothing more, with the connection open.
    Stall,
    /// 200, the first bytes, then the end of the connection.
    Cut,
}

/// A server on a port of its own; it ends with the process.
pub(crate) struct Server {
    /// `127.0.0.1:PORT`
    pub(crate) address: SocketAddr,
    /// The authority's certificate, in DER.
    pub(crate) authority: Vec<u8>,
    pem: String,
}

impl Server {
    /// Starts one that answers a request for a path with what `answer` says.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
        let key = KeyPair::generate().expect("a key");
        let root = authority.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(authority, key);
        let own_key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(["127.0.0.1".to_owned()]).expect("names");
        let own = own.signed_by(&own_key, &issuer).expect("a certificate");

        let key = PrivateKeyDer::try_from(own_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(own)], key)
            .expect("a certificate and its key");
        let (config, answer) = (Arc::new(config), Arc::new(answer));

        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
                // a client that goes away is no fault of the server
                thread::spawn(move || drop(serve(stream, config, &*answer)));
            }
        });
        Self { address, authority: root.der().to_vec(), pem: root.pem() }
    }

    /// Writes the authority's certificate to a folder, as SSL_CERT_FILE wants it.
    pub(crate) fn authority_file(&self, folder: &Path) -> PathBuf {
        let file = folder.join("authority.pem");
        std::fs::write(&file, &self.pem).expect("write a file");
        file
    }

    /// The address of a path on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &dyn Fn(&str) -> Answer,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = answer(path);
    let head =
        |status: &str, header: &str| format!("HTTP/1.1 {status}\r\n{header}\r\nConnection: close\r\n\r\n");
    match answer {
        Answer::Body(bytes) => {
            stream.write_all(head("200 OK", &format!("Content-Length: {}", bytes.len())).as_bytes())?;
            stream.write_all(&bytes)?;
        }
        Answer::Status(code) => stream.write_all(head(&code.to_string(), "Content-Length: 0").as_bytes())?,
        Answer::Redirect(to) => {
            stream
                .write_all(head("302 Found", &format!("Location: {to}\r\nContent-Length: 0")).as_bytes())?;
        }
        Answer::Endless(told) => {
            let header = if told { "Content-Length: 900000000000" } else { "Content-Type: application/gzip" };
            stream.write_all(head("200 OK", header).as_bytes())?;
            loop {
                stream.write_all(&[0; 65_536])?;
            }
        }
        Answer::Stall | Answer::Cut => {
            stream.write_all(head("200 OK", "Content-Length: 1000").as_bytes())?;
            stream.write_all(b"the first bytes")?;
            stream.flush()?;
            if matches!(answer, Answer::Stall) {
                thread::sleep(Duration::from_secs(60));
            }
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}
