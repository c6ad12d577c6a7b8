//! The frames of a websocket (RFC 6455) that carries a port-forward, as bytes. Pure.
//!
//! In the protocol `v4.channel.k8s.io` the first byte of a message says which channel the rest is
//! for: 0 is the port's data, 1 the words of the kubelet when the port cannot be used. On each
//! channel the server first sends the number of the port, two bytes that carry nothing new.

/// What a frame is, by its number in RFC 6455.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes on with the message before it.
    Continuation,
    /// Begins a message.
    Message,
    /// The end of the connection.
    Close,
    /// Wants a [`Kind::Pong`] with the same payload.
    Ping,
    /// The answer to a [`Kind::Ping`].
    Pong,
}

impl Kind {
    fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            0 => Self::Continuation,
            1 | 2 => Self::Message,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn opcode(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Message => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Control frames are short and stand between the frames of a message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The longest header of a server's frame.
pub const LONGEST_HEADER: usize = 10;
/// What a control frame can hold at most.
pub const LONGEST_CONTROL: u64 = 125;

/// The beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: Kind,
    /// Is it the last frame of its message?
    pub last: bool,
    /// The bytes that follow.
    pub length: u64,
}

/// What has been read of a frame from its first byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The whole header.
    Header(Header),
    /// The header has so many bytes in all, or more.
    Needs(usize),
    /// This is not from a websocket server.
    Broken,
}

/// Reads a header; the bytes must not go beyond it.
pub fn parse(bytes: &[u8]) -> Parsed {
    let [first, second, rest @ ..] = bytes else { return Parsed::Needs(2) };
    // extensions were not agreed on, and servers do not mask
    let (Some(kind), 0, 0) = (Kind::of(first & 0x0f), first & 0x70, second & 0x80) else {
        return Parsed::Broken;
    };
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(wide_length) = rest.get(..wide) else { return Parsed::Needs(2 + wide) };
    let length = match wide {
        0 => u64::from(second & 0x7f),
        _ => wide_length.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    };
    if kind.is_control() && length > LONGEST_CONTROL {
        return Parsed::Broken;
    }
    Parsed::Header(Header { kind, last: first & 0x80 != 0, length })
}

/// Appends a client's frame, masked as the protocol wants it. `parts` are its payload.
pub fn put(out: &mut Vec<u8>, kind: Kind, parts: [&[u8]; 2], mask: [u8; 4]) {
    let length = parts[0].len() + parts[1].len();
    out.push(0x80 | kind.opcode());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(0x80 | short),
        (_, Ok(wide)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&wide.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let payload = out.len();
    out.extend_from_slice(parts[0]);
    out.extend_from_slice(parts[1]);
    for (byte, mask) in out[payload..].iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server's frame: not masked.
    pub fn serve(kind: Kind, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![if last { 0x80 } else { 0 } | kind.opcode()];
        match payload.len() {
            short @ 0..=125 => frame.push(u8::try_from(short).unwrap()),
            wide @ 126..=0xffff => {
                frame.push(126);
                frame.extend(u16::try_from(wide).unwrap().to_be_bytes());
            }
            wider => {
                frame.push(127);
                frame.extend((wider as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn what_is_no_frame_of_a_server_is_refused() {
        for (bytes, why) in [
            ([0xc2, 0], "an extension"),
            ([0x82, 0x80], "a mask"),
            ([0x83, 0], "an unknown kind"),
            ([0x48, 0x54], "HTTP"),
        ] {
            assert_eq!(parse(&bytes), Parsed::Broken, "{why}");
        }
        assert_eq!(parse(&[0x89, 126, 0, 200]), Parsed::Broken, "a long ping");
    }

    #[test]
    fn a_masked_frame_reads_as_what_was_meant() {
        let mut out = Vec::new();
        put(&mut out, Kind::Message, [&[0], b"hello"], [1, 2, 3, 4]);
        assert_eq!(out[..6], [0x82, 0x86, 1, 2, 3, 4]);
        let plain: Vec<u8> = out[6..].iter().zip([1, 2, 3, 4].iter().cycle()).map(|(b, m)| b ^ m).collect();
        assert_eq!(plain, b"\0hello");
    }

    proptest! {
        #[test]
        fn headers_are_read_byte_by_byte(length in prop_oneof![0..300usize, 65_000..66_000usize], last: bool) {
            let frame = serve(Kind::Message, last, &vec![7; length]);
            let mut have = 0;
            let header = loop {
                match parse(&frame[..have]) {
                    Parsed::Needs(more) => {
                        prop_assert!(more > have && more <= LONGEST_HEADER);
                        have += 1;
                    }
                    Parsed::Header(header) => break header,
                    Parsed::Broken => prop_assert!(false, "broken"),
                }
            };
            prop_assert_eq!(header, Header { kind: Kind::Message, last, length: length as u64 });
            prop_assert_eq!(frame.len() - have, length);
        }
    }
}
