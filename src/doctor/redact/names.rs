//! Which names stand beside a secret: `DB_PASS`, `secretAccessKey`, `tls.key`. Names are taken apart into words, so
//! that one rule serves environment variables, fields, flags and files. In doubt a value is one that is masked.

/// What makes a name one of a secret, wherever it stands in it, without what separates words.
const STRONG: [&str; 30] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "connectionstring",
    "webhookurl",
    "sessionid",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "routingkey",
    "servicekey",
    "integrationkey",
    "signingkey",
    "encryptionkey",
    "authkey",
    "masterkey",
    "appkey",
    "sharedkey",
    "sharedaccess",
    "licensekey",
    "sshkey",
    "userkey",
];
/// Words that do so alone.
const WORDS: [&str; 12] =
    ["pass", "pw", "dsn", "psk", "otp", "jwt", "cred", "creds", "passkey", "apitoken", "hmac", "sas"];
/// English words that end in `pass`.
const NO_PASS: [&str; 4] = ["bypass", "compass", "surpass", "encompass"];
/// Ends of names beside which the name of a secret stands, or a figure about it.
const NO_ENDS: [&str; 25] = [
    "name",
    "names",
    "ref",
    "refs",
    "file",
    "files",
    "path",
    "count",
    "total",
    "seconds",
    "bytes",
    "version",
    "namespace",
    "class",
    "type",
    "mode",
    "enabled",
    "provider",
    "info",
    "request",
    "requests",
    "limit",
    "expiry",
    "ttl",
    "kind",
];
/// What a key is of that is no secret, but finds something: `topologyKey`, `publicKey`, `passwordKey` of a chart.
const NO_KEYS: [&str; 51] = [
    "public",
    "pub",
    "topology",
    "label",
    "labels",
    "group",
    "sort",
    "partition",
    "primary",
    "foreign",
    "cache",
    "row",
    "map",
    "config",
    "data",
    "metric",
    "metrics",
    "password",
    "passwd",
    "username",
    "file",
    "object",
    "index",
    "node",
    "annotation",
    "taint",
    "toleration",
    "field",
    "selector",
    "ring",
    "lock",
    "lease",
    "dedup",
    "alias",
    "hash",
    "shard",
    "stream",
    "series",
    "json",
    "yaml",
    "idempotency",
    "any",
    "unknown",
    "missing",
    "duplicate",
    "invalid",
    "first",
    "last",
    "next",
    "lookup",
    "translation",
];

/// Is it a name beside which a secret stands?
pub fn is_named(name: &str) -> bool {
    let words = words(name);
    let squeezed = words.concat();
    if squeezed.starts_with("existing") || NO_ENDS.iter().any(|end| squeezed.ends_with(end)) {
        return false;
    }
    if let [.., of, "key" | "keys"] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return !NO_KEYS.contains(&of);
    }
    STRONG.iter().any(|strong| squeezed.contains(strong))
        || words.iter().any(|word| WORDS.contains(&word.as_str()))
        || squeezed.ends_with("dsn")
        || (squeezed.ends_with("pass") && !NO_PASS.contains(&squeezed.as_str()))
}

/// Is it the name of several secrets, the values below it?
pub fn is_plural(name: &str) -> bool {
    let squeezed = words(name).concat();
    is_named(name)
        && ["passwords", "tokens", "credentials", "apikeys"].iter().any(|plural| squeezed.ends_with(plural))
}

/// Does it say something about a secret, or whose it is?
pub fn is_about(name: &str) -> bool {
    let squeezed = words(name).concat();
    ["key", "id", "user"].contains(&squeezed.as_str()) || NO_ENDS.iter().any(|end| squeezed.ends_with(end))
}

/// The words of a name, in lower case: `APIKey`, `api-key`, `api.key` and `API_KEY` have the same.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| characters[before]);
        let begins = character.is_uppercase()
            && (before.is_some_and(|before| before.is_lowercase() || before.is_numeric())
                || (before.is_some_and(char::is_uppercase)
                    && characters.get(at + 1).is_some_and(|next| next.is_lowercase())));
        if begins || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "SECRET_KEY",
            "AWS_SECRET_KEY",
            "GF_SECURITY_SECRET_KEY",
            "secretAccessKey",
            "accessKey",
            "privateKey",
            "accountKey",
            "routingKey",
            "signingKey",
            "encryptionKey",
            "serviceKey",
            "authKey",
            "DB_PASS",
            "SMTP_PASS",
            "SMTPPASS",
            "pass",
            "MASTER_KEY",
            "APP_KEY",
            "PGPASSWORD",
            "api-key",
            "APIKey",
            "api.keys",
            "X-Api-Key",
            "tls.key",
            "license_key",
            "passwordHash",
            "--db-password",
            "clientSecret",
            "SENTRY_DSN",
            "webhook_url",
            "Authorization",
            "secret_id",
            "user_key",
        ] {
            assert!(is_named(name), "{name}");
        }
    }

    #[test]
    fn names_of_names_and_of_figures_are_none() {
        for name in [
            "key",
            "keys",
            "secretKeyRef",
            "secretName",
            "existingSecret",
            "publicKey",
            "keyId",
            "topologyKey",
            "matchLabelKeys",
            "passwordKey",
            "PASSWORD_FILE",
            "tokenExpirationSeconds",
            "token_bytes_total",
            "imagePullSecretName",
            "username",
            "author",
            "monkey",
            "passed",
            "bypass",
            "compass",
            "tokenRequests",
            "",
        ] {
            assert!(!is_named(name), "{name}");
        }
        assert!(is_plural("userPasswords") && !is_plural("password") && !is_plural("secrets"));
        assert!(is_about("tokenType") && is_about("id") && !is_about("admin"));
    }
}
