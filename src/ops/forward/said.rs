//! What a client said before any pod answered. A server that is just starting refuses connections;
//! as nobody has heard the client then, the same can be said once more to the next one.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A request's head fits; uploads begin with less than they have.
const KEPT: usize = 16 << 10;

/// What was said on one connection.
#[derive(Debug, Default)]
pub struct Said(Mutex<Words>);

#[derive(Debug, Default)]
struct Words {
    kept: Vec<u8>,
    /// Somebody heard it, or it is too long to be kept.
    gone: bool,
    /// The client has nothing more to say.
    all: bool,
}

impl Said {
    /// The client says more.
    pub fn more(&self, bytes: &[u8]) {
        let mut words = self.words();
        if words.kept.len() + bytes.len() > KEPT {
            words.gone = true;
        }
        if words.gone {
            words.kept = Vec::new();
        } else {
            words.kept.extend_from_slice(bytes);
        }
    }

    /// A pod has answered: it heard the client.
    pub fn is_answered(&self) {
        let mut words = self.words();
        (words.gone, words.kept) = (true, Vec::new());
    }

    /// The client has nothing more to say.
    pub fn is_all(&self) {
        self.words().all = true;
    }

    /// Has the client nothing more to say?
    pub fn all(&self) -> bool {
        self.words().all
    }

    /// Can the next pod be told everything?
    pub fn can_be_repeated(&self) -> bool {
        !self.words().gone
    }

    /// Everything that was said, for the next pod; None when that is nothing.
    pub fn again(&self) -> Option<Vec<u8>> {
        let words = self.words();
        (!words.kept.is_empty()).then(|| words.kept.clone())
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_heard_can_be_said_again() {
        let said = Said::default();
        assert_eq!((said.again(), said.can_be_repeated()), (None, true));
        said.more(b"GET / ");
        said.more(b"HTTP/1.0");
        said.is_all();
        assert_eq!(said.again().as_deref(), Some(&b"GET / HTTP/1.0"[..]));
        assert!(said.all() && said.can_be_repeated());
        said.is_answered();
        assert_eq!((said.again(), said.can_be_repeated()), (None, false));
    }

    #[test]
    fn an_upload_is_not_kept() {
        let said = Said::default();
        said.more(&[0; KEPT]);
        assert!(said.can_be_repeated());
        said.more(&[0]);
        assert_eq!((said.again(), said.can_be_repeated()), (None, false));
    }
}
