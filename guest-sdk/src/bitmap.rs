//! Bits in Arrow's order, least significant first: which rows pass, which values are present.

/// A growable sequence of bits. Bits past the end are always zero, so equal sequences have equal bytes.
///
/// ```
/// # use sluice_guest::Bitmap;
/// let even: Bitmap = (0..10).map(|row| row % 2 == 0).collect();
/// assert_eq!(even.count_ones(), 5);
/// assert!(even.get(8));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    bytes: Vec<u8>,
    len: usize,
}

impl Bitmap {
    /// No bits, with room for `len` of them.
    pub fn with_capacity(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes_for(len)), len: 0 }
    }

    /// `len` bits of one value.
    pub fn filled(len: usize, value: bool) -> Self {
        let mut bitmap = Self { bytes: vec![if value { u8::MAX } else { 0 }; bytes_for(len)], len };
        bitmap.clear_past_end();
        bitmap
    }

    /// The first `len` bits of these bytes, which must be enough.
    pub(crate) fn from_bytes(bytes: &[u8], len: usize) -> Self {
        let mut bitmap = Self { bytes: bytes[..bytes_for(len)].to_vec(), len };
        bitmap.clear_past_end();
        bitmap
    }

    /// Adds a bit.
    #[inline]
    pub fn push(&mut self, value: bool) {
        let bit = u8::from(value) << (self.len % 8);
        match self.bytes.last_mut() {
            Some(last) if !self.len.is_multiple_of(8) => *last |= bit,
            _ => self.bytes.push(bit),
        }
        self.len += 1;
    }

    /// The bit at an index.
    ///
    /// # Panics
    /// Where the index is not less than the length.
    #[inline]
    pub fn get(&self, index: usize) -> bool {
        assert!(index < self.len, "bit {index} of {}", self.len);
        bit(&self.bytes, index)
    }

    /// Changes the bit at an index.
    ///
    /// # Panics
    /// Where the index is not less than the length.
    #[inline]
    pub fn set(&mut self, index: usize, value: bool) {
        assert!(index < self.len, "bit {index} of {}", self.len);
        let mask = 1 << (index % 8);
        if value {
            self.bytes[index / 8] |= mask;
        } else {
            self.bytes[index / 8] &= !mask;
        }
    }

    /// Removes the bits from an index on.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.bytes.truncate(bytes_for(len));
            self.clear_past_end();
        }
    }

    /// How many bits there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// The bytes as they cross the boundary.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn clear_past_end(&mut self) {
        if let (Some(last), used @ 1..) = (self.bytes.last_mut(), self.len % 8) {
            *last &= (1 << used) - 1;
        }
    }
}

impl FromIterator<bool> for Bitmap {
    fn from_iter<Bits: IntoIterator<Item = bool>>(bits: Bits) -> Self {
        let bits = bits.into_iter();
        let mut bitmap = Self::with_capacity(bits.size_hint().0);
        bits.for_each(|bit| bitmap.push(bit));
        bitmap
    }
}

/// How many bytes hold `len` bits.
pub(crate) fn bytes_for(len: usize) -> usize {
    len.div_ceil(8)
}

/// The bit at an index of a bitmap's bytes.
#[inline]
pub(crate) fn bit(bytes: &[u8], index: usize) -> bool {
    bytes[index / 8] & (1 << (index % 8)) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_list_of_bools(bits: Vec<bool>, cut: usize, flip: usize) {
            let mut bits = bits;
            let mut bitmap: Bitmap = bits.iter().copied().collect();
            if !bits.is_empty() {
                let flip = flip % bits.len();
                bits[flip] = !bits[flip];
                bitmap.set(flip, bits[flip]);
            }
            bits.truncate(cut % (bits.len() + 1));
            bitmap.truncate(bits.len());
            prop_assert_eq!((0..bitmap.len()).map(|index| bitmap.get(index)).collect::<Vec<_>>(), bits.clone());
            prop_assert_eq!(bitmap.count_ones(), bits.iter().filter(|bit| **bit).count());
            prop_assert_eq!(&bitmap, &Bitmap::from_bytes(&bitmap.bytes, bits.len()));
            prop_assert_eq!(bitmap.into_bytes().len(), bytes_for(bits.len()));
        }

        #[test]
        fn filled_is_as_many_pushes(len in 0..70_usize, value: bool) {
            prop_assert_eq!(Bitmap::filled(len, value), std::iter::repeat_n(value, len).collect::<Bitmap>());
        }
    }
}
