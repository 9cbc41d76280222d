//! [`lines`]: the lines of a recording, compressed or not, whole or cut off.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// How a zstd frame begins. Source: RFC 8878, section 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The longest line, in bytes: Kalshi's largest message is 64 MiB, and escapes may double it.
const LINE_BYTES_MAX: u64 = 160 << 20;

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// In the middle: whoever wrote it was killed, or still writes. What was read is good.
    CutOff,
}

/// Hands out each line that is not empty, in order. A last line without its end is not handed out
/// where the file is cut off.
///
/// # Errors
/// When the file cannot be read, is damaged, or has a line that no recording has.
pub fn lines(path: &Path, mut each: impl FnMut(&str)) -> io::Result<End> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&MAGIC) {
        let mut decoder = BufReader::new(zstd::stream::read::Decoder::with_buffer(file)?);
        read(&mut decoder, &mut each)
    } else {
        read(&mut file, &mut each)
    }
}

fn read(from: &mut impl BufRead, each: &mut impl FnMut(&str)) -> io::Result<End> {
    let mut line = Vec::new();
    loop {
        line.clear();
        match from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(End::Whole),
            Ok(_) => {}
            // zstd says so of a stream without its end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(End::CutOff),
            Err(error) => return Err(error),
        }
        if line.len() as u64 == LINE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            each(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_back(bytes: &[u8]) -> (Vec<String>, io::Result<End>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut seen = Vec::new();
        let end = lines(file.path(), |line| seen.push(line.to_owned()));
        (seen, end)
    }

    #[test]
    fn plain_and_compressed_files_are_read_alike() {
        let text = "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}";
        let compressed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        for bytes in [text.as_bytes(), &compressed] {
            let (seen, end) = read_back(bytes);
            assert_eq!(seen, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
            assert_eq!(end.unwrap(), End::Whole);
        }
        assert_eq!(read_back(b"").0, Vec::<String>::new());
    }

    #[test]
    fn a_file_that_was_cut_off_gives_what_reached_it() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(b"one\ntwo\n").unwrap();
        encoder.flush().unwrap();
        let flushed = encoder.get_ref().len();
        encoder.write_all(b"three\n").unwrap();
        let whole = encoder.finish().unwrap();
        let (seen, end) = read_back(&whole[..flushed]);
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(end.unwrap(), End::CutOff);
        for cut in 4..whole.len() {
            let (seen, end) = read_back(&whole[..cut]);
            assert!(end.is_ok(), "{cut}");
            assert!(seen.iter().zip(["one", "two", "three"]).all(|(seen, whole)| seen == whole));
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let noise: Vec<u8> =
            (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut bytes = zstd::encode_all(&noise[..], 3).unwrap();
        let middle = bytes.len() / 2;
        bytes[3] = 0xfd;
        bytes[5..middle].fill(0xff);
        assert!(read_back(&bytes).1.is_err());
    }
}
