//! The stream against the other end of a pipe that plays the API server.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout};

use super::super::frames::tests::serve;
use super::*;

fn pair() -> (PodStream<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (PodStream::new(near), far)
}

/// What the server sends first on both channels: the port's number.
fn opening() -> Vec<u8> {
    [serve(Kind::Message, true, &[0, 0x90, 0x1f]), serve(Kind::Message, true, &[1, 0x90, 0x1f])].concat()
}

fn close() -> Vec<u8> {
    serve(Kind::Close, true, &[3, 0xe8])
}

/// A client's frame: its kind and what it says.
async fn heard(far: &mut DuplexStream) -> (Kind, Vec<u8>) {
    let first = far.read_u8().await.unwrap();
    let kind = [Kind::Message, Kind::Close, Kind::Ping, Kind::Pong]
        .into_iter()
        .find(|kind| serve(*kind, true, &[])[0] == first)
        .expect("a kind that we send");
    let length = match far.read_u8().await.unwrap() & 0x7f {
        126 => usize::from(far.read_u16().await.unwrap()),
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    far.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; length];
    far.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    (kind, payload)
}

#[tokio::test]
async fn data_comes_whole_however_it_is_cut() {
    let data: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let all = [
        opening(),
        serve(Kind::Message, true, &[&[0], &data[..70_000]].concat()),
        // a message in frames, with a ping in between
        serve(Kind::Message, false, &[0]),
        serve(Kind::Continuation, false, &data[70_000..70_010]),
        serve(Kind::Ping, true, b"there?"),
        serve(Kind::Continuation, true, &data[70_010..]),
        serve(Kind::Message, true, &[7, 1, 2, 3]),
        close(),
    ]
    .concat();
    for piece in [1, 3, 16 << 10, all.len()] {
        let (mut near, mut far) = pair();
        let bytes = all.clone();
        let server = tokio::spawn(async move {
            for part in bytes.chunks(piece) {
                far.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            heard(&mut far).await
        });
        let mut read = Vec::new();
        near.read_to_end(&mut read).await.unwrap();
        assert!(read == data, "{} bytes in pieces of {piece}", read.len());
        assert_eq!(server.await.unwrap(), (Kind::Pong, b"there?".to_vec()));
    }
}

#[tokio::test]
async fn what_is_written_comes_in_frames_and_the_end_is_said_once() {
    let (mut near, mut far) = pair();
    let data = vec![9; 40_000];
    near.write_all(&data).await.unwrap();
    near.shutdown().await.unwrap();
    let mut got = Vec::new();
    loop {
        match heard(&mut far).await {
            (Kind::Message, payload) => {
                assert_eq!(payload[0], 0, "the channel");
                got.extend_from_slice(&payload[1..]);
            }
            (kind, payload) => {
                assert_eq!((kind, payload.as_slice()), (Kind::Close, &[][..]));
                break;
            }
        }
    }
    assert_eq!(got, data);
    assert!(near.write_all(b"more").await.is_err());
}

#[tokio::test]
async fn the_kubelets_words_are_the_error() {
    let words = "error forwarding port 80: IPv4: dial tcp4 127.0.0.1:80: connect: connection refused";
    let (mut near, mut far) = pair();
    far.write_all(&opening()).await.unwrap();
    far.write_all(&serve(Kind::Message, true, &[&[1], words.as_bytes()].concat())).await.unwrap();
    let error = near.read(&mut [0; 10]).await.unwrap_err();
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>()).unwrap();
    assert_eq!((refused.0.as_str(), refused.short().as_str()), (words, "connection refused"));
    assert_eq!(near.read(&mut [0; 10]).await.unwrap(), 0, "then it has ended");
}

#[tokio::test]
async fn an_end_without_a_goodbye_is_an_error() {
    for cut in [&opening()[..], &[&opening()[..], &serve(Kind::Message, true, &[0, 1, 2])[..4]].concat()] {
        let (mut near, mut far) = pair();
        far.write_all(cut).await.unwrap();
        drop(far);
        let error = near.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
    let (mut near, mut far) = pair();
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n").await.unwrap();
    let error = near.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.to_string(), "what answers there does not speak websocket");
}

#[tokio::test(start_paused = true)]
async fn silence_is_asked_and_a_dead_connection_ends() {
    let (mut near, mut far) = pair();
    far.write_all(&opening()).await.unwrap();
    let server = tokio::spawn(async move {
        // an hour of silence in which every ping is answered
        for _ in 0..360 {
            let (kind, payload) = heard(&mut far).await;
            assert_eq!(kind, Kind::Ping);
            far.write_all(&serve(Kind::Pong, true, &payload)).await.unwrap();
        }
        far
    });
    let began = Instant::now();
    let error = near.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let silent = began.elapsed() - 360 * PING;
    assert!(silent > PING && silent <= 3 * PING, "{silent:?}");
    drop(server.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_takes_its_time_with_an_upload_is_not_dead() {
    let (mut near, mut far) = pair();
    far.write_all(&opening()).await.unwrap();
    near.write_all(&vec![1; 100_000]).await.unwrap();
    let mut buffer = [0; 10];
    timeout(20 * PING, near.read(&mut buffer)).await.expect_err("it waits");
    far.write_all(&serve(Kind::Message, true, &[0, 5])).await.unwrap();
    assert_eq!(near.read(&mut buffer).await.unwrap(), 1);
}
