//! Base64 as Secrets carry it: RFC 4648 with padding.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The text for these bytes.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The reverse of [`base64()`].
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
