//! One connection to one broker: a request goes out, its answer comes back.

use super::security::Security;
use super::tls::Stream;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use millpond_core::{Error, Result};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// No answer to what we ask for comes near it; more is not Kafka.
const RESPONSE_BYTES_MAX: usize = 16 << 20;
const CLIENT_ID: &str = "millpond";

/// An open connection. After an error it is of no use any more.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    address: String,
    correlation_id: i32,
}

impl Connection {
    pub(super) fn open(address: &str, security: &Security, timeout: Duration) -> Result<Self> {
        let failed = |e| unreachable(address, e);
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        let mut connected = None;
        for socket in address.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&socket, timeout) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(e) => last = e,
            }
        }
        let stream = connected.ok_or_else(|| unreachable(address, last))?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(timeout)).map_err(failed)?;
        stream.set_write_timeout(Some(timeout)).map_err(failed)?;
        let mut connection = Connection {
            stream: match &security.tls {
                Some(tls) => tls.connect(stream, address)?,
                None => Box::new(stream),
            },
            address: address.to_string(),
            correlation_id: 0,
        };
        if let Some(sasl) = &security.sasl {
            sasl.authenticate(&mut connection)?;
        }
        Ok(connection)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Io when the broker is away or doesn't answer in time; Corrupt when the answer isn't one.
    pub(super) fn call<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = self.frame(request, version)?;
        self.stream
            .write_all(&frame)
            .map_err(|e| unreachable(&self.address, e))?;
        let mut answer = self.receive()?;
        let malformed = |e| self.malformed("its answer can't be read").source(boxed(e));
        let header =
            ResponseHeader::decode(&mut answer, R::Response::header_version(version)).map_err(malformed)?;
        if header.correlation_id != self.correlation_id {
            return Err(self.malformed("it answers another request"));
        }
        R::Response::decode(&mut answer, version).map_err(malformed)
    }

    fn frame<R: Request>(&self, request: &R, version: i16) -> Result<BytesMut> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        let mut body = BytesMut::new();
        encode_request_header_into_buffer(&mut body, &header)
            .and_then(|()| request.encode(&mut body, version))
            .map_err(|e| self.malformed("the request can't be written").source(boxed(e)))?;
        let length =
            i32::try_from(body.len()).map_err(|_| self.malformed("the request is longer than 2 GiB"))?;
        let mut frame = BytesMut::with_capacity(body.len() + 4);
        frame.put_i32(length);
        frame.extend_from_slice(&body);
        Ok(frame)
    }

    fn receive(&mut self) -> Result<Bytes> {
        let mut length = [0u8; 4];
        self.stream
            .read_exact(&mut length)
            .map_err(|e| unreachable(&self.address, e))?;
        let length = usize::try_from((&length[..]).get_i32())
            .ok()
            .filter(|n| *n <= RESPONSE_BYTES_MAX)
            .ok_or_else(|| self.malformed("its answer has an impossible length"))?;
        let mut answer = vec![0u8; length];
        self.stream
            .read_exact(&mut answer)
            .map_err(|e| unreachable(&self.address, e))?;
        Ok(answer.into())
    }

    fn malformed(&self, message: &'static str) -> Error {
        Error::corrupt("ask Kafka", message)
            .with("broker", &self.address)
            .hint("see whether a Kafka broker of version 3.0 or newer listens there, and whether security.protocol fits")
    }
}

fn unreachable(address: &str, e: std::io::Error) -> Error {
    let message = match e.kind() {
        std::io::ErrorKind::ConnectionRefused => "nobody listens there",
        std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => "no answer in time",
        std::io::ErrorKind::UnexpectedEof
        | std::io::ErrorKind::ConnectionReset
        | std::io::ErrorKind::BrokenPipe => "the broker closed the connection",
        _ => "it can't be reached",
    };
    Error::new(millpond_core::ErrorKind::Io, "ask Kafka", message)
        .with("broker", address)
        .hint("see whether the broker runs and bootstrap.servers names it")
        .source(e)
}

fn boxed(e: impl std::fmt::Display) -> Box<dyn std::error::Error + Send + Sync> {
    e.to_string().into()
}
