//! Why a connection was lost or could not be made, in words that say what to do.

use std::fmt;
use std::io;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use rumqttc::{ConnectReturnCode, Disconnect, DisconnectReasonCode, SubscribeReasonCode};
use rustls::{AlertDescription, CertificateError};
use strum::IntoStaticStr;

use super::outbox::Unsent;
use super::wire::Broken;
use crate::config::MqttSettings;

/// Why a connection was lost, or could not be made. Its word in snake case is what metrics and logs carry.
#[derive(Clone, Copy, Debug, Eq, Hash, IntoStaticStr, PartialEq)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// Another client has connected with the same id.
    TakenOver,
    /// The broker has sent more than the window holds.
    Overrun,
    /// The connection stood and brought nothing.
    Watchdog,
    /// The broker ends the connection for something that this user may not do.
    Forbidden,
    /// The broker ends the connection for another reason that it says.
    Broker,
    /// The connection broke, or the broker fell silent.
    Broken,
    /// What the broker sent is not MQTT 5.
    Protocol,
    /// The broker's name has no address.
    Dns,
    /// Nothing answers at the address.
    Unreachable,
    /// TLS is not possible.
    Tls,
    /// The broker lets this client not in.
    Refused,
    /// The broker refuses the subscription.
    Subscription,
}

/// Why a connection was lost, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The kind.
    pub cause: Cause,
    /// What happened and what to do.
    pub detail: String,
}

// === impl Loss ===

impl Loss {
    /// Of this kind.
    #[must_use]
    pub const fn new(cause: Cause, detail: String) -> Self {
        Self { cause, detail }
    }

    /// True where trying again soon is of no use: somebody has to change something.
    #[must_use]
    pub const fn needs_somebody(&self) -> bool {
        use Cause::{Forbidden, Refused, Subscription, TakenOver, Tls};
        matches!(self.cause, TakenOver | Refused | Forbidden | Subscription | Tls)
    }

    pub(super) fn taken_over(settings: &MqttSettings, sign: &str) -> Self {
        let MqttSettings { url, client_id, .. } = settings;
        let detail = format!(
            "another client connects to {url} as {client_id} ({sign}). Does another process have the same \
             mqtt.client_id? Each needs its own"
        );
        Self::new(Cause::TakenOver, detail)
    }

    pub(super) fn subscription(settings: &MqttSettings, filter: &str, code: SubscribeReasonCode) -> Self {
        let detail = format!(
            "the broker refuses the subscription to {filter}: {code:?}. May the user {:?} read it, and does the \
             broker have shared subscriptions?",
            settings.username.as_deref().unwrap_or_default()
        );
        Self::new(Cause::Subscription, detail)
    }

    /// A SUBSCRIBE could not be sent.
    pub(super) fn unasked(error: &Unsent) -> Self {
        Self::new(Cause::Subscription, format!("cannot ask for the subscription: {error}"))
    }

    /// An answer that says nothing of what was asked.
    pub(super) fn no_answer(settings: &MqttSettings, to: &str) -> Self {
        let detail =
            format!("the broker at {} breaks MQTT's rules: its answer to {to} doesn't fit", settings.url);
        Self::new(Cause::Protocol, detail)
    }

    /// `open`: the broker had accepted the connection.
    pub(super) fn explain(broken: &Broken, settings: &MqttSettings, open: bool) -> Self {
        let url = &settings.url;
        match broken {
            Broken::Timeout => Self::new(
                Cause::Unreachable,
                format!("the broker at {url} does not answer: is it running, and is mqtt.url right?"),
            ),
            Broken::Name(_) => no_tls(settings, &broken.to_string(), "check mqtt.url"),
            Broken::Io(error) => by_io(error, settings, open),
            Broken::Closed if !open => protocol(settings, &broken.to_string()),
            Broken::Closed => Self::broke(settings, &broken.to_string()),
            Broken::Refused(code) => refused(*code, settings),
            Broken::Ended(ended) => by_disconnect(ended, settings),
            Broken::Silent(after) => Self::new(
                Cause::Broken,
                format!(
                    "the broker at {url} has sent nothing for {} s and does not answer: the network, or it hangs",
                    after.as_secs()
                ),
            ),
            Broken::Malformed(_) | Broken::Unexpected(_) if !open => protocol(settings, &broken.to_string()),
            Broken::Malformed(_) | Broken::Unexpected(_) => Self::new(
                Cause::Protocol,
                format!("the broker at {url} breaks MQTT's rules: {broken}. What it sent is left to it"),
            ),
        }
    }

