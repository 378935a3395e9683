//! What a column can hold, and how each kind of value lies in the contract's buffers.
//!
//! The six kinds are named by the Rust types a plugin meets: `str`, `bool`, `i64`, `f64`, [`Date`] and [`Timestamp`].
//! [`View`](crate::View), [`Builder`](crate::Builder) and the row form are generic over them. Buffers are read as bytes,
//! in place and wherever they lie in memory: `from_le_bytes` compiles to a plain load.

use crate::bitmap::{Bitmap, bit, bytes_for};
use crate::{DataType, Date, Timestamp};

/// A kind of value that a column can hold. Implemented for `str`, `bool`, `i64`, `f64`, [`Date`] and [`Timestamp`].
pub trait Value: sealed::Layout {
    /// The type of a column of such values.
    const DATA_TYPE: DataType;
}

/// The values of a text column: where each ends, and all of them in one piece.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'batch> {
    offsets: &'batch [[u8; 4]],
    text: &'batch str,
}

/// The values of a text column in the making.
#[derive(Debug)]
pub struct TextBuffer {
    offsets: Vec<[u8; 4]>,
    pub(crate) text: String,
}

pub(crate) mod sealed {
    /// The workings of [`Value`](super::Value); not to be implemented elsewhere.
    pub trait Layout: 'static {
        /// A value as it is read: `&str`, or the type itself.
        type Ref<'batch>: Copy + std::fmt::Debug;
        /// The buffers after the validity, checked.
        type Values<'batch>: Copy + std::fmt::Debug;
        /// The same, in the making.
        type Buffer: std::fmt::Debug;

        /// Checks the buffers after the validity against the number of rows. The error says what is wrong with them.
        fn values(buffers: &[Vec<u8>], rows: usize) -> Result<Self::Values<'_>, &'static str>;
        /// The value of a row, whatever the validity says of it.
        fn get(values: Self::Values<'_>, row: usize) -> Self::Ref<'_>;

        /// An empty buffer with room for so many values.
        fn buffer(rows: usize) -> Self::Buffer;
        /// Adds a value.
        fn push(buffer: &mut Self::Buffer, value: Self::Ref<'_>);
        /// Adds what stands in the place of a null.
        fn push_placeholder(buffer: &mut Self::Buffer);
        /// Forgets all values but the first `rows`.
        fn truncate(buffer: &mut Self::Buffer, rows: usize);
        /// The buffers after the validity.
        fn finish(buffer: Self::Buffer) -> Vec<Vec<u8>>;
    }
}

const WRONG_NUMBER_OF_BUFFERS: &str = "has the wrong number of buffers";
const SHORT_BUFFER: &str = "has a buffer of the wrong length";
const BAD_OFFSETS: &str = "has offsets outside its text";
const NOT_UTF8: &str = "is not UTF-8";

/// The largest text of one column of one batch: offsets are signed 32-bit numbers in Arrow.
const MAX_TEXT_BYTES: usize = i32::MAX as usize;

impl TextBuffer {
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push([0; 4]);
        Self { offsets, text: String::with_capacity(bytes) }
    }

    /// Closes the value that was written to the end of the text.
    #[inline]
    pub(crate) fn end_value(&mut self) {
        // Text past `MAX_TEXT_BYTES` wraps here and is refused by `finish`.
        self.offsets.push((self.text.len() as u32).to_le_bytes());
    }
}

impl<'batch> Texts<'batch> {
    /// All the text there is.
    pub(crate) fn as_bytes(&self) -> &'batch [u8] {
        self.text.as_bytes()
    }

    /// Buffers with the same offsets and another text of the same length.
    pub(crate) fn with_text(&self, text: Vec<u8>) -> Vec<Vec<u8>> {
        vec![self.offsets.as_flattened().to_vec(), text]
    }
}

impl Value for str {
    const DATA_TYPE: DataType = DataType::Text;
}

impl sealed::Layout for str {
    type Ref<'batch> = &'batch str;
    type Values<'batch> = Texts<'batch>;
    type Buffer = TextBuffer;

    fn values(buffers: &[Vec<u8>], rows: usize) -> Result<Texts<'_>, &'static str> {
        let [offsets, text] = buffers else { return Err(WRONG_NUMBER_OF_BUFFERS) };
        let (offsets, []) = offsets.as_chunks() else { return Err(SHORT_BUFFER) };
        // One pass over all the text rather than one for each value, many bytes at a time: the standard library's own check
        // is half the cost of copying a column.
        let text = simdutf8::basic::from_utf8(text).map_err(|_| NOT_UTF8)?;
        if offsets.len() != rows + 1 {
            return Err(SHORT_BUFFER);
        }
        if offset(offsets[0]) != 0 || offset(offsets[rows]) > text.len() {
            return Err(BAD_OFFSETS);
        }
        Ok(Texts { offsets, text })
    }

    #[inline]
    fn get(values: Self::Values<'_>, row: usize) -> Self::Ref<'_> {
        let (start, end) = (offset(values.offsets[row]), offset(values.offsets[row + 1]));
        values.text.get(start..end).expect("the host sends ascending offsets that do not cut a character")
    }

    fn buffer(rows: usize) -> TextBuffer {
        TextBuffer::with_capacity(rows, 0)
    }

    #[inline]
    fn push(buffer: &mut TextBuffer, value: &str) {
        buffer.text.push_str(value);
        buffer.end_value();
    }

    #[inline]
    fn push_placeholder(buffer: &mut TextBuffer) {
        buffer.end_value();
    }

    fn truncate(buffer: &mut TextBuffer, rows: usize) {
        buffer.offsets.truncate(rows + 1);
        buffer.text.truncate(offset(buffer.offsets[buffer.offsets.len() - 1]));
    }

    fn finish(buffer: TextBuffer) -> Vec<Vec<u8>> {
        assert!(buffer.text.len() <= MAX_TEXT_BYTES, "a text column of one batch holds more than 2 GiB");
        vec![buffer.offsets.into_flattened(), buffer.text.into_bytes()]
    }
}

fn offset(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}

impl Value for bool {
    const DATA_TYPE: DataType = DataType::Boolean;
}

impl sealed::Layout for bool {
    type Ref<'batch> = bool;
    type Values<'batch> = &'batch [u8];
    type Buffer = Bitmap;

