//! A stand-in for the exporters that a cluster has beside the servers: it shows the examples of `exporters.json`, so
//! that every query finds series with the labels that it counts on.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wattline_dashboards::exporters::{self, Exporter};
use wattline_dashboards::exposition;

/// Answers every request with all examples, until the test's process ends.
pub(crate) async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (exporters, began) = (exporters::load()?, Instant::now());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who goes away before the answer is asked no further.
            let _ = answer(stream, &exporters, began).await;
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream, exporters: &[Exporter], began: Instant) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await? > 0 {}
    let page = exporters::page(exporters, began.elapsed());
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\nContent-Length:";
    stream.write_all(format!("{head} {}\r\n\r\n{page}", page.len()).as_bytes()).await?;
    stream.shutdown().await
}

#[test]
fn examples_have_the_labels_that_are_listed() {
    let exporters = exporters::load().unwrap();
    let families = exposition::read(&exporters::page(&exporters, Duration::from_secs(3600)));
    for metric in exporters.iter().flat_map(|exporter| &exporter.metrics) {
        let listed: BTreeSet<_> = metric.labels.split(", ").filter(|label| !label.is_empty()).collect();
        let shown = families.get(&metric.name).unwrap_or_else(|| panic!("{}: no example", metric.name));
        let shown: BTreeSet<_> = shown.labels.iter().map(String::as_str).collect();
        assert_eq!(shown, listed, "{}", metric.name);
    }
}
