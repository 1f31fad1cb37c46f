//! TLS and logins: the same on librdkafka's connections and on our own.

use crate::broker::{Properties, certificate, committed_numbers, login, of_environment, topic, unique};
use crate::sink::numbers;
use crate::source::{read_all, source};
use millpond_connector_kafka::{KafkaSinkBuilder, OffsetsInitializer};
use millpond_core::ErrorKind;
use millpond_runtime::testing::for_sink;

const SSL: &str = "MILLPOND_KAFKA_SSL";
const SASL_SSL: &str = "MILLPOND_KAFKA_SASL_SSL";
const SASL_PLAINTEXT: &str = "MILLPOND_KAFKA_SASL_PLAINTEXT";

fn set(builder: KafkaSinkBuilder<u64>, properties: &Properties) -> KafkaSinkBuilder<u64> {
    properties
        .iter()
        .fold(builder, |builder, (key, value)| builder.property(*key, value))
}

fn with(properties: &Properties, more: &[(&'static str, &str)]) -> Properties {
    let more = more.iter().map(|(key, value)| (*key, (*value).to_string()));
    properties.iter().cloned().chain(more).collect()
}

/// Who trusts the broker's authority.
fn trusting() -> Properties {
    vec![
        ("security.protocol", "ssl".to_string()),
        ("ssl.ca.location", certificate("ca.pem")),
    ]
}

/// Goal: exactly once works through every kind of listener: left-over transactions are found and aborted, others committed, and a
/// source reads the result through the same listener.
pub fn exactly_once_works_through_every_kind_of_listener() {
    let by_files = with(
        &trusting(),
        &[
            ("ssl.certificate.location", &certificate("client.pem")),
            ("ssl.key.location", &certificate("client.key")),
        ],
    );
    let by_key_store = with(
        &trusting(),
        &[
            ("ssl.keystore.location", &certificate("client.p12")),
            ("ssl.keystore.password", "grist"),
        ],
    );
    let read = |name| std::fs::read_to_string(certificate(name)).unwrap();
    let by_text = vec![
        ("security.protocol", "ssl".to_string()),
        ("ssl.ca.pem", read("ca.pem")),
        ("ssl.certificate.pem", read("client.pem")),
        ("ssl.key.pem", read("client.key")),
    ];
    let mut listeners = vec![(SSL, by_files), (SSL, by_key_store), (SSL, by_text)];
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        listeners.push((SASL_PLAINTEXT, login("sasl_plaintext", mechanism, "grist")));
        let over_tls = login("sasl_ssl", mechanism, "grist");
        listeners.push((
            SASL_SSL,
            with(&over_tls, &[("ssl.ca.location", &certificate("ca.pem"))]),
        ));
    }
    for (listener, properties) in listeners {
        let topic = topic("secure", 1);
        let prefix = unique("p");
        let sink = || {
            let builder = numbers(&topic, &prefix).bootstrap_servers(of_environment(listener));
            for_sink(set(builder, &properties).build().unwrap())
        };
        let mut h = sink().open().unwrap();
        h.process_element(1, 0).unwrap();
        let first = h.snapshot(1).unwrap();
        // It is in no checkpoint.
        h.process_element(2, 0).unwrap();
        drop(h);
        let mut h = sink().first_checkpoint_id(2).restore(&[first]).open().unwrap();
        h.process_element(3, 0).unwrap();
        h.snapshot(2).unwrap();
        h.notify_checkpoint_complete(2).unwrap();
        assert_eq!(committed_numbers(&topic), [1, 3], "{listener} {properties:?}");
        let source = properties
            .iter()
            .fold(source(), |s, (key, value)| s.property(*key, value));
        let source = source
            .bootstrap_servers(of_environment(listener))
            .topics([&topic])
            .bounded(OffsetsInitializer::latest());
        assert_eq!(read_all(source), [1, 3], "{listener} {properties:?}");
    }
}

/// Goal: who isn't let in, or isn't trusted, is told so at the start, by what to change.
pub fn who_is_not_let_in_or_not_trusted_is_named() {
    let untrusted = [
        ("security.protocol", "ssl".to_string()),
        ("ssl.ca.location", certificate("other.pem")),
    ];
    let login_over_tls = |mechanism, password| {
        with(
            &login("sasl_ssl", mechanism, password),
            &[("ssl.ca.location", &certificate("ca.pem"))],
        )
    };
    // The certificate is the address's, not the name's.
    let by_name = of_environment(SASL_SSL).replace("127.0.0.1", "localhost");
    let sasl_ssl = of_environment(SASL_SSL);
    let ssl = of_environment(SSL);
    let plaintext = of_environment("MILLPOND_KAFKA_BOOTSTRAP");
    for (address, properties, parts) in [
        (
            &ssl,
            untrusted.to_vec(),
            ["certificate is not trusted", "ssl.ca.location"],
        ),
        (
            &by_name,
            login_over_tls("PLAIN", "grist"),
            ["certificate is not trusted", "bootstrap.servers"],
        ),
        (
            &sasl_ssl,
            login_over_tls("PLAIN", "chaff"),
            ["name or password is wrong", "sasl.password"],
        ),
        (
            &sasl_ssl,
            login_over_tls("SCRAM-SHA-512", "chaff"),
            ["name or password is wrong", "miller"],
        ),
        (
            &plaintext,
            login("sasl_plaintext", "SCRAM-SHA-256", "grist"),
            ["doesn't take this mechanism", "sasl.mechanism"],
        ),
    ] {
        let builder = numbers("never", &unique("p")).bootstrap_servers(address.as_str());
        let e = for_sink(set(builder, &properties).build().unwrap())
            .open()
            .err()
            .unwrap();
        assert_eq!(e.kind(), ErrorKind::Config, "{e}");
        for part in parts {
            assert!(e.to_string().contains(part), "{part} is missing: {e}");
        }
    }
    // Whoever has to show a certificate and has none, and whoever speaks TLS to a listener without it, are refused as well.
    for address in [&ssl, &plaintext] {
        let builder = numbers("never", &unique("p")).bootstrap_servers(address.as_str());
        let e = for_sink(set(builder, &trusting()).build().unwrap())
            .open()
            .err()
            .unwrap();
        assert!(e.to_string().contains(address.as_str()), "{e}");
    }
}
