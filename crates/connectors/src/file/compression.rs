//! Compressed files: which kind a file is, and a reader of its decoded bytes.
//!
//! Both formats allow a file to be several members (gzip) or frames (zstd) one after another; all are read.

use millpond_core::{Error, Result};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are. Only such files can be cut into ranges.
    None,
    /// gzip (RFC 1952), file names ending in `.gz` or `.gzip`.
    Gzip,
    /// Zstandard (RFC 8878), file names ending in `.zst` or `.zstd`.
    Zstd,
}

impl Compression {
    /// The compression that the file's extension stands for.
    pub fn of_path(path: &Path) -> Self {
        match path
            .extension()
            .and_then(|e| e.to_str())
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("gz" | "gzip") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// A reader of the decoded bytes of `file`, from where it stands.
    pub(crate) fn decode(self, file: File) -> Box<dyn Read> {
        match self {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(file))),
            Compression::Zstd => Box::new(ZstdReader::new(buffered(file))),
        }
    }

    /// Turns a failed read of `path` into an error: damaged data is Corrupt, all else is Io.
    pub(crate) fn read_error(self, path: &str, offset: u64, source: io::Error) -> Error {
        let damaged = self != Compression::None
            && matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
            );
        if damaged {
            return Error::corrupt("read file", "the compressed data is damaged or cut off")
                .with("path", path)
                .with("decoded_offset", offset)
                .source(source)
                .hint("fetch the file again, or take it out of the input");
        }
        Error::io("read file", source)
            .with("path", path)
            .with("offset", offset)
    }
}

fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(64 * 1024, file)
}

/// Decodes zstd frames one after another, skips skippable frames, and verifies content checksums.
struct ZstdReader<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    fn new(source: R) -> Self {
        ZstdReader {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Begins the next frame; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let wanted = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(wanted), &mut io::sink())?;
                    if skipped < wanted {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(damaged(e)),
            }
        }
        Ok(false)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        let stored = self.decoder.get_checksum_from_data();
        if stored.is_some() && stored != self.decoder.get_calculated_checksum() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the content checksum of a zstd frame does not match",
            ));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame && !self.next_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(damaged)?;
            }
            let n = self.decoder.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            self.end_frame()?;
        }
    }
}

fn damaged(e: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

/// Checks that `path` can be opened, and opens it.
pub(crate) fn open(path: &str) -> Result<File> {
    File::open(path).map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound {
            super::enumerate::not_found(Path::new(path))
        } else {
            Error::io("open file", e).with("path", path)
        }
    })
}
