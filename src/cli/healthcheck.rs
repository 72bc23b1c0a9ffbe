//! `tellus healthcheck`: one plain request, so that a container needs no other program.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Failure;

/// Asks whether the service can work.
///
/// # Errors
/// When it cannot, or is not there.
pub(crate) fn healthcheck(url: &str) -> Result<(), Failure> {
    let failed = |reason: String| Failure::NotReady { url: url.to_owned(), reason };
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let address = host
        .to_socket_addrs()
        .map_err(|error| failed(error.to_string()))?
        .next()
        .ok_or_else(|| failed("the address leads nowhere".into()))?;
    let timeout = Duration::from_secs(5);
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error| failed(error.to_string()))?;
    let first = answer.lines().next().unwrap_or_default();
    if first.contains(" 200 ") { Ok(()) } else { Err(failed(first.to_owned())) }
}
