//! Binary PPM pictures, made smaller by taking the mean of the pixels that fall together.

/// Most bytes of a picture that is read: more would not fit the function's memory.
pub(crate) const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A picture of three bytes a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Why a file is no picture.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the file does not begin with P6: it is no binary PPM")]
    NotPpm,
    #[error("width, height and 255 must follow P6, each at least 1")]
    Header,
    #[error("{given} bytes of pixels, and {wanted} were announced")]
    Pixels { given: usize, wanted: usize },
}

impl Picture {
    /// Reads a file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut rest = bytes.strip_prefix(b"P6").ok_or(Unreadable::NotPpm)?;
        let width = number(&mut rest)?;
        let height = number(&mut rest)?;
        let most = number(&mut rest)?;
        // One blank ends the header.
        let pixels = rest.get(1..).unwrap_or_default();
        let wanted = width
            .checked_mul(height)
            .and_then(|n| n.checked_mul(3))
            .filter(|n| *n <= MOST_BYTES && *n > 0);
        let wanted = wanted.filter(|_| most == 255).ok_or(Unreadable::Header)?;
        if pixels.len() != wanted {
            return Err(Unreadable::Pixels {
                given: pixels.len(),
                wanted,
            });
        }
        Ok(Self {
            width,
            height,
            pixels: pixels.to_vec(),
        })
    }

    /// The file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("P6\n{} {}\n255\n", self.width, self.height).into_bytes();
        bytes.extend_from_slice(&self.pixels);
        bytes
    }

    /// The picture with no side longer than this; never larger than it was.
    pub(crate) fn shrunk(&self, longest: usize) -> Self {
        let long = self.width.max(self.height);
        if long <= longest {
            return self.clone();
        }
        let side = |given: usize| (given * longest / long).max(1);
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
fn number(rest: &mut &[u8]) -> Result<usize, Unreadable> {
    let text = rest.trim_ascii_start();
    let length = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (digits, after) = text.split_at(length);
    *rest = after;
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .filter(|n| *n > 0)
        .ok_or(Unreadable::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_survives_writing_and_reading() {
        let picture = Picture {
            width: 2,
            height: 1,
            pixels: vec![1, 2, 3, 250, 251, 252],
        };
        assert_eq!(Picture::read(&picture.to_bytes()), Ok(picture));
    }

    #[test]
    fn a_small_picture_is_the_mean_of_the_large_one_and_keeps_its_shape() {
        let pixels = [[0, 0, 0], [100, 100, 100], [10, 20, 30], [30, 40, 50]].concat();
        let picture = Picture {
            width: 4,
            height: 1,
            pixels,
        };
        assert_eq!(
            picture.shrunk(2),
            Picture {
                width: 2,
                height: 1,
                pixels: vec![50, 50, 50, 20, 30, 40]
            }
        );
        assert_eq!(picture.shrunk(9), picture);
        let tall = Picture {
            width: 1,
            height: 300,
            pixels: vec![7; 900],
        };
        assert_eq!((tall.shrunk(3).width, tall.shrunk(3).height), (1, 3));
    }

    #[test]
    fn files_that_are_no_pictures_are_told_apart() {
        assert_eq!(Picture::read(b"GIF89a"), Err(Unreadable::NotPpm));
        for header in [
            &b"P6 2 0 255\n"[..],
            b"P6 2",
            b"P6 1 1 65535\n",
            b"P6 99999999999 99999999999 255\n",
        ] {
            assert_eq!(Picture::read(header), Err(Unreadable::Header), "{header:?}");
        }
        assert_eq!(
            Picture::read(b"P6 1 1 255\nab"),
            Err(Unreadable::Pixels {
                given: 2,
                wanted: 3
            })
        );
    }
}
