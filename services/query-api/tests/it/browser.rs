//! A headless Chromium, spoken to over the DevTools protocol, so that real time passes.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::fixture::PATIENCE;

/// One browser with one page.
pub(crate) struct Browser {
    process: Child,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// Every address that the page asked for.
    pub(crate) requests: Vec<String>,
    /// What went wrong in the page.
    pub(crate) errors: Vec<String>,
    _profile: TempDir,
}

// === impl Browser ===

impl Browser {
    /// Starts it with an empty page.
    pub(crate) async fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new("chromium")
            .args(["--headless=new", "--disable-gpu", "--no-sandbox", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium is needed: scripts/install-debian.sh installs it");
        let deadline = Instant::now() + PATIENCE;
        let port = loop {
            let text = std::fs::read_to_string(profile.path().join("DevToolsActivePort")).unwrap_or_default();
            if let Some(port) = text.lines().next().filter(|_| text.contains('\n')) {
                break port.to_owned();
            }
            assert!(Instant::now() < deadline, "chromium does not start");
            sleep(Duration::from_millis(50)).await;
        };
        let address = loop {
            let list: Vec<Value> =
                reqwest::get(format!("http://127.0.0.1:{port}/json")).await.unwrap().json().await.unwrap();
            if let Some(page) = list.iter().find(|target| target["type"] == "page") {
                break page["webSocketDebuggerUrl"].as_str().unwrap().to_owned();
            }
            sleep(Duration::from_millis(50)).await;
        };
        let socket = connect_async(address).await.unwrap().0;
        let mut browser =
            Self { process, socket, calls: 0, requests: Vec::new(), errors: Vec::new(), _profile: profile };
        for domain in ["Runtime.enable", "Network.enable", "Page.enable", "Log.enable"] {
            browser.call(domain, json!({})).await;
        }
        browser.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true})).await;
        browser
    }

    /// One command and its answer.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let message = json!({"id": id, "method": method, "params": params});
        self.socket.send(Message::text(message.to_string())).await.unwrap();
        loop {
            let message =
                timeout(PATIENCE, self.socket.next()).await.expect("chromium is silent").unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    /// The size of the screen, and which theme its owner prefers.
    pub(crate) async fn screen(&mut self, width: u32, height: u32, theme: &str) {
        let (mobile, scale) = if width.min(height) < 600 { (true, 2) } else { (false, 1) };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.call("Emulation.setEmulatedMedia", features).await;
    }

    pub(crate) async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url})).await;
    }

    /// The value of an expression in the page.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true; one that throws is not true yet.
    pub(crate) async fn wait(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        let guarded = format!("(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()");
        while self.eval(&guarded).await != true {
            if Instant::now() > deadline {
                let text = self.eval("document.body.innerText").await;
                panic!("never true: {expression}\n{text}\n{:?}", self.errors);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// One key, pressed and let go.
    pub(crate) async fn press(&mut self, key: &str) {
        let code = match key {
            "PageDown" => 34,
            "ArrowLeft" => 37,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// What is seen, into the folder of `WATTLINE_SCREENS`, where somebody wants to look.
    pub(crate) async fn keep_picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("WATTLINE_SCREENS") else { return };
        let file = std::path::Path::new(&folder).join(format!("{name}.png.base64"));
        std::fs::write(file, self.screenshot().await).unwrap();
    }

    /// What the page looks like, as PNG in base64.
    pub(crate) async fn screenshot(&mut self) -> String {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"})).await;
        answer["data"].as_str().unwrap().to_owned()
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match message["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => self.requests.push(text(&params["request"]["url"])),
            "Network.webSocketCreated" => self.requests.push(text(&params["url"])),
            "Runtime.exceptionThrown" => self.errors.push(params["exceptionDetails"].to_string()),
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.errors.push(params["entry"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
