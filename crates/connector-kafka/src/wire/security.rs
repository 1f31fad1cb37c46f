//! What stands between a socket and Kafka's protocol, by librdkafka's options: TLS, a login, both or nothing.

use super::sasl::Sasl;
use super::tls::Tls;
use crate::properties::Properties;
use millpond_core::{Error, ErrorKind, Result};

/// How connections of our own are protected, and prove who they are.
#[derive(Clone, Debug)]
pub(crate) struct Security {
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

impl Security {
    /// Reads `security.protocol`, `ssl.*` and `sasl.*`.
    ///
    /// # Errors
    /// Config when an option is missing, or names a file that can't be read; Unsupported for one that librdkafka follows and
    /// these connections can't.
    pub(crate) fn of(properties: &Properties) -> Result<Self> {
        let protocol = properties.get("security.protocol").unwrap_or("plaintext");
        let (tls, sasl) = match protocol.to_ascii_lowercase().as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            _ => {
                return Err(Error::config("set up Kafka", "no such protocol")
                    .with("key", "security.protocol")
                    .with("value", protocol)
                    .hint("take plaintext, ssl, sasl_plaintext or sasl_ssl"));
            }
        };
        Ok(Security {
            tls: tls.then(|| Tls::of(properties)).transpose()?,
            sasl: sasl.then(|| Sasl::of(properties)).transpose()?,
        })
    }
}

/// The error for an option that librdkafka would follow and we can't: going on without it might be less safe than was asked for.
pub(super) fn unsupported(key: &str, value: &str, hint: &'static str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "set up Kafka",
        "exactly once can't follow this option on the connection by which it ends transactions",
    )
    .with("key", key)
    .with("value", value)
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(pairs: &[(&str, &str)]) -> Result<Security> {
        let mut properties = Properties::default();
        pairs.iter().for_each(|(k, v)| properties.set(*k, *v));
        Security::of(&properties)
    }

    const SCRAM: [(&str, &str); 4] = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "u"),
        ("sasl.password", "hunter2"),
    ];

    #[test]
    fn a_protocol_says_whether_there_is_a_login() {
        let plaintext = security(&[]).unwrap();
        assert!(plaintext.tls.is_none() && plaintext.sasl.is_none());
        let scram = security(&SCRAM).unwrap();
        assert!(scram.tls.is_none());
        let shown = format!("{scram:?}");
        assert!(
            shown.contains("SCRAM-SHA-512") && !shown.contains("hunter2"),
            "{shown}"
        );
        let e = security(&SCRAM[..3]).unwrap_err();
        assert_eq!(e.context("key"), Some("sasl.password"));
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_name() {
        let e = security(&[("security.protocol", "tls")]).unwrap_err();
        assert_eq!((e.kind(), e.context("value")), (ErrorKind::Config, Some("tls")));
        let kerberos = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "GSSAPI"),
        ];
        let e = security(&kerberos).unwrap_err();
        assert_eq!(
            (e.kind(), e.context("value")),
            (ErrorKind::Unsupported, Some("GSSAPI"))
        );
    }

    #[cfg(feature = "ssl")]
    #[test]
    fn options_of_tls_that_are_wrong_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "-----BEGIN NONSENSE-----\n").unwrap();
        let path = file.path().to_str().unwrap();
        for (key, value, kind) in [
            ("ssl.ca.location", "/nowhere/ca.pem", ErrorKind::Config),
            ("ssl.ca.location", path, ErrorKind::Config),
            ("ssl.ca.pem", "-----BEGIN CERTIFICATE-----\n?", ErrorKind::Config),
            ("ssl.crl.location", path, ErrorKind::Config),
            ("ssl.certificate.location", path, ErrorKind::Config),
            ("ssl.key.location", path, ErrorKind::Config),
            ("ssl.keystore.location", path, ErrorKind::Config),
            ("ssl.cipher.suites", "NONE-SUCH", ErrorKind::Config),
            ("ssl.curves.list", "none", ErrorKind::Config),
            ("ssl.sigalgs.list", "none", ErrorKind::Config),
            (
                "ssl.endpoint.identification.algorithm",
                "ldaps",
                ErrorKind::Config,
            ),
            (
                "enable.ssl.certificate.verification",
                "perhaps",
                ErrorKind::Config,
            ),
            ("ssl.providers", "default,legacy", ErrorKind::Unsupported),
            ("ssl.engine.id", "hsm", ErrorKind::Unsupported),
        ] {
            let e = security(&[("security.protocol", "ssl"), (key, value)]).unwrap_err();
            assert_eq!((e.kind(), e.context("key")), (kind, Some(key)), "{e}");
        }
    }
}
