//! A TCP relay that can be cut: the network between the lanes and their server. It passes bytes and understands none.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;

struct Shared {
    target: SocketAddr,
    cut: AtomicBool,
    /// Upstream bytes after which a connection is cut in the middle; `u64::MAX` for never.
    cut_after: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// A running relay on a free loopback port.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Relay {
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            cut: AtomicBool::new(false),
            cut_after: AtomicU64::new(u64::MAX),
            open: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A cut line takes the connection and drops it, as a dead access point does.
                if !accepting.cut.load(Ordering::SeqCst)
                    && let Ok(server) = TcpStream::connect(accepting.target)
                {
                    accepting.join(client, server);
                }
            }
        });
        Ok(Relay { shared, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection and lets none through.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        self.shared.drop_open();
    }

    pub fn restore(&self) {
        self.shared.cut_after.store(u64::MAX, Ordering::SeqCst);
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    /// Cuts each connection after it has carried this many bytes towards the server: an upload cut in the middle.
    pub fn cut_uploads_after(&self, bytes: u64) {
        self.shared.cut_after.store(bytes, Ordering::SeqCst);
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let Ok(mut open) = self.open.lock() else { return };
        let (Ok(client_copy), Ok(server_copy)) = (client.try_clone(), server.try_clone()) else { return };
        open.extend([client_copy, server_copy]);
        drop(open);
        let (Ok(client_out), Ok(server_out)) = (client.try_clone(), server.try_clone()) else { return };
        let up = Arc::clone(self);
        std::thread::spawn(move || up.pump(client, server_out, true));
        let down = Arc::clone(self);
        std::thread::spawn(move || down.pump(server, client_out, false));
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, upstream: bool) {
        let mut buffer = [0; 16 * 1024];
        let mut carried = 0;
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if self.cut.load(Ordering::SeqCst) || to.write_all(&buffer[..count]).is_err() {
                break;
            }
            carried += count as u64;
            if upstream && carried >= self.cut_after.load(Ordering::SeqCst) {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn drop_open(&self) {
        if let Ok(mut open) = self.open.lock() {
            for stream in open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}