    fn broke(settings: &MqttSettings, words: &str) -> Self {
        let detail = format!("the connection to the broker at {} broke: {words}", settings.url);
        Self::new(Cause::Broken, detail)
    }
}

// === impl Cause ===

impl Cause {
    /// The word that metrics and logs carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EncodeLabelValue for Cause {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        self.as_str().encode(encoder)
    }
}

fn by_io(error: &io::Error, settings: &MqttSettings, open: bool) -> Loss {
    let url = &settings.url;
    // rustls puts its own error into one of I/O.
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return by_tls(tls, settings);
    }
    if open {
        return Loss::broke(settings, &error.to_string());
    }
    if error.to_string().contains("lookup address") {
        let detail =
            format!("the name of the broker in {url} has no address ({error}): check mqtt.url and the DNS");
        return Loss::new(Cause::Dns, detail);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            protocol(settings, &error.to_string())
        }
        io::ErrorKind::ConnectionRefused => Loss::new(
            Cause::Unreachable,
            format!("nothing listens at {url} ({error}): is the broker running, and is mqtt.url right?"),
        ),
        _ => Loss::new(
            Cause::Unreachable,
            format!("no connection to the broker at {url}: {error}. Is it running, and is mqtt.url right?"),
        ),
    }
}

fn by_disconnect(ended: &Disconnect, settings: &MqttSettings) -> Loss {
    let words = ended.properties.as_ref().and_then(|properties| properties.reason_string.as_deref());
    let words = words.unwrap_or_default();
    match ended.reason_code {
        DisconnectReasonCode::SessionTakenOver => Loss::taken_over(settings, "the broker says so"),
        DisconnectReasonCode::NotAuthorized => Loss::new(
            Cause::Forbidden,
            format!(
                "the broker at {} ends the connection because the user {:?} may not do what it did {words}: it must be \
                 allowed to read the subscribed topics, and to read and write {}/#",
                settings.url,
                settings.username.as_deref().unwrap_or_default(),
                settings.canary_topic
            ),
        ),
        code => Loss::new(
            Cause::Broker,
            format!("the broker at {} ends the connection: {code:?} {words}", settings.url),
        ),
    }
}

fn refused(code: ConnectReturnCode, settings: &MqttSettings) -> Loss {
    let MqttSettings { url, client_id, .. } = settings;
    let username = settings.username.as_deref();
    let detail = match code {
        ConnectReturnCode::BadUserNamePassword => format!(
            "the broker at {url} refuses the password of {:?} ({code:?}): check mqtt.username and mqtt.password_file",
            username.unwrap_or_default()
        ),
        ConnectReturnCode::NotAuthorized => format!(
            "the broker at {url} does not let {} in ({code:?}): check mqtt.username and mqtt.password_file, and what \
             the broker allows this client",
            username.map_or_else(|| "a client without mqtt.username".to_owned(), |name| format!("{name:?}"))
        ),
        ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId => {
            format!(
                "the broker at {url} refuses the client id {client_id:?} ({code:?}): choose another mqtt.client_id"
            )
        }
        ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion => {
            format!("the broker at {url} does not speak MQTT 5 ({code:?}): it must")
        }
        code => format!("the broker at {url} refuses the connection: {code:?}"),
    };
    Loss::new(Cause::Refused, detail)
}

fn by_tls(error: &rustls::Error, settings: &MqttSettings) -> Loss {
    let words = error.to_string();
    let own = settings.cert_file.is_some();
    let cure = match error {
        rustls::Error::InvalidCertificate(invalid) => by_certificate(invalid, settings),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the broker demands a client certificate: set mqtt.cert_file and mqtt.key_file"
        }
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) if !own => {
            "the broker may demand a client certificate: mqtt.cert_file and mqtt.key_file"
        }
        rustls::Error::AlertReceived(_) if own => {
            "the broker refuses the client certificate: is mqtt.cert_file signed by an authority that the broker \
             trusts, not expired, and meant for clients?"
        }
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS: a port for mqtt:// in place of mqtts://?"
        }
        _ => "check mqtt.ca_file and the certificates",
    };
    no_tls(settings, &words, cure)
}

