//! Status notifications to systemd (`Type=notify`): one datagram to the socket in `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;

/// Sends a state to the service manager, if `NOTIFY_SOCKET` is set. A failure is logged and otherwise
/// ignored.
pub fn notify(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(error = %error, state, "systemd.notify_failed");
    }
}

fn send(socket: &std::ffi::OsStr, state: &str) -> std::io::Result<()> {
    let ours = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return ours.send_to_addr(state.as_bytes(), &address).map(|_| ());
    }
    ours.send_to(state.as_bytes(), socket).map(|_| ())
}
