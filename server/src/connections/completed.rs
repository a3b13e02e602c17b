//! Adds the common response headers to responses that hyper writes itself.
//!
//! A head that cannot be parsed (400, 431) reaches no route: hyper writes a bare status line and
//! closes the connection. Only such a response lacks `x-request-id`, by which it is recognized in
//! the written bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts a request with an unparsable head, and returns the headers of its response.
pub(crate) type Unread = Arc<dyn Fn(StatusCode) -> HeaderMap + Send + Sync>;

/// A stream that adds headers to hyper's bare error responses.
pub(super) struct Completed<S> {
    stream: S,
    unread: Unread,
    /// The part of a completed response that is not written yet.
    rest: Vec<u8>,
}

impl<S: AsyncWrite + Unpin> Completed<S> {
    pub(super) fn new(stream: S, unread: Unread) -> Self {
        Self { stream, unread, rest: Vec::new() }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the status of a bare error response; `None` for all other written bytes.
fn bare_refusal(written: &[u8]) -> Option<StatusCode> {
    if !written.starts_with(b"HTTP/1.1 4") || !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?;
    let is_bare = !head.contains("\r\nx-request-id:");
    head.get(9..12).filter(|_| is_bare)?.parse().ok()
}

fn complete(written: &[u8], headers: &HeaderMap) -> Vec<u8> {
    let mut whole = written[..written.len() - 2].to_vec();
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            whole.extend_from_slice(part);
        }
    }
    whole.extend_from_slice(b"\r\n");
    whole
}

impl<S: AsyncRead + Unpin> AsyncRead for Completed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Completed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rest(cx))?;
        let Some(status) = bare_refusal(buf) else {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        };
        self.rest = complete(buf, &(self.unread)(status));
        if let Poll::Ready(Err(error)) = self.poll_rest(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = bufs.first().filter(|first| bare_refusal(first).is_some()) {
            return self.poll_write(cx, first);
        }
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_without_a_request_id_is_completed() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(bare_refusal(bare), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        for other in [
            "HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\n\r\n",
            "",
        ] {
            assert_eq!(bare_refusal(other.as_bytes()), None, "{other}");
        }
        let headers = HeaderMap::from_iter([(
            axum::http::header::CACHE_CONTROL,
            axum::http::HeaderValue::from_static("no-store"),
        )]);
        let whole = complete(b"HTTP/1.1 400 Bad Request\r\n\r\n", &headers);
        assert_eq!(whole, b"HTTP/1.1 400 Bad Request\r\ncache-control: no-store\r\n\r\n");
    }
}
