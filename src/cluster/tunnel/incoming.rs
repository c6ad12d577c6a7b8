//! Where in its frames and messages a websocket is, and what on it is not the port's data. Pure.

use super::frames::{Header, Kind, LONGEST_HEADER};

/// The kubelet's words are not read beyond this.
const WORDS: usize = 4 << 10;

/// What is known of the present frame and message.
#[derive(Default)]
pub struct Incoming {
    /// The beginning of a frame, as far as it came.
    pub header: [u8; LONGEST_HEADER],
    /// So much of the header came.
    pub have: usize,
    /// The present frame.
    pub frame: Option<Header>,
    /// Of the frame, what is still to come.
    pub left: u64,
    /// Of the message, once it is known.
    pub channel: Option<u8>,
    /// How much of the port's number has come, by channel.
    announced: [u8; 2],
    /// What the kubelet said.
    pub words: Vec<u8>,
    /// The payload of a control frame.
    pub control: Vec<u8>,
    /// Nothing more comes.
    pub ended: bool,
}

impl Incoming {
    /// Is what comes next the port's data?
    pub fn is_data(&self) -> bool {
        self.channel == Some(0) && self.announced[0] == 2
    }

    /// How much may be read at once without reading beyond what it belongs to.
    pub fn one_thing(&self) -> usize {
        match self.channel {
            None => 1,
            Some(channel @ 0..=1) => match 2 - self.announced[usize::from(channel)] {
                0 => 128,
                left => left.into(),
            },
            Some(_) => 128,
        }
    }

    /// Takes what is not the port's data.
    pub fn take(&mut self, kind: Kind, bytes: &[u8]) {
        if kind.is_control() {
            self.control.extend_from_slice(bytes);
            return;
        }
        match self.channel {
            None => self.channel = bytes.first().copied(),
            Some(channel @ 0..=1) => {
                let announced = &mut self.announced[usize::from(channel)];
                if *announced < 2 {
                    *announced += u8::try_from(bytes.len()).unwrap_or(2);
                } else if self.words.len() < WORDS {
                    self.words.extend_from_slice(bytes);
                }
            }
            Some(_) => {}
        }
    }
}
