//! A port of a pod as a stream of bytes: one websocket, without a task or a large buffer of its own,
//! since a browser opens many. What it receives goes from the connection into the reader's buffer.
//!
//! It pings while nothing comes, which keeps firewalls and load balancers on the way from forgetting
//! it, and ends with an error when pings stay unanswered: a connection that died silently would
//! otherwise be noticed after a quarter of an hour.

use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::frames::{self, Header, Kind, LONGEST_HEADER, Parsed, put};
use super::incoming::Incoming;

/// How often is asked whether the other side is there, while it says nothing.
const PING: Duration = Duration::from_secs(10);
/// So many pings in a row without an answer: the connection is dead.
const UNANSWERED: u32 = 2;
/// A ping is answered after what was sent before it was taken by the pod, which may take its time for
/// more than this.
const MUCH: u64 = 64 << 10;
/// So many unanswered pings when much was sent.
const UNANSWERED_BY_A_BUSY_POD: u32 = 30;
/// Frames of ours hold at most this.
const PIECE: usize = 16 << 10;

/// A connection to a port of a pod. Dropping it closes it. Both halves are to be polled by the same
/// task: reading also answers pings.
pub struct PodStream<S = TokioIo<Upgraded>> {
    io: S,
    incoming: Incoming,
    /// Frames of ours, of which the first `sent` bytes are gone.
    out: Vec<u8>,
    sent: usize,
    closed: bool,
    pings: Interval,
    /// Pings since something came.
    unanswered: u32,
    /// The data that was sent.
    told: u64,
    /// As much of it was taken by the pod as the last answer to a ping says: pings carry that number,
    /// and are answered after what was sent before them.
    taken: u64,
}

