//! Pictures of guests' screens: what libvirt hands over (PPM, or PNG), scaled down, as PNG.

use std::io::Cursor;

/// A picture that cannot be read, and why.
#[derive(Debug, thiserror::Error)]
#[error("this is no picture: {0}")]
pub struct NoPicture(String);

/// Rows of pixels from the top, three bytes each.
struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// The picture as PNG, at most `widest` pixels wide.
pub fn scaled(bytes: &[u8], widest: usize) -> Result<Vec<u8>, NoPicture> {
    let picture = if bytes.starts_with(b"P6") { ppm(bytes)? } else { png(bytes)? };
    let picture = if picture.width > widest { shrunk(&picture, widest) } else { picture };
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, picture.width as u32, picture.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let wrong = |error: png::EncodingError| NoPicture(error.to_string());
    let mut writer = encoder.write_header().map_err(wrong)?;
    writer.write_image_data(&picture.rgb).map_err(wrong)?;
    writer.finish().map_err(wrong)?;
    Ok(out)
}

/// A PPM of whole bytes: `P6 WIDTH HEIGHT 255`, one white space, pixels. See <https://netpbm.sourceforge.net/doc/ppm.html>.
fn ppm(bytes: &[u8]) -> Result<Picture, NoPicture> {
    let wrong = |what: &str| NoPicture(format!("its PPM header {what}"));
    let mut at = 2;
    let mut numbers = [0usize; 3];
    for number in &mut numbers {
        loop {
            match bytes.get(at) {
                Some(b'#') => at += bytes[at..].iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong("has no end"))?,
                Some(byte) if byte.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&bytes[at..at + digits]).expect("digits are text");
        *number = text.parse().map_err(|_| wrong("lacks a number"))?;
        at += digits;
    }
    let [width, height, most] = numbers;
    if most != 255 || width == 0 || height == 0 {
        return Err(wrong("has sizes that no screen has"));
    }
    let length = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)).ok_or_else(|| wrong("is too large"))?;
    let rgb = bytes.get(at + 1..).and_then(|rest| rest.get(..length)).ok_or_else(|| NoPicture("it is cut off".into()))?;
    Ok(Picture { width, height, rgb: rgb.to_vec() })
}

fn png(bytes: &[u8]) -> Result<Picture, NoPicture> {
    let wrong = |error: png::DecodingError| NoPicture(error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(wrong)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(|| NoPicture("it is too large".into()))?];
    let info = reader.next_frame(&mut pixels).map_err(wrong)?;
    let samples = info.color_type.samples();
    let rgb = pixels[..info.buffer_size()]
        .chunks_exact(samples)
        .flat_map(|pixel| if samples < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] })
        .collect();
    Ok(Picture { width: info.width as usize, height: info.height as usize, rgb })
}

/// Each new pixel is the mean of those that it stands for: text stays text, as far as there is room for it.
fn shrunk(picture: &Picture, width: usize) -> Picture {
    let height = (picture.height * width / picture.width).max(1);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let (top, bottom) =
            (y * picture.height / height, ((y + 1) * picture.height / height).max(y * picture.height / height + 1));
        for x in 0..width {
            let (left, right) = (x * picture.width / width, (x + 1) * picture.width / width);
            let mut sums = [0usize; 3];
            for row in top..bottom {
                for pixel in picture.rgb[(row * picture.width + left) * 3..(row * picture.width + right) * 3].chunks_exact(3) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
                }
            }
            let count = (bottom - top) * (right - left);
            rgb.extend(sums.map(|sum| (sum / count) as u8));
        }
    }
    Picture { width, height, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left half white, right half black.
    fn halves(width: usize, height: usize) -> Vec<u8> {
        let mut ppm = format!("P6\n# a screen\n{width} {height}\n255\n").into_bytes();
        for _ in 0..height {
            ppm.extend((0..width).flat_map(|x| [if x < width / 2 { 255 } else { 0 }; 3]));
        }
        ppm
    }

    #[test]
    fn a_wide_screen_is_scaled_and_a_small_one_is_not() {
        for (width, height, wide, high) in [(1280, 800, 320, 200), (320, 200, 320, 200), (100, 50, 100, 50), (641, 1, 320, 1)] {
            let scaled = png(&scaled(&halves(width, height), 320).unwrap()).unwrap();
            assert_eq!((scaled.width, scaled.height), (wide, high), "{width}x{height}");
            assert_eq!(scaled.rgb[..3], [255; 3], "{width}x{height}");
            assert_eq!(scaled.rgb[(wide - 1) * 3..wide * 3], [0; 3], "{width}x{height}");
        }
    }

    #[test]
    fn a_png_is_taken_as_well() {
        let once = scaled(&halves(640, 400), 640).unwrap();
        let twice = png(&scaled(&once, 320).unwrap()).unwrap();
        assert_eq!((twice.width, twice.height), (320, 200));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in [&b""[..], b"P6", b"P6\n2 2\n255\n12345", b"P6\n0 2\n255\n", b"P6\n99999999999 9\n255\n", b"GIF89a"] {
            assert!(scaled(bytes, 320).is_err(), "{bytes:?}");
        }
    }
}
