//! Local ports. One that was asked for on purpose is used or refused; the usual one gives way to
//! the next free one when somebody else has it.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;

use super::target::{NEXT, Target};
use crate::error::{Error, Result};

/// A local port, and the one that it replaces because somebody else has that.
pub type Bound = (TcpListener, Option<u16>);

/// Listens for a target.
pub async fn bind(target: &Target, address: IpAddr) -> Result<Bound> {
    let failed = |port: u16, error: &std::io::Error| refused(target, address, port, error);
    if let Some(port) = target.wanted {
        let listener = TcpListener::bind((address, port)).await.map_err(|e| failed(port, &e))?;
        return Ok((listener, None));
    }
    let usual = target.usual_port();
    // at the end of the numbers there is no next one; 0 is any that is free
    for port in (usual..=usual.saturating_add(NEXT)).chain([0]) {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => return Ok((listener, Some(usual).filter(|usual| *usual != port))),
            Err(error)
                if port != 0
                    && matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {}
            Err(error) => return Err(failed(port, &error)),
        }
    }
    Err(Error::failed(format!("no free port on {address} for {}", target.component)))
}

fn refused(target: &Target, address: IpAddr, port: u16, error: &std::io::Error) -> Error {
    let component = &target.component;
    match error.kind() {
        ErrorKind::AddrInUse => {
            Error::failed(format!("port {port} of {address} for {component} is taken by another process"))
                .hint("without --port the next free one is used; who has it: ss -ltnp")
        }
        ErrorKind::PermissionDenied => {
            Error::failed(format!("you may not listen on port {port} for {component}"))
                .hint("ports below 1024 are for root: choose a higher one")
        }
        ErrorKind::AddrNotAvailable => {
            Error::failed(format!("this machine does not have the address {address}"))
                .hint("leave out --address to listen on 127.0.0.1")
        }
        _ => Error::failed(format!(
            "cannot listen on {} for {component}: {error}",
            SocketAddr::new(address, port)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn target(port: u16, wanted: Option<u16>) -> Target {
        Target {
            component: "ui".into(),
            namespace: "o".into(),
            port,
            wanted,
            credentials: Vec::new(),
            workload: Default::default(),
        }
    }

    #[tokio::test]
    async fn a_taken_port_gives_way_unless_it_was_chosen_on_purpose() {
        let other = TcpListener::bind((HERE, 0)).await.unwrap();
        let taken = other.local_addr().unwrap().port();
        let (listener, instead_of) = bind(&target(taken, None), HERE).await.unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), taken);
        assert_eq!(instead_of, Some(taken));
        let error = bind(&target(taken, Some(taken)), HERE).await.unwrap_err();
        assert_eq!(error.message(), format!("port {taken} of 127.0.0.1 for ui is taken by another process"));
    }
}
