//! A TCP relay that can be cut: the network between the lanes and their server. It passes bytes and understands none.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

struct Shared {
    target: SocketAddr,
    cut: AtomicBool,
    /// Upstream bytes after which a connection is cut in the middle; `u64::MAX` for never.
    cut_after: AtomicU64,
    /// How long each part waits before it goes on, in milliseconds.
    delay_ms: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// A running relay on a free loopback port.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Relay {
    pub fn start(target: SocketAddr) -> Result<Self> {
        Self::start_at(IpAddr::V4(Ipv4Addr::LOCALHOST), target)
    }

    /// Listens at another of this machine's addresses.
    pub fn start_at(own: IpAddr, target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((own, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            cut: AtomicBool::new(false),
            cut_after: AtomicU64::new(u64::MAX),
            delay_ms: AtomicU64::new(0),
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

    /// Lets each part wait before it goes on: a slow line.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay_ms.store(delay.as_millis().try_into().unwrap_or(u64::MAX), Ordering::SeqCst);
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
        // Nobody sends here: it is waited on, for a time that ends.
        let (_never, pause) = channel::<()>();
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let delay_ms = self.delay_ms.load(Ordering::SeqCst);
            if delay_ms > 0 {
                let _ = pause.recv_timeout(Duration::from_millis(delay_ms));
            }
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
