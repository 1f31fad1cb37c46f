//! TLS for connections of our own, by OpenSSL: librdkafka links it already, so files, ciphers and trust mean the same on both.

#[cfg(feature = "ssl")]
pub(super) use with_openssl::Tls;
#[cfg(not(feature = "ssl"))]
pub(super) use without::Tls;

use std::io::{Read, Write};

/// A socket, or TLS over one.
pub(super) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

#[cfg(feature = "ssl")]
mod with_openssl {
    use super::super::security::unsupported;
    use super::Stream;
    use crate::properties::Properties;
    use millpond_core::{Error, ErrorKind, Result};
    use openssl::error::ErrorStack;
    use openssl::pkcs12::Pkcs12;
    use openssl::pkey::{PKey, Private};
    use openssl::ssl::{
        ErrorCode, HandshakeError, SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode,
    };
    use openssl::x509::X509;
    use openssl::x509::store::X509Lookup;
    use openssl::x509::verify::X509VerifyFlags;
    use std::net::TcpStream;
    use std::path::Path;

    /// Options of librdkafka that change whom we trust or who we are, and that we can't follow.
    const NOT_FOLLOWED: [&str; 3] = ["ssl.providers", "ssl.engine.location", "ssl.engine.id"];

    /// What the `ssl.*` options say.
    #[derive(Clone)]
    pub(in super::super) struct Tls {
        connector: SslConnector,
        verify_hostname: bool,
    }

    impl Tls {
        pub(in super::super) fn of(properties: &Properties) -> Result<Self> {
            for key in NOT_FOLLOWED {
                if let Some(value) = properties.get(key) {
                    return Err(unsupported(
                        key,
                        value,
                        "give certificate and key as files, and leave this option away",
                    ));
                }
            }
            let mut builder = SslConnector::builder(SslMethod::tls())
                .map_err(|e| Error::config(SET_UP, "no TLS").source(e))?;
            trust(&mut builder, properties)?;
            identify(&mut builder, properties)?;
            choose(&mut builder, properties)?;
            Ok(Tls {
                connector: builder.build(),
                verify_hostname: match properties.get("ssl.endpoint.identification.algorithm") {
                    None | Some("https") => true,
                    Some("none") => false,
                    Some(other) => {
                        return Err(Error::config(SET_UP, "no such algorithm")
                            .with("key", "ssl.endpoint.identification.algorithm")
                            .with("value", other)
                            .hint("take https or none"));
                    }
                },
            })
        }

        /// Speaks TLS over a socket to `address` (`host:port`).
        pub(in super::super) fn connect(&self, stream: TcpStream, address: &str) -> Result<Box<dyn Stream>> {
            let failed = |e: ErrorStack| {
                Error::config(CONNECT, "TLS can't begin")
                    .with("broker", address)
                    .source(e)
            };
            let mut configuration = self.connector.configure().map_err(failed)?;
            configuration.set_verify_hostname(self.verify_hostname);
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            match configuration.connect(host, stream) {
                Ok(stream) => Ok(Box::new(stream)),
                Err(HandshakeError::SetupFailure(e)) => Err(failed(e)),
                // The socket's time is up.
                Err(HandshakeError::WouldBlock(_)) => {
                    Err(Error::new(ErrorKind::Io, CONNECT, "no answer in time")
                        .with("broker", address)
                        .hint("see whether the listener there speaks TLS"))
                }
                Err(HandshakeError::Failure(broken)) => {
                    let verified = broken.ssl().verify_result();
                    let e = broken.into_error();
                    if verified != openssl::x509::X509VerifyResult::OK {
                        return Err(Error::config(CONNECT, "the broker's certificate is not trusted")
                            .with("broker", address)
                            .with("reason", verified.error_string())
                            .hint(
                                "see ssl.ca.location (who signed it) and bootstrap.servers (the names that it holds for)",
                            ));
                    }
                    if e.code() == ErrorCode::SSL {
                        return Err(Error::config(CONNECT, "no TLS with this broker")
                            .with("broker", address)
                            .source(e)
                            .hint("see whether the listener there speaks TLS, and asks for a certificate (ssl.certificate.location)"));
                    }
                    Err(
                        Error::new(ErrorKind::Io, CONNECT, "the broker closed the connection")
                            .with("broker", address)
                            .source(e)
                            .hint("see whether the broker runs and its listener speaks TLS"),
                    )
                }
            }
        }
    }

