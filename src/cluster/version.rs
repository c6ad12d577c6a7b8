//! Which Kubernetes it is: the first request of a run, so its errors are the "cannot reach the
//! cluster" ones.

use super::Cluster;
use super::call::{Call, Subject};
use crate::Result;

/// The API server's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// `1.34.4`: without `v` and without what distributions append, so that it compares as SemVer.
    pub text: String,
    /// As the server says it, `v1.34.4+k3s1`.
    pub full: String,
    /// 1
    pub major: u32,
    /// 34
    pub minor: u32,
}

impl ServerVersion {
    /// Reads `gitVersion` of `/version`.
    fn parse(full: &str) -> Option<Self> {
        let text: String = full
            .trim_start_matches('v')
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect::<String>()
            .trim_end_matches('.')
            .to_owned();
        let mut numbers = text.split('.').map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { text, full: full.to_owned(), major, minor })
    }
}

impl Cluster {
    /// Asks the server for its version.
    pub async fn version(&self) -> Result<ServerVersion> {
        let call = Call::get("/version", Subject { verb: "get", ..Subject::default() });
        let reply = self.call(&call).await.map_err(|e| self.error(e, &call))?;
        reply.value["gitVersion"]
            .as_str()
            .and_then(ServerVersion::parse)
            .ok_or_else(|| self.unexpected(&call, "names no version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_distributions_append_is_left_out() {
        for (full, text, minor) in [
            ("v1.34.4", "1.34.4", 34),
            ("v1.33.1+k3s1", "1.33.1", 33),
            ("v1.29.3-eks-adc7111", "1.29.3", 29),
            ("v1.35.0-alpha.1.2+abc", "1.35.0", 35),
        ] {
            let version = ServerVersion::parse(full).unwrap();
            assert_eq!((version.text.as_str(), version.major, version.minor), (text, 1, minor));
        }
        assert_eq!(ServerVersion::parse("unknown"), None);
    }
}
