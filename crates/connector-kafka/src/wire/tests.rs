//! Our own protocol client against a broker that is a script: what it sends byte by byte, and what it makes of bad answers.

use super::cluster::check;
use super::{OpenTransaction, TransactionState, Transactions};
use crate::properties::Properties;
use millpond_core::ErrorKind;
use millpond_core::host::{JoinHandle, spawn};
use std::io::{Read, Write};
use std::net::TcpListener;

/// What a broker got, and what it says to it (without length and correlation id).
type Script = Vec<Box<dyn Fn(&[u8]) -> Vec<u8> + Send>>;

/// A broker that takes one connection and answers by the script. It gives back every request, without its length.
fn broker(script: impl FnOnce(u16) -> Script) -> (Properties, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = script(port);
    let thread = spawn("scripted-broker", move || {
        let mut requests = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        for answer in script {
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            let answer = answer(&request);
            stream.write_all(&answer).unwrap();
            requests.push(request);
        }
        requests
    })
    .unwrap();
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    (properties, thread)
}

/// An answer's frame: length, the request's correlation id, body.
fn frame(request: &[u8], body: &[u8]) -> Vec<u8> {
    let mut frame = ((body.len() + 4) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&request[4..8]);
    frame.extend_from_slice(body);
    frame
}

/// The answer to `FindCoordinator` in version 3: this broker.
fn coordinator(request: &[u8], port: u16) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 10];
    body.extend_from_slice(b"127.0.0.1");
    body.extend_from_slice(&i32::from(port).to_be_bytes());
    body.push(0);
    // Header of a flexible version: no tags, before the body.
    frame(request, &[&[0][..], &body[..]].concat())
}

fn transaction() -> OpenTransaction {
    OpenTransaction {
        transactional_id: "p-0-7".to_string(),
        producer_id: 0x0102_0304,
        epoch: 5,
    }
}

/// Goal: the bytes that end a transaction are Kafka's: `EndTxn` (26) in version 3, after a question for the coordinator.
#[test]
fn a_commit_is_these_bytes() {
    let (properties, broker) = broker(|port| {
        vec![
            Box::new(move |r| coordinator(r, port)),
            Box::new(|r| frame(r, &[0, 0, 0, 0, 0, 0, 0, 0])),
        ]
    });
    Transactions::new(&properties)
        .unwrap()
        .commit(&transaction())
        .unwrap();
    let requests = broker.join().unwrap();
    // Key, version, correlation, client id, tags; then key (compact), type of key, tags.
    let find = [
        &[0, 10, 0, 3, 0, 0, 0, 1, 0, 8][..],
        b"millpond",
        &[0, 6],
        b"p-0-7",
        &[1, 0],
    ];
    assert_eq!(requests[0], find.concat());
    let end = [
        &[0, 26, 0, 3, 0, 0, 0, 2, 0, 8][..],
        b"millpond",
        &[0, 6],
        b"p-0-7",
        &[0, 0, 0, 0, 1, 2, 3, 4, 0, 5, 1, 0],
    ];
    assert_eq!(requests[1], end.concat());
}

/// Goal: what passes by itself is tried again on the same connection; what doesn't is told by Kafka's name for it.
#[test]
fn passing_errors_are_waited_out_and_others_are_named() {
    const CONCURRENT_TRANSACTIONS: u8 = 51;
    const INVALID_PRODUCER_EPOCH: u8 = 47;
    let (properties, broker) = broker(|port| {
        vec![
            Box::new(move |r| coordinator(r, port)),
            Box::new(|r| frame(r, &[0, 0, 0, 0, 0, 0, CONCURRENT_TRANSACTIONS, 0])),
            Box::new(move |r| coordinator(r, port)),
            Box::new(|r| frame(r, &[0, 0, 0, 0, 0, 0, INVALID_PRODUCER_EPOCH, 0])),
        ]
    });
    let e = Transactions::new(&properties)
        .unwrap()
        .commit(&transaction())
        .unwrap_err();
    assert_eq!(broker.join().unwrap().len(), 4);
    assert_eq!(e.kind(), ErrorKind::IllegalState, "{e}");
    assert_eq!(e.context("kafka_error"), Some("InvalidProducerEpoch"));
    assert_eq!(e.context("transactional_id"), Some("p-0-7"));
}

/// Goal: bytes that no broker sends are an error that says so, and decide no allocation. Method: an impossible length, another
/// request's correlation id, and a body that ends too early.
#[test]
fn bad_answers_are_errors() {
    type Answer = fn(&[u8]) -> Vec<u8>;
    let answers: [Answer; 3] = [
        |_| vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        |r| frame(&[&r[..4], &[9, 9, 9, 9]].concat(), &[0; 30]),
        |r| frame(r, &[0, 0, 0]),
    ];
    for answer in answers {
        let (properties, broker) = broker(|_| vec![Box::new(answer)]);
        let e = Transactions::new(&properties)
            .unwrap()
            .describe("p-0-7")
            .unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
        assert!(e.to_string().contains("security.protocol"), "{e}");
        broker.join().unwrap();
    }
}

/// Goal: an id that the coordinator never heard of isn't an error. Method: `DescribeTransactions` (65), version 0.
#[test]
fn an_unknown_id_has_nothing_open() {
    let (properties, broker) = broker(|port| {
        vec![
            Box::new(move |r| coordinator(r, port)),
            Box::new(|r| {
                let mut body = vec![0, 0, 0, 0, 0, 2, 0, 105, 6];
                body.extend_from_slice(b"p-0-7");
                // State, time-out, start, producer, epoch, topics, tags.
                body.extend_from_slice(&[1, 0, 0, 0, 0]);
                body.extend_from_slice(&[0xff; 18]);
                body.extend_from_slice(&[1, 0, 0]);
                frame(r, &body)
            }),
        ]
    });
    let state = Transactions::new(&properties).unwrap().describe("p-0-7").unwrap();
    assert_eq!(state, TransactionState::Other("unknown".to_string()));
    broker.join().unwrap();
}

#[test]
fn a_broker_that_is_away_is_named() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    let e = Transactions::new(&properties)
        .unwrap()
        .describe("p-0-7")
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io);
    assert!(
        e.to_string().contains("nobody listens") && e.to_string().contains("bootstrap.servers"),
        "{e}"
    );
}

#[test]
fn no_error_is_no_error() {
    assert!(check("ask", 0).is_ok());
    // NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.
    for passing in [16, 14] {
        assert!(check("ask", passing).unwrap_err().is_temporary());
    }
}
