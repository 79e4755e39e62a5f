//! A relay whose connections can be interrupted and restored.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct InterruptibleRelay {
    pub(crate) address: String,
    whole: watch::Sender<bool>,
    refused: watch::Receiver<u32>,
}

impl InterruptibleRelay {
    /// A relay to `host:port`.
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (whole, is_whole) = watch::channel(true);
        let (refuse, refused) = watch::channel(0);
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !*is_whole.borrow() {
                    refuse.send_modify(|n| *n += 1);
                    continue;
                }
                let mut is_whole = is_whole.clone();
                let server = server.clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(&server).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = is_whole.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self {
            address,
            whole,
            refused,
        }
    }

    pub(crate) fn interrupt(&self) {
        self.whole.send_replace(false);
    }

    /// Waits for the next connection during an interruption.
    pub(crate) async fn rejected_connection(&mut self) {
        let before = *self.refused.borrow();
        self.refused
            .wait_for(|refused| *refused > before)
            .await
            .expect("the relay lasts");
    }

    pub(crate) fn restore(&self) {
        self.whole.send_replace(true);
    }
}
