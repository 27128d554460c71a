//! One question to an NTP server (RFC 4330): how far is its clock ahead of this host's?

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::net::UdpSocket;
use wattline_reading::Timestamp;

const PORT: u16 = 123;
const PATIENCE: Duration = Duration::from_secs(3);
const PACKET_BYTES: usize = 48;
/// From NTP's 1900 to Unix's 1970, in s.
const EPOCH_S: i64 = 2_208_988_800;

/// The server's clock minus this host's, in µs.
pub(super) async fn offset_us(server: &str) -> anyhow::Result<i64> {
    let target = if server.contains(':') { server.to_owned() } else { format!("{server}:{PORT}") };
    let asking = async {
        let mut addresses = tokio::net::lookup_host(&target).await.context("its name has no address")?;
        let address = addresses.next().context("its name has no address")?;
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local).await.context("no socket")?;
        // A connected socket takes answers of this server only.
        socket.connect(address).await.context("no way to it")?;
        let cookie: [u8; 8] = rand::random();
        let sent_us = Timestamp::now().micros();
        socket.send(&question(cookie)).await.context("cannot ask")?;
        let mut answer = [0; 2 * PACKET_BYTES];
        let length = socket.recv(&mut answer).await.context("no answer")?;
        let received_us = Timestamp::now().micros();
        evaluate(&answer[..length], cookie, sent_us, received_us)
    };
    tokio::time::timeout(PATIENCE, asking).await.context("no answer in time")?
}

/// Version 4, client. The transmit time is a cookie: it comes back, and tells nobody this host's clock.
fn question(cookie: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = 0x23;
    packet[40..].copy_from_slice(&cookie);
    packet
}

fn evaluate(answer: &[u8], cookie: [u8; 8], sent_us: i64, received_us: i64) -> anyhow::Result<i64> {
    ensure!(answer.len() >= PACKET_BYTES, "an answer of {} bytes", answer.len());
    let (leap, mode, stratum) = (answer[0] >> 6, answer[0] & 7, answer[1]);
    ensure!(mode == 4 && answer[24..32] == cookie, "the answer is none to this question");
    if leap == 3 || !(1..=15).contains(&stratum) {
        bail!("it is not synchronised itself (leap {leap}, stratum {stratum})");
    }
    let (Some(arrived_us), Some(left_us)) = (ntp_us(&answer[32..40]), ntp_us(&answer[40..48])) else {
        bail!("the answer has no times");
    };
    Ok(((arrived_us - sent_us) + (left_us - received_us)) / 2)
}

/// NTP's 32 bits of seconds and 32 of their fraction, of the era that began in 1900 or the next, in Unix µs.
fn ntp_us(bytes: &[u8]) -> Option<i64> {
    let word = u64::from_be_bytes(bytes.try_into().ok()?);
    if word == 0 {
        return None;
    }
    let (seconds, fraction) = (i64::try_from(word >> 32).ok()?, i64::try_from(word & 0xffff_ffff).ok()?);
    // Without the highest bit it is after February 2036.
    let era_s = if seconds & (1 << 31) == 0 { 1 << 32 } else { 0 };
    Some((seconds + era_s - EPOCH_S) * 1_000_000 + ((fraction * 1_000_000) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_795_168_800_000_000;

    fn ntp(us: i64) -> [u8; 8] {
        let seconds = u64::try_from(us / 1_000_000 + EPOCH_S).unwrap();
        let fraction = (u64::try_from(us % 1_000_000).unwrap() << 32) / 1_000_000;
        (seconds << 32 | fraction).to_be_bytes()
    }

    fn answer(cookie: [u8; 8], arrived_us: i64, left_us: i64) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        (packet[0], packet[1]) = (0x24, 2);
        packet[24..32].copy_from_slice(&cookie);
        packet[32..40].copy_from_slice(&ntp(arrived_us));
        packet[40..48].copy_from_slice(&ntp(left_us));
        packet
    }

    #[test]
    fn the_way_there_and_back_cancels_out() {
        let cookie = [7; 8];
        // 20 ms each way, 5 ms in the server, whose clock is 2.5 s ahead.
        let (arrived, left) = (NOW_US + 20_000 + 2_500_000, NOW_US + 25_000 + 2_500_000);
        let offset = evaluate(&answer(cookie, arrived, left), cookie, NOW_US, NOW_US + 45_000).unwrap();
        assert!((offset - 2_500_000).abs() <= 2, "{offset}");
    }

    #[test]
    fn an_answer_that_proves_nothing_is_refused() {
        let cookie = [7; 8];
        let good = answer(cookie, NOW_US, NOW_US);
        let refuse = |packet: &[u8]| evaluate(packet, cookie, NOW_US, NOW_US).unwrap_err().to_string();
        assert!(refuse(&good[..40]).contains("40 bytes"));
        let changed = |index: usize, byte: u8| {
            let mut packet = good;
            packet[index] = byte;
            packet
        };
        assert!(refuse(&changed(0, 0x23)).contains("none to this question"));
        assert!(refuse(&changed(24, 0)).contains("none to this question"));
        assert!(refuse(&changed(0, 0xe4)).contains("not synchronised itself"));
        assert!(refuse(&changed(1, 0)).contains("not synchronised itself"));
    }

    #[tokio::test]
    async fn a_server_is_asked() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap().to_string();
        let serving = tokio::spawn(async move {
            let mut question = [0; PACKET_BYTES];
            let (_, client) = server.recv_from(&mut question).await.unwrap();
            let cookie = question[40..].try_into().unwrap();
            let ahead_us = Timestamp::now().micros() + 3_600_000_000;
            server.send_to(&answer(cookie, ahead_us, ahead_us), client).await.unwrap();
        });
        let offset = offset_us(&address).await.unwrap();
        assert!((offset - 3_600_000_000).abs() < 3_000_000, "{offset}");
        serving.await.unwrap();
    }
}
