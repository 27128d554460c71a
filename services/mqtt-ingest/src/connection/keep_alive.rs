//! When the broker is asked whether it is still there, and when it is taken for gone.
//!
//! It is asked when nothing was *received* for half of the keep-alive time: what this side sends says nothing of the
//! other. (The client library asks only when nothing was sent, so canaries that never come back kept it from asking: a
//! frozen broker was "connected" for as long as TCP allowed.) It is asked as well when nothing was sent for as long, as
//! MQTT demands it: a broker ends a connection that says nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A day: no keep-alive.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    received: Instant,
    sent: Instant,
    /// A question without an answer; anything that comes is one.
    asked: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask.
    Ping,
    /// The broker has not answered for the keep-alive time, and has said nothing for so long.
    Lost(Duration),
}

// === impl KeepAlive ===

impl KeepAlive {
    /// From now on.
    pub(super) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        let interval = if interval.is_zero() { NEVER } else { interval };
        let timer = Box::pin(tokio::time::sleep(interval / 2));
        Self { interval, received: now, sent: now, asked: None, timer }
    }

    pub(super) fn received(&mut self) {
        self.received = Instant::now();
        self.asked = None;
    }

    pub(super) fn sent(&mut self) {
        self.sent = Instant::now();
    }

    /// To be called after everything that has come was read: a process that was frozen must not take its own sleep for
    /// the broker's.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            match self.judge(now) {
                Ok(due) => {
                    if due == Due::Ping {
                        self.asked = Some(now);
                    }
                    return Poll::Ready(due);
                }
                Err(next) => self.timer.as_mut().reset(next),
            }
        }
    }

    /// What is due, or when to look again.
    fn judge(&self, now: Instant) -> Result<Due, Instant> {
        let (due, at) = match self.asked {
            Some(asked) => (Due::Lost(now - self.received), asked + self.interval),
            None => (Due::Ping, self.received.min(self.sent) + self.interval / 2),
        };
        if now >= at { Ok(due) } else { Err(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// At which second of a connection with a keep-alive of 10 s, when this and that happened, what is due.
    fn due(received_s: u32, sent_s: u32, asked_s: Option<u32>) -> (Due, u64) {
        let begin = Instant::now();
        let at = |second: u32| begin + second * SECOND;
        let keep_alive = KeepAlive {
            interval: 10 * SECOND,
            received: at(received_s),
            sent: at(sent_s),
            asked: asked_s.map(at),
            timer: Box::pin(tokio::time::sleep(SECOND)),
        };
        let next = keep_alive.judge(begin).unwrap_err();
        assert_eq!(keep_alive.judge(next - SECOND / 1000), Err(next), "not sooner");
        (keep_alive.judge(next).unwrap(), (next - begin).as_secs())
    }

    #[tokio::test]
    async fn a_silent_broker_is_asked_and_then_lost_whatever_is_sent() {
        assert_eq!(due(0, 0, None), (Due::Ping, 5));
        assert_eq!(due(0, 4, None), (Due::Ping, 5), "canaries are no answer");
        assert_eq!(due(0, 14, Some(5)), (Due::Lost(15 * SECOND), 15), "one and a half keep-alives");
    }

    #[tokio::test]
    async fn anything_that_comes_is_an_answer() {
        let mut keep_alive = KeepAlive::new(10 * SECOND);
        keep_alive.asked = Some(Instant::now());
        keep_alive.received();
        assert_eq!(keep_alive.asked, None);
        assert!(keep_alive.judge(Instant::now()).is_err());
    }

    /// QoS 0 has no acknowledgements: this side may have nothing to say, and the broker would end the connection.
    #[tokio::test]
    async fn who_only_listens_says_something_in_time() {
        assert_eq!(due(100, 2, None), (Due::Ping, 7));
    }

    #[tokio::test]
    async fn the_timer_asks_once_and_then_gives_up() {
        let begin = Instant::now();
        let mut keep_alive = KeepAlive::new(Duration::from_millis(40));
        let mut next = async || std::future::poll_fn(|context| keep_alive.poll(context)).await;
        assert_eq!(next().await, Due::Ping);
        assert!(matches!(next().await, Due::Lost(_)));
        assert!(begin.elapsed() >= Duration::from_millis(60));
    }
}
