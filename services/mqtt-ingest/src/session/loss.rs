//! Why a connection was lost or could not be made, in words that say what to do.

use std::io;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{
    ConnectReturnCode, ConnectionError, DisconnectReasonCode, StateError, SubscribeReasonCode, TlsError,
};
use rustls::{AlertDescription, CertificateError};

use crate::config::{MqttSettings, given};

/// Why a connection was lost, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The word that metrics carry.
    pub cause: &'static str,
    /// What happened and what to do.
    pub detail: String,
}

// === impl Loss ===

impl Loss {
    /// With the word of the metrics.
    #[must_use]
    pub const fn new(cause: &'static str, detail: String) -> Self {
        Self { cause, detail }
    }

    /// True where trying again soon is of no use: somebody has to change something.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        matches!(self.cause, "taken_over" | "refused" | "forbidden" | "subscription" | "tls")
    }

    pub(super) fn taken_over(settings: &MqttSettings, sign: &str) -> Self {
        let MqttSettings { url, client_id, .. } = settings;
        let detail = format!(
            "another client connects to {url} as {client_id} ({sign}). Does another process have the same \
             mqtt.client_id? Each needs its own"
        );
        Self::new("taken_over", detail)
    }

    pub(super) fn subscription(settings: &MqttSettings, filter: &str, code: SubscribeReasonCode) -> Self {
        let detail = format!(
            "the broker refuses the subscription to {filter}: {code:?}. May the user {:?} read it, and does the \
             broker have shared subscriptions?",
            settings.username
        );
        Self::new("subscription", detail)
    }

    /// `open`: the broker had accepted the connection.
    pub(super) fn explain(error: &ConnectionError, settings: &MqttSettings, open: bool) -> Self {
        let url = &settings.url;
        if let Some(loss) = io_error(error).and_then(|error| by_io(error, settings, open)) {
            return loss;
        }
        match error {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                by_disconnect(*reason_code, reason_string.as_deref(), settings)
            }
            ConnectionError::ConnectionRefused(code)
            | ConnectionError::MqttState(StateError::ConnFail { reason: code }) => refused(*code, settings),
            ConnectionError::Timeout(_) => Self::new(
                "unreachable",
                format!("the broker at {url} does not answer: is it running, and is mqtt.url right?"),
            ),
            ConnectionError::Tls(TlsError::TLS(error)) => by_tls(error, settings),
            ConnectionError::Tls(error) => no_tls(settings, &error.to_string(), "check mqtt.ca_file"),
            ConnectionError::MqttState(StateError::AwaitPingResp) => Self::new(
                "broken",
                format!(
                    "the broker at {url} has not answered for the keep-alive time: the network, or it hangs"
                ),
            ),
            ConnectionError::MqttState(_) | ConnectionError::NotConnAck(_) if !open => {
                protocol(settings, &error.to_string())
            }
            error => Self::new("broken", format!("the connection to the broker at {url} broke: {error}")),
        }
    }
}

fn io_error(error: &ConnectionError) -> Option<&io::Error> {
    match error {
        ConnectionError::Io(error)
        | ConnectionError::MqttState(StateError::Io(error))
        | ConnectionError::MqttState(StateError::Deserialization(PacketError::Io(error)))
        | ConnectionError::Tls(TlsError::Io(error)) => Some(error),
        _ => None,
    }
}

fn by_io(error: &io::Error, settings: &MqttSettings, open: bool) -> Option<Loss> {
    let url = &settings.url;
    // rustls puts its own error into one of I/O.
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return Some(by_tls(tls, settings));
    }
    if open {
        return None;
    }
    if error.to_string().contains("lookup address") {
        let detail =
            format!("the name of the broker in {url} has no address ({error}): check mqtt.url and the DNS");
        return Some(Loss::new("dns", detail));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Some(protocol(settings, &error.to_string()))
        }
        io::ErrorKind::ConnectionRefused => Some(Loss::new(
            "unreachable",
            format!("nothing listens at {url} ({error}): is the broker running, and is mqtt.url right?"),
        )),
        _ => Some(Loss::new(
            "unreachable",
            format!("no connection to the broker at {url}: {error}. Is it running, and is mqtt.url right?"),
        )),
    }
}

fn by_disconnect(code: DisconnectReasonCode, words: Option<&str>, settings: &MqttSettings) -> Loss {
    let words = words.unwrap_or_default();
    match code {
        DisconnectReasonCode::SessionTakenOver => Loss::taken_over(settings, "the broker says so"),
        DisconnectReasonCode::NotAuthorized => Loss::new(
            "forbidden",
            format!(
                "the broker at {} ends the connection because the user {:?} may not do what it did {words}: it must be \
                 allowed to read the subscribed topics, and to read and write {}/#",
                settings.url, settings.username, settings.canary_topic
            ),
        ),
        code => Loss::new(
            "broker",
            format!("the broker at {} ends the connection: {code:?} {words}", settings.url),
        ),
    }
}

fn refused(code: ConnectReturnCode, settings: &MqttSettings) -> Loss {
    let MqttSettings { url, username, client_id, .. } = settings;
    let detail = match code {
        ConnectReturnCode::BadUserNamePassword => format!(
            "the broker at {url} refuses the password of {username:?} ({code:?}): check mqtt.username and \
             mqtt.password_file"
        ),
        ConnectReturnCode::NotAuthorized => format!(
            "the broker at {url} does not let {} in ({code:?}): check mqtt.username and mqtt.password_file, and what \
             the broker allows this client",
            if username.is_empty() {
                "a client without mqtt.username".to_owned()
            } else {
                format!("{username:?}")
            }
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
    Loss::new("refused", detail)
}

fn by_tls(error: &rustls::Error, settings: &MqttSettings) -> Loss {
    let words = error.to_string();
    let own = given(&settings.cert_file);
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
        CertificateError::UnknownIssuer | CertificateError::BadSignature if given(&settings.ca_file) => {
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
    Loss::new("tls", format!("no TLS with the broker at {}: {words}; {cure}", settings.url))
}

fn protocol(settings: &MqttSettings, words: &str) -> Loss {
    let url = &settings.url;
    let (other, own) = if url.starts_with("mqtts") { ("mqtt://", "TLS") } else { ("mqtts://", "MQTT") };
    let detail = format!(
        "what answers at {url} breaks off at once, as if it did not speak {own} ({words}): is this the broker's port, \
         and not one for {other}? A broker that is just starting or full does that, too"
    );
    Loss::new("protocol", detail)
}
