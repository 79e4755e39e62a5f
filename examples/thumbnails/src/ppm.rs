//! Images in the binary PPM format, and their reduction by averaging pixels.

/// Maximum bytes of an image: more would not fit into the function's memory.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// An image with three bytes per pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Why a file is not an image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PpmError {
    #[error("the file does not begin with P6: it is not a binary PPM")]
    NotPpm,
    #[error("width, height and 255 must follow P6, each at least 1")]
    Header,
    #[error("{found} bytes of pixels; the header announces {announced}")]
    Pixels { found: usize, announced: usize },
}

impl Image {
    /// Reads the bytes of a file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, PpmError> {
        let mut rest = bytes.strip_prefix(b"P6").ok_or(PpmError::NotPpm)?;
        let width = number(&mut rest)?;
        let height = number(&mut rest)?;
        let max = number(&mut rest)?;
        // One blank ends the header.
        let pixels = rest.get(1..).unwrap_or_default();
        let size = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        let size = size.filter(|n| max == 255 && *n <= MAX_BYTES);
        let size = size.ok_or(PpmError::Header)?;
        if pixels.len() != size {
            return Err(PpmError::Pixels {
                found: pixels.len(),
                announced: size,
            });
        }
        Ok(Self {
            width,
            height,
            pixels: pixels.to_vec(),
        })
    }

    /// The bytes of its file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("P6\n{} {}\n255\n", self.width, self.height).into_bytes();
        bytes.extend_from_slice(&self.pixels);
        bytes
    }

    /// The image with no side longer than `longest` pixels; never larger than it was.
    pub(crate) fn shrunk(&self, longest: usize) -> Self {
        let long = self.width.max(self.height);
        if long <= longest {
            return self.clone();
        }
        let side = |full: usize| (full * longest / long).max(1);
        let width = side(self.width);
        let height = side(self.height);
        let mut pixels = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = y * self.height / height..(y + 1) * self.height / height;
            for x in 0..width {
                let columns = x * self.width / width..(x + 1) * self.width / width;
                pixels.extend(self.mean(rows.clone(), &columns));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    fn mean(&self, rows: std::ops::Range<usize>, columns: &std::ops::Range<usize>) -> [u8; 3] {
        let mut sums = [0; 3];
        let count = (rows.len() * columns.len()).max(1);
        for row in rows {
            for column in columns.clone() {
                let at = (row * self.width + column) * 3;
                for (sum, value) in sums.iter_mut().zip(&self.pixels[at..at + 3]) {
                    *sum += usize::from(*value);
                }
            }
        }
        sums.map(|sum| (sum / count) as u8)
    }
}

/// The next number of the header, after blanks.
fn number(rest: &mut &[u8]) -> Result<usize, PpmError> {
    let text = rest.trim_ascii_start();
    let length = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (digits, after) = text.split_at(length);
    *rest = after;
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    number.filter(|n| *n > 0).ok_or(PpmError::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_survives_writing_and_reading() {
        let image = Image {
            width: 2,
            height: 1,
            pixels: vec![1, 2, 3, 250, 251, 252],
        };
        assert_eq!(Image::read(&image.to_bytes()), Ok(image));
    }

    #[test]
    fn shrinking_averages_pixels_and_keeps_the_shape() {
        let pixels = [[0, 0, 0], [100, 100, 100], [10, 20, 30], [30, 40, 50]].concat();
        let image = Image {
            width: 4,
            height: 1,
            pixels,
        };
        assert_eq!(
            image.shrunk(2),
            Image {
                width: 2,
                height: 1,
                pixels: vec![50, 50, 50, 20, 30, 40]
            }
        );
        assert_eq!(image.shrunk(9), image);
        let tall = Image {
            width: 1,
            height: 300,
            pixels: vec![7; 900],
        };
        assert_eq!((tall.shrunk(3).width, tall.shrunk(3).height), (1, 3));
    }

    #[test]
    fn files_that_are_not_images_have_distinct_errors() {
        assert_eq!(Image::read(b"GIF89a"), Err(PpmError::NotPpm));
        for header in [
            &b"P6 2 0 255\n"[..],
            b"P6 2",
            b"P6 1 1 65535\n",
            b"P6 99999999999 99999999999 255\n",
        ] {
            assert_eq!(Image::read(header), Err(PpmError::Header), "{header:?}");
        }
        assert_eq!(
            Image::read(b"P6 1 1 255\nab"),
            Err(PpmError::Pixels {
                found: 2,
                announced: 3
            })
        );
    }
}
