//! Meters, as far as the broker sees: a client that publishes and knows what the broker has taken.

use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use wattline_localstack::Stack;

use crate::fixture::PATIENCE;

const IN_FLIGHT_MAX: u16 = 500;

pub(crate) struct Publisher {
    client: AsyncClient,
    eventloop: EventLoop,
}

impl Publisher {
    pub(crate) async fn connect(stack: &Stack, name: &str) -> Self {
        let address = stack.mosquitto().address();
        let password = std::fs::read_to_string(stack.mqtt_password_file("meters")).expect("a password");
        let mut options =
            MqttOptions::new(format!("meters-{name}"), (address.ip().to_string(), address.port()));
        options
            .set_credentials("meters", password.trim_end().to_owned())
            .set_clean_start(true)
            .set_max_packet_size(Some(8 * 1024 * 1024))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT_MAX)
            .set_max_request_batch(64);
        let (client, eventloop) = AsyncClient::builder(options).capacity(1000).build();
        let mut publisher = Self { client, eventloop };
        publisher.until(|event| matches!(event, Event::Incoming(Incoming::ConnAck(_)))).await;
        publisher
    }

    /// Publishes at QoS 1 and waits until the broker has taken everything.
    pub(crate) async fn publish(&mut self, messages: impl IntoIterator<Item = (String, impl Into<Vec<u8>>)>) {
        let mut open = 0_usize;
        for (topic, payload) in messages {
            let options = PublishOptions::new(QoS::AtLeastOnce);
            self.client.try_publish(topic, payload.into(), options).expect("room in the queue");
            open += 1;
            while open >= usize::from(IN_FLIGHT_MAX) {
                self.acknowledged().await;
                open -= 1;
            }
        }
        for _ in 0..open {
            self.acknowledged().await;
        }
    }

    /// Publishes one message in any way.
    pub(crate) async fn publish_one(&mut self, topic: String, payload: &[u8], qos: QoS, retain: bool) {
        let options = PublishOptions::new(qos).retain(retain);
        self.client.try_publish(topic, payload.to_vec(), options).expect("room in the queue");
        if qos == QoS::AtMostOnce {
            self.until(|event| matches!(event, Event::Outgoing(rumqttc::Outgoing::Publish(_)))).await;
        } else {
            self.acknowledged().await;
        }
    }

    async fn acknowledged(&mut self) {
        self.until(|event| matches!(event, Event::Incoming(Incoming::PubAck(_)))).await;
    }

    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let event = self.eventloop.poll().await.expect("the broker stays");
                if wanted(&event) {
                    return;
                }
            }
        });
        waited.await.expect("the broker answers in time");
    }
}