    fn values(buffers: &[Vec<u8>], rows: usize) -> Result<&[u8], &'static str> {
        let [bits] = buffers else { return Err(WRONG_NUMBER_OF_BUFFERS) };
        if bits.len() == bytes_for(rows) { Ok(bits) } else { Err(SHORT_BUFFER) }
    }

    #[inline]
    fn get(values: Self::Values<'_>, row: usize) -> Self::Ref<'_> {
        bit(values, row)
    }

    fn buffer(rows: usize) -> Bitmap {
        Bitmap::with_capacity(rows)
    }

    #[inline]
    fn push(buffer: &mut Bitmap, value: bool) {
        buffer.push(value);
    }

    #[inline]
    fn push_placeholder(buffer: &mut Bitmap) {
        buffer.push(false);
    }

    fn truncate(buffer: &mut Bitmap, rows: usize) {
        buffer.truncate(rows);
    }

    fn finish(buffer: Bitmap) -> Vec<Vec<u8>> {
        vec![buffer.into_bytes()]
    }
}

macro_rules! fixed_width {
    ($type:ty as $raw:ty, $data_type:ident, $to_raw:expr, $from_raw:expr) => {
        impl Value for $type {
            const DATA_TYPE: DataType = DataType::$data_type;
        }

        impl sealed::Layout for $type {
            type Ref<'batch> = Self;
            type Values<'batch> = &'batch [[u8; size_of::<$raw>()]];
            type Buffer = Vec<[u8; size_of::<$raw>()]>;

            fn values(buffers: &[Vec<u8>], rows: usize) -> Result<Self::Values<'_>, &'static str> {
                let [buffer] = buffers else { return Err(WRONG_NUMBER_OF_BUFFERS) };
                match buffer.as_chunks() {
                    (values, []) if values.len() == rows => Ok(values),
                    _ => Err(SHORT_BUFFER),
                }
            }

            #[inline]
            fn get(values: Self::Values<'_>, row: usize) -> Self::Ref<'_> {
                ($from_raw)(<$raw>::from_le_bytes(values[row]))
            }

            fn buffer(rows: usize) -> Self::Buffer {
                Vec::with_capacity(rows)
            }

            #[inline]
            fn push(buffer: &mut Self::Buffer, value: Self) {
                buffer.push(($to_raw)(value).to_le_bytes());
            }

            #[inline]
            fn push_placeholder(buffer: &mut Self::Buffer) {
                buffer.push(Default::default());
            }

            fn truncate(buffer: &mut Self::Buffer, rows: usize) {
                buffer.truncate(rows);
            }

            fn finish(buffer: Self::Buffer) -> Vec<Vec<u8>> {
                vec![buffer.into_flattened()]
            }
        }
    };
}

fixed_width!(i64 as i64, Int64, std::convert::identity, std::convert::identity);
fixed_width!(f64 as f64, Float64, std::convert::identity, std::convert::identity);
fixed_width!(Date as i32, Date, Date::days, Date::from_days);
fixed_width!(Timestamp as i64, Timestamp, Timestamp::micros, Timestamp::from_micros);

#[cfg(test)]
mod tests {
    use super::sealed::Layout;
    use super::*;

    #[test]
    fn text_buffers_are_checked() {
        let offsets = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let check =
            |offsets: Vec<u8>, text: &[u8], rows| <str as Layout>::values(&[offsets, text.to_vec()], rows).map(|_| ());
        assert_eq!(check(offsets(&[0, 1, 3]), "aé".as_bytes(), 2), Ok(()));
        assert_eq!(check(offsets(&[0, 1, 3]), "aé".as_bytes(), 3), Err(SHORT_BUFFER));
        assert_eq!(check(vec![0; 11], b"ab", 2), Err(SHORT_BUFFER));
        assert_eq!(check(offsets(&[0, 1, 4]), b"ab", 2), Err(BAD_OFFSETS));
        assert_eq!(check(offsets(&[1, 1, 2]), b"ab", 2), Err(BAD_OFFSETS));
        assert_eq!(check(offsets(&[0, 1, 2]), b"a\xff", 2), Err(NOT_UTF8));
        assert_eq!(<str as Layout>::values(&[Vec::new()], 0).unwrap_err(), WRONG_NUMBER_OF_BUFFERS);
    }

    #[test]
    fn fixed_width_buffers_are_checked() {
        assert_eq!(<i64 as Layout>::values(&[vec![0; 16]], 2).map(<[_]>::len), Ok(2));
        assert_eq!(<i64 as Layout>::values(&[vec![0; 16]], 1), Err(SHORT_BUFFER));
        assert_eq!(<Date as Layout>::values(&[vec![0; 7]], 1), Err(SHORT_BUFFER));
        assert_eq!(<bool as Layout>::values(&[vec![0; 2]], 9).map(<[_]>::len), Ok(2));
        assert_eq!(<bool as Layout>::values(&[vec![0; 1]], 9), Err(SHORT_BUFFER));
        assert_eq!(<f64 as Layout>::values(&[], 0), Err(WRONG_NUMBER_OF_BUFFERS));
    }
}
