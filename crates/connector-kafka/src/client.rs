//! What producers and consumers have in common: librdkafka's log and errors.

use millpond_core::{Error, ErrorKind};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Writes what librdkafka logs into our log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
    }
}

/// A client's error that isn't about one request: brokers that are away, and the like. librdkafka goes on by itself.
pub(crate) fn note(error: &KafkaError, reason: &str) {
    tracing::warn!(error = %error, reason, "Kafka's client reports a problem; it goes on trying");
}

/// Our error for one of librdkafka's.
pub(crate) fn failed(operation: &'static str, error: KafkaError) -> Error {
    if let KafkaError::ClientConfig(_, description, key, value) = &error {
        return Error::config(operation, description.clone())
            .with("key", key)
            .with("value", value);
    }
    let code = error.rdkafka_error_code();
    let kind = match code {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::InvalidTransactionTimeout
            | RDKafkaErrorCode::InvalidTopic,
        ) => ErrorKind::Config,
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            ErrorKind::NotFound
        }
        _ => ErrorKind::Io,
    };
    let named = Error::new(kind, operation, error.to_string());
    let named = match hint(code) {
        Some(hint) => named.hint(hint),
        None => named,
    };
    named.source(error)
}

fn hint(code: Option<RDKafkaErrorCode>) -> Option<&'static str> {
    Some(match code? {
        RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::MessageTimedOut => {
            "see whether the broker runs and bootstrap.servers names it; nothing is lost"
        }
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
            "create the topic, or correct its name"
        }
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => {
            "let the user that the job connects as do that"
        }
        RDKafkaErrorCode::InvalidTransactionTimeout => {
            "the broker's transaction.max.timeout.ms is below transaction.timeout.ms (1 hour by default): raise the former or lower the latter"
        }
        RDKafkaErrorCode::MessageSizeTooLarge => {
            "raise message.max.bytes here and max.message.bytes of the topic"
        }
        _ => return None,
    })
}