fn by_certificate(invalid: &CertificateError, settings: &MqttSettings) -> &'static str {
    match invalid {
        // The second: another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature if settings.ca_file.is_some() => {
            "the broker's certificate is not signed by an authority of mqtt.ca_file: is it the right file?"
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the system does not know the authority that signed the broker's certificate: give it by mqtt.ca_file"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the broker's certificate has expired: renew it, unless this host's clock is wrong"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the broker's certificate is not valid yet: is this host's clock right?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the broker's certificate is for other names: mqtt.url must have one of them"
        }
        CertificateError::Revoked => "the broker's certificate was revoked",
        _ => "the broker's certificate is not usable",
    }
}

fn no_tls(settings: &MqttSettings, words: &str, cure: &str) -> Loss {
    Loss::new(Cause::Tls, format!("no TLS with the broker at {}: {words}; {cure}", settings.url))
}

fn protocol(settings: &MqttSettings, words: &str) -> Loss {
    let url = &settings.url;
    let (other, own) = if url.starts_with("mqtts") { ("mqtt://", "TLS") } else { ("mqtts://", "MQTT") };
    let detail = format!(
        "what answers at {url} breaks off at once, as if it did not speak {own} ({words}): is this the broker's port, \
         and not one for {other}? A broker that is just starting or full does that, too"
    );
    Loss::new(Cause::Protocol, detail)
}

#[cfg(test)]
mod tests {
    use rumqttc::DisconnectProperties;
    use rumqttc::mqttbytes::Error as PacketError;

    use super::*;

    fn explain(broken: &Broken, open: bool) -> Loss {
        Loss::explain(broken, &MqttSettings::default(), open)
    }

    #[test]
    fn causes_are_the_words_that_alerts_and_dashboards_know() {
        use Cause::{
            Broken, Broker, Dns, Forbidden, Overrun, Protocol, Refused, Subscription, TakenOver, Tls,
            Unreachable, Watchdog,
        };
        let all = [
            TakenOver,
            Overrun,
            Watchdog,
            Refused,
            Forbidden,
            Subscription,
            Tls,
            Dns,
            Unreachable,
            Protocol,
            Broker,
            Broken,
        ];
        let words = "taken_over overrun watchdog refused forbidden subscription tls dns unreachable protocol broker \
                     broken";
        assert_eq!(all.map(Cause::as_str).join(" "), words);
    }

    #[test]
    fn what_the_broker_says_at_the_end_decides_who_must_act() {
        for (code, cause, somebody) in [
            (DisconnectReasonCode::SessionTakenOver, Cause::TakenOver, true),
            (DisconnectReasonCode::NotAuthorized, Cause::Forbidden, true),
            (DisconnectReasonCode::ServerShuttingDown, Cause::Broker, false),
        ] {
            let mut ended = Disconnect::new(code);
            ended.properties = Some(DisconnectProperties {
                session_expiry_interval: None,
                reason_string: Some("so it is".to_owned()),
                user_properties: Vec::new(),
                server_reference: None,
            });
            let loss = explain(&Broken::Ended(ended), true);
            assert_eq!((loss.cause, loss.needs_somebody()), (cause, somebody), "{loss:?}");
            assert!(cause == Cause::TakenOver || loss.detail.contains("so it is"), "{loss:?}");
        }
    }

    #[test]
    fn the_same_fault_is_another_before_and_after_the_connection_stands() {
        let reset = || Broken::Io(io::ErrorKind::ConnectionReset.into());
        for (broken, before, after) in [
            (Broken::Closed, Cause::Protocol, Cause::Broken),
            (reset(), Cause::Protocol, Cause::Broken),
            (Broken::Io(io::ErrorKind::ConnectionRefused.into()), Cause::Unreachable, Cause::Broken),
            (Broken::Malformed(PacketError::MalformedPacket), Cause::Protocol, Cause::Protocol),
        ] {
            let found = [false, true].map(|open| explain(&broken, open).cause);
            assert_eq!(found, [before, after], "{broken:?}");
        }
        let silent = explain(&Broken::Silent(std::time::Duration::from_secs(45)), true);
        assert!(silent.cause == Cause::Broken && silent.detail.contains("45 s"), "{silent:?}");
    }
}
