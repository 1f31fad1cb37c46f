//! Compressed state: Snappy's framing format, as Flink's `SnappyStreamCompressionDecorator` writes it.
//!
//! A compressed run begins with the format's identifier, then come chunks: kind (`u8`), length of what follows (`u24`, little-endian,
//! as all of the format), masked CRC32C of the content (`u32`), and the content, compressed or not. A chunk has at most 64 KB of
//! content, so that what a reader allocates is bounded by what it has read.
//!
//! The frames are written here and not by the `snap` crate's own `FrameEncoder`: operator state is entered at any element, and so needs
//! to know where chunks lie, and damage is to be named by its place.

use super::io_error;
use millpond_core::{Error, Result};
use millpond_types::DataInput;
use std::io::{self, Write};

/// What every run begins with: a chunk of its own kind.
const IDENTIFIER: [u8; 10] = *b"\xff\x06\x00\x00sNaPpY";
const COMPRESSED: u8 = 0x00;
const UNCOMPRESSED: u8 = 0x01;
const IDENTIFIER_KIND: u8 = 0xff;
/// Kinds from here to the identifier's may be skipped by whoever doesn't know them; those below may not.
const SKIPPABLE: u8 = 0x80;
/// The most content of a chunk, and how much Flink puts into one.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
const CHECKSUM_BYTES: usize = 4;

/// Compresses runs one after the other, with the same buffers.
pub(crate) struct Compressor {
    encoder: snap::raw::Encoder,
    content: Vec<u8>,
    compressed: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Compressor {
            encoder: snap::raw::Encoder::new(),
            content: Vec::new(),
            compressed: Vec::new(),
        }
    }

    /// A writer of one run into `out`. The run begins with the first byte: nothing written is no run.
    fn run<'a>(&'a mut self, out: &'a mut dyn Write) -> CompressedRun<'a> {
        self.content.clear();
        CompressedRun {
            compressor: self,
            out,
            begun: false,
        }
    }

    /// Begins a run that has no writer of its own: [`Compressor::chunks`] goes on with it.
    pub(crate) fn begin(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&IDENTIFIER)
    }

    /// Writes `content` as chunks of a run that has begun.
    pub(crate) fn chunks(&mut self, content: &[u8], out: &mut dyn Write) -> io::Result<()> {
        content
            .chunks(CHUNK_BYTES_MAX)
            .try_for_each(|chunk| self.chunk(chunk, out))
    }

    fn chunk(&mut self, content: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.compressed
            .resize(snap::raw::max_compress_len(content.len()), 0);
        let length = self.encoder.compress(content, &mut self.compressed)?;
        let compressed = self.compressed.get(..length).unwrap_or_default();
        // What saves less than 15 percent isn't worth it (`SnappyStreamCompressionDecorator.MIN_COMPRESSION_RATIO`).
        let (kind, stored) = if length * 20 <= content.len() * 17 {
            (COMPRESSED, compressed)
        } else {
            (UNCOMPRESSED, content)
        };
        let [a, b, c, _] = ((stored.len() + CHECKSUM_BYTES) as u32).to_le_bytes();
        out.write_all(&[kind, a, b, c])?;
        out.write_all(&checksum(content).to_le_bytes())?;
        out.write_all(stored)
    }
}

/// Lets `write` write a run into `out`, compressed if there is a compressor.
pub(crate) fn write_run<R>(
    compressor: Option<&mut Compressor>,
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> Result<R>,
) -> Result<R> {
    let Some(compressor) = compressor else {
        return write(out);
    };
    let mut run = compressor.run(out);
    let result = write(&mut run)?;
    run.flush().map_err(io_error)?;
    Ok(result)
}

/// One run that is being written. A flush ends a chunk, also the last one.
struct CompressedRun<'a> {
    compressor: &'a mut Compressor,
    out: &'a mut dyn Write,
    begun: bool,
}

impl Write for CompressedRun<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.compressor.content.len() == CHUNK_BYTES_MAX {
            self.flush()?;
        }
        let room = CHUNK_BYTES_MAX - self.compressor.content.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.compressor.content.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.compressor.content.is_empty() {
            return Ok(());
        }
        if !self.begun {
            Compressor::begin(self.out)?;
            self.begun = true;
        }
        let mut content = std::mem::take(&mut self.compressor.content);
        let written = self.compressor.chunk(&content, self.out);
        content.clear();
        self.compressor.content = content;
        written
    }
}

/// The content of the run that `bytes` are. `chunk` is told of each chunk with content where it lies in `bytes` and where its content
/// begins.
///
/// # Errors
/// Corrupt, with the place of the chunk that is none.
pub(crate) fn decompress(bytes: &[u8], mut chunk: impl FnMut(usize, usize)) -> Result<Vec<u8>> {
    let mut input = DataInput::new(bytes);
    let mut decoder = snap::raw::Decoder::new();
    let mut content = Vec::new();
    while !input.is_empty() {
        let at = input.position();
        let before = content.len();
        read_chunk(&mut input, at == 0, &mut decoder, &mut content).map_err(|e| e.with("chunk_at", at))?;
        if content.len() > before {
            chunk(at, before);
        }
    }
    Ok(content)
}

fn read_chunk(
    input: &mut DataInput<'_>,
    first: bool,
    decoder: &mut snap::raw::Decoder,
    content: &mut Vec<u8>,
) -> Result<()> {
    let kind = input.read_u8()?;
    let length = [input.read_u8()?, input.read_u8()?, input.read_u8()?, 0];
    let body = input.read_bytes(u32::from_le_bytes(length) as usize)?;
    match kind {
        IDENTIFIER_KIND if IDENTIFIER.ends_with(body) && body.len() + 4 == IDENTIFIER.len() => return Ok(()),
        _ if first || kind == IDENTIFIER_KIND => return Err(corrupt("it does not begin as a Snappy stream")),
        COMPRESSED | UNCOMPRESSED => {}
        SKIPPABLE.. => return Ok(()),
        _ => return Err(corrupt("a chunk is of an unknown kind").with("kind", kind)),
    }
    let mut body = DataInput::new(body);
    let stored = body.read_bytes(CHECKSUM_BYTES)?;
    let body = body.read_bytes(body.remaining())?;
    let start = content.len();
    if kind == COMPRESSED {
        let length = snap::raw::decompress_len(body).map_err(|e| damaged().source(e))?;
        check_length(length)?;
        content.resize(start + length, 0);
        let target = content.get_mut(start..).unwrap_or_default();
        decoder
            .decompress(body, target)
            .map_err(|e| damaged().source(e))?;
    } else {
        check_length(body.len())?;
        content.extend_from_slice(body);
    }
    if stored != checksum(content.get(start..).unwrap_or_default()).to_le_bytes() {
        return Err(corrupt("the content of a chunk does not match its checksum"));
    }
    Ok(())
}

fn check_length(length: usize) -> Result<()> {
    if length <= CHUNK_BYTES_MAX {
        return Ok(());
    }
    Err(corrupt("a chunk has more content than the format allows").with("content_bytes", length))
}

/// The format's checksum: a CRC32C, masked since a CRC of bytes that hold their own CRC says little.
fn checksum(content: &[u8]) -> u32 {
    crc32c::crc32c(content).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cold]
fn damaged() -> Error {
    corrupt("a chunk can't be decompressed")
}

fn corrupt(message: &'static str) -> Error {
    Error::corrupt("decompress state", message)
}

#[cfg(test)]
mod tests;