/// What the kubelet says when the port cannot be used, for example `… connection refused`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl Refused {
    /// The end of the kubelet's sentence, which says it all.
    pub fn short(&self) -> String {
        super::plain(&self.0)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl<S: AsyncRead + AsyncWrite + Unpin> PodStream<S> {
    /// On a connection that was agreed to be a websocket.
    pub(super) fn new(io: S) -> Self {
        let mut pings = interval_at(tokio::time::Instant::now() + PING, PING);
        // after a pause of the process one is enough
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            io,
            incoming: Incoming::default(),
            out: Vec::new(),
            sent: 0,
            closed: false,
            pings,
            unanswered: 0,
            told: 0,
            taken: 0,
        }
    }

    /// Sends what is in `out`.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.out.clear();
        self.sent = 0;
        Pin::new(&mut self.io).poll_flush(context)
    }

    /// Puts a control frame behind what is still to be sent, and sends what can be sent.
    fn control(&mut self, kind: Kind, payload: &[u8], context: &mut Context<'_>) -> std::io::Result<()> {
        // who does not take what we send needs no further frames
        if self.out.len() - self.sent < 2 * PIECE {
            put(&mut self.out, kind, [payload, &[]], rand::random());
        }
        match self.poll_out(context) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads from the connection, or says that it is dead; 0 at the end.
    fn poll_some(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<std::io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.unanswered = 0;
                return Poll::Ready(Ok(buffer.filled().len()));
            }
            // TLS without a goodbye
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(0));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {}
        }
        while self.pings.poll_tick(context).is_ready() {
            let most = if self.told - self.taken > MUCH { UNANSWERED_BY_A_BUSY_POD } else { UNANSWERED };
            if self.unanswered >= most {
                return Poll::Ready(Err(IoError::new(ErrorKind::TimedOut, "the connection is dead")));
            }
            self.unanswered += 1;
            self.control(Kind::Ping, &self.told.to_le_bytes(), context)?;
        }
        // nobody else may be there to send what could not be sent before
        if !self.out.is_empty()
            && let Poll::Ready(sent) = self.poll_out(context)
        {
            sent?;
        }
        Poll::Pending
    }

    /// The next frame's header; None at the end of the connection.
    fn poll_header(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<Option<Header>>> {
        loop {
            let have = self.incoming.have;
            match frames::parse(&self.incoming.header[..have]) {
                Parsed::Header(header) => {
                    self.incoming.have = 0;
                    return Poll::Ready(Ok(Some(header)));
                }
                Parsed::Broken => {
                    let what = "what answers there does not speak websocket";
                    return Poll::Ready(Err(IoError::new(ErrorKind::InvalidData, what)));
                }
                Parsed::Needs(all) => {
                    let mut bytes = [0; LONGEST_HEADER];
                    let read = ready!(self.poll_some(context, &mut bytes[..all - have]))?;
                    if read == 0 {
                        return Poll::Ready(Ok(None));
                    }
                    self.incoming.header[have..have + read].copy_from_slice(&bytes[..read]);
                    self.incoming.have += read;
                }
            }
        }
    }

    /// Reads up to the next bytes of the port's data, which are next on the connection then; false
    /// at the end.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        loop {
            if self.incoming.ended {
                return Poll::Ready(Ok(false));
            }
            let Some(frame) = self.incoming.frame else {
                match ready!(self.poll_header(context))? {
                    Some(header) => {
                        if header.kind == Kind::Message {
                            self.incoming.channel = None;
                        }
                        (self.incoming.frame, self.incoming.left) = (Some(header), header.length);
                    }
                    None => return Poll::Ready(self.broken_off().map(|()| false)),
                }
                continue;
            };
            if self.incoming.left == 0 {
                self.incoming.frame = None;
                match frame.kind {
                    Kind::Ping => {
                        let payload = std::mem::take(&mut self.incoming.control);
                        self.control(Kind::Pong, &payload, context)?;
                    }
                    Kind::Pong => {
                        if let Ok(told) = self.incoming.control.as_slice().try_into() {
                            self.taken = u64::from_le_bytes(told).min(self.told);
                        }
                    }
                    Kind::Close => return Poll::Ready(self.end()),
                    _ if frame.last && !self.incoming.words.is_empty() => return Poll::Ready(self.end()),
                    _ => {}
                }
                self.incoming.control.clear();
                continue;
            }
            if !frame.kind.is_control() && self.incoming.is_data() {
                return Poll::Ready(Ok(true));
            }
            // what is left is for us and small, or for nobody
            let mut bytes = [0; 128];
            let most = if frame.kind.is_control() { bytes.len() } else { self.incoming.one_thing() };
            let most = most.min(usize::try_from(self.incoming.left).unwrap_or(usize::MAX));
            let read = ready!(self.poll_some(context, &mut bytes[..most]))?;
            if read == 0 {
                return Poll::Ready(self.broken_off().map(|()| false));
            }
            self.incoming.left -= read as u64;
            self.incoming.take(frame.kind, &bytes[..read]);
        }
    }

    /// The end without a goodbye: something on the way has gone, and more may have been said.
    fn broken_off(&mut self) -> std::io::Result<()> {
        self.end()?;
        Err(IoError::new(ErrorKind::UnexpectedEof, "the connection broke off"))
    }

    /// The end: with the kubelet's words where it said some.
    fn end(&mut self) -> std::io::Result<bool> {
        self.incoming.ended = true;
        if self.incoming.words.is_empty() {
            return Ok(false);
        }
        let words = String::from_utf8_lossy(&std::mem::take(&mut self.incoming.words)).into_owned();
        Err(IoError::other(Refused(words)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for PodStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !ready!(self.poll_data(context))? || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let left = usize::try_from(self.incoming.left).unwrap_or(usize::MAX);
        let free = buffer.initialize_unfilled_to(left.min(buffer.remaining()));
        let read = ready!(self.poll_some(context, free))?;
        if read == 0 {
            return Poll::Ready(self.broken_off());
        }
        buffer.advance(read);
        self.incoming.left -= read as u64;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PodStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.closed {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if !self.out.is_empty() {
            ready!(self.poll_out(context))?;
        }
        let piece = data.get(..PIECE).unwrap_or(data);
        put(&mut self.out, Kind::Message, [&[0], piece], rand::random());
        self.told += piece.len() as u64;
        match self.poll_out(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.poll_out(context)
    }

    /// Ends the whole connection: the protocol has no end of one direction.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if !self.closed {
            self.closed = true;
            put(&mut self.out, Kind::Close, [&[], &[]], rand::random());
        }
        ready!(self.poll_out(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
