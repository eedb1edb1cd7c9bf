//! A proxy that knows where every name is: at one port of loopback.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub struct Proxy {
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub async fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let noted = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(pass(client, port, noted.clone()));
            }
        });
        Proxy {
            url,
            seen,
            _tasks: tasks,
        }
    }

    /// What it was asked for since the last look: the first words of each request.
    pub fn seen(&self) -> String {
        std::mem::take(&mut *self.seen.lock().unwrap()).join(", ")
    }
}

async fn pass(mut client: TcpStream, port: u16, noted: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let asked = text.split(" HTTP/1.1").next().unwrap().to_owned();
    let is_tunnel = asked.starts_with("CONNECT ");
    noted.lock().unwrap().push(asked);
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    if is_tunnel {
        let yes = b"HTTP/1.1 200 Connection established\r\n\r\n";
        client.write_all(yes).await.unwrap();
    } else {
        server.write_all(&head).await.unwrap();
    }
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