    /// By the files' names, not by what is in them.
    impl std::fmt::Debug for Tls {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Tls")
                .field("verify_hostname", &self.verify_hostname)
                .finish_non_exhaustive()
        }
    }

    const SET_UP: &str = "set up Kafka";
    const CONNECT: &str = "connect to Kafka";

    /// An option's value can't be used.
    fn bad(key: &'static str, what: &'static str) -> impl Fn(ErrorStack) -> Error {
        move |e| Error::config(SET_UP, what).with("key", key).source(e)
    }

    fn file(key: &'static str, path: &str) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|e| {
            Error::config(SET_UP, "the file can't be read")
                .with("key", key)
                .with("path", path)
                .source(e)
        })
    }

    /// The text of `<name>.pem`, or else the file of `<name>.location`, and the option that it is from.
    fn pem(
        properties: &Properties,
        text: &'static str,
        location: &'static str,
    ) -> Result<Option<(Vec<u8>, &'static str)>> {
        match (properties.get(text), properties.get(location)) {
            (Some(pem), _) => Ok(Some((pem.as_bytes().to_vec(), text))),
            (None, Some(path)) => Ok(Some((file(location, path)?, location))),
            (None, None) => Ok(None),
        }
    }

    /// Whose brokers we talk to. Without an option: whom the machine trusts.
    fn trust(builder: &mut SslConnectorBuilder, properties: &Properties) -> Result<()> {
        const LOCATION: &str = "ssl.ca.location";
        if let Some(text) = properties.get("ssl.ca.pem") {
            let key = "ssl.ca.pem";
            for certificate in
                X509::stack_from_pem(text.as_bytes()).map_err(bad(key, "not certificates in PEM"))?
            {
                let store = builder.cert_store_mut();
                store
                    .add_cert(certificate)
                    .map_err(bad(key, "a certificate is of no use"))?;
            }
        } else if let Some(path) = properties.get(LOCATION).filter(|p| *p != "probe") {
            let of = |e| bad(LOCATION, "not certificates in PEM")(e).with("path", path);
            if Path::new(path).is_dir() {
                let store = builder.cert_store_mut();
                let lookup = store.add_lookup(X509Lookup::hash_dir()).map_err(of)?;
                lookup.add_dir(path, openssl::ssl::SslFiletype::PEM).map_err(of)?;
            } else {
                file(LOCATION, path)?;
                builder.set_ca_file(path).map_err(of)?;
            }
        }
        if let Some(path) = properties.get("ssl.crl.location") {
            let of = |e| {
                bad("ssl.crl.location", "not a list of revoked certificates in PEM")(e).with("path", path)
            };
            let store = builder.cert_store_mut();
            let lookup = store.add_lookup(X509Lookup::file()).map_err(of)?;
            lookup
                .load_crl_file(path, openssl::ssl::SslFiletype::PEM)
                .map_err(of)?;
            store.set_flags(X509VerifyFlags::CRL_CHECK).map_err(of)?;
        }
        if !properties.flag("enable.ssl.certificate.verification", true)? {
            builder.set_verify(SslVerifyMode::NONE);
        }
        Ok(())
    }

    /// Who we are, for brokers that ask.
    fn identify(builder: &mut SslConnectorBuilder, properties: &Properties) -> Result<()> {
        if let Some((text, from)) = pem(properties, "ssl.certificate.pem", "ssl.certificate.location")? {
            let wrong = bad(from, "not certificates in PEM");
            let mut chain = X509::stack_from_pem(&text).map_err(&wrong)?.into_iter();
            let own = chain
                .next()
                .ok_or_else(|| Error::config(SET_UP, "no certificate in it").with("key", from))?;
            builder.set_certificate(&own).map_err(&wrong)?;
            chain.try_for_each(|c| builder.add_extra_chain_cert(c).map_err(&wrong))?;
        }
        if let Some((text, from)) = pem(properties, "ssl.key.pem", "ssl.key.location")? {
            let key = private_key(&text, properties).map_err(|e| {
                bad(from, "no private key in PEM, or another password")(e).hint("see ssl.key.password")
            })?;
            builder
                .set_private_key(&key)
                .map_err(bad(from, "the key of another certificate"))?;
        }
        if let Some(path) = properties.get("ssl.keystore.location") {
            const KEY: &str = "ssl.keystore.location";
            let password = properties.get("ssl.keystore.password").unwrap_or("");
            let wrong = |e| {
                bad(KEY, "not a PKCS#12 key store, or another password")(e)
                    .with("path", path)
                    .hint("see ssl.keystore.password")
            };
            let store = Pkcs12::from_der(&file(KEY, path)?).map_err(wrong)?;
            let store = store.parse2(password).map_err(wrong)?;
            if let (Some(certificate), Some(key)) = (store.cert, store.pkey) {
                builder.set_certificate(&certificate).map_err(wrong)?;
                builder.set_private_key(&key).map_err(wrong)?;
            }
            for certificate in store.ca.into_iter().flatten() {
                builder.add_extra_chain_cert(certificate).map_err(wrong)?;
            }
        }
        Ok(())
    }

    fn private_key(text: &[u8], properties: &Properties) -> std::result::Result<PKey<Private>, ErrorStack> {
        // With a password in any case: without one OpenSSL would ask at the terminal.
        let password = properties.get("ssl.key.password").unwrap_or("");
        PKey::private_key_from_pem_passphrase(text, password.as_bytes())
    }

    /// Which algorithms are good enough.
    fn choose(builder: &mut SslConnectorBuilder, properties: &Properties) -> Result<()> {
        if let Some(list) = properties.get("ssl.cipher.suites") {
            let wrong = bad("ssl.cipher.suites", "no such cipher suite");
            builder.set_cipher_list(list).map_err(wrong)?;
        }
        if let Some(list) = properties.get("ssl.curves.list") {
            let wrong = bad("ssl.curves.list", "no such curve");
            builder.set_groups_list(list).map_err(wrong)?;
        }
        if let Some(list) = properties.get("ssl.sigalgs.list") {
            let wrong = bad("ssl.sigalgs.list", "no such signature algorithm");
            builder.set_sigalgs_list(list).map_err(wrong)?;
        }
        Ok(())
    }
}

#[cfg(not(feature = "ssl"))]
mod without {
    use super::Stream;
    use crate::properties::Properties;
    use millpond_core::{Error, ErrorKind, Result};
    use std::net::TcpStream;

    /// None: this is built without TLS.
    #[derive(Clone, Debug)]
    pub(in super::super) enum Tls {}

    impl Tls {
        pub(in super::super) fn of(properties: &Properties) -> Result<Self> {
            Err(Error::new(
                ErrorKind::Unsupported,
                "set up Kafka",
                "this program is built without TLS",
            )
            .with("key", "security.protocol")
            .with("value", properties.get("security.protocol").unwrap_or_default())
            .hint("build it with the feature `ssl` of millpond-connector-kafka"))
        }

        pub(in super::super) fn connect(&self, _: TcpStream, _: &str) -> Result<Box<dyn Stream>> {
            match *self {}
        }
    }
}
