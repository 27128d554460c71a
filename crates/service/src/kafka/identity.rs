//! Which topic of which cluster this really is. Offsets of another cluster, or of a topic that was deleted and
//! made anew under the same name, mean nothing. The client library has no safe call for a topic's id.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;

/// A topic's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicIdentity {
    /// The id of the Kafka cluster.
    pub cluster_id: String,
    /// The id that the cluster gave to the topic when it was made.
    pub topic_id: String,
}

/// Why a topic's identity is not known.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The cluster did not answer in time.
    #[error("Kafka did not answer within {0:?}: is it running, and is kafka.brokers right?")]
    NoAnswer(Duration),
    /// There is no such topic.
    #[error("the topic {0} doesn't exist: create it with `wattlinectl topics`")]
    NoTopic(String),
    /// Kafka answered with an error.
    #[error("Kafka refuses to describe the topic {topic}: {error}")]
    Refused {
        /// The topic.
        topic: String,
        /// What Kafka said.
        error: String,
    },
}

/// Asks the cluster for a topic's identity. Blocks for at most `timeout`. Without an answer the client is
/// [revived](super::revive()).
///
/// # Errors
/// Where the cluster doesn't answer, or has no such topic.
pub fn topic_identity<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    timeout: Duration,
) -> Result<TopicIdentity, IdentityError> {
    let identity = match client.fetch_cluster_id(timeout) {
        None => Err(IdentityError::NoAnswer(timeout)),
        Some(cluster_id) => describe(client.native_ptr(), topic, timeout)
            .map(|topic_id| TopicIdentity { cluster_id, topic_id }),
    };
    if matches!(identity, Err(IdentityError::NoAnswer(_) | IdentityError::Refused { .. })) {
        super::revive(client);
    }
    identity
}

/// Frees what the library allocated when it goes out of scope.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    #[expect(unsafe_code, reason = "gives back what the library allocated")]
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: `self.0` came from the library's matching constructor and is freed once, here.
            unsafe { (self.1)(self.0) }
        }
    }
}

#[expect(unsafe_code, reason = "no safe binding of DescribeTopics")]
fn describe(client: *mut sys::rd_kafka_t, topic: &str, timeout: Duration) -> Result<String, IdentityError> {
    let refused = |error: String| IdentityError::Refused { topic: topic.to_owned(), error };
    let name = CString::new(topic).map_err(|_| refused("the name has a NUL byte".to_owned()))?;
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `client` is alive for the whole call (the caller holds it); each pointer made here is checked or
    // owned by an `Owned`; results are read before the event that holds them is freed, and copied out.
    unsafe {
        let queue = Owned(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy);
        let topics = Owned(
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            sys::rd_kafka_TopicCollection_destroy,
        );
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options =
            Owned(sys::rd_kafka_AdminOptions_new(client, operation), sys::rd_kafka_AdminOptions_destroy);
        sys::rd_kafka_AdminOptions_set_request_timeout(options.0, timeout_ms, ptr::null_mut(), 0);
        sys::rd_kafka_DescribeTopics(client, topics.0, options.0, queue.0);
        let event = Owned(sys::rd_kafka_queue_poll(queue.0, timeout_ms), sys::rd_kafka_event_destroy);
        if event.0.is_null() {
            return Err(IdentityError::NoAnswer(timeout));
        }
        if sys::rd_kafka_event_error(event.0) != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(refused(text(sys::rd_kafka_event_error_string(event.0))));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0);
        let mut count = 0;
        let descriptions = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if descriptions.is_null() || count == 0 {
            return Err(IdentityError::NoTopic(topic.to_owned()));
        }
        let description = *descriptions;
        let error = sys::rd_kafka_TopicDescription_error(description);
        if !error.is_null() {
            return Err(match sys::rd_kafka_error_code(error) {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => return topic_id(description),
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => {
                    IdentityError::NoTopic(topic.to_owned())
                }
                _ => refused(text(sys::rd_kafka_error_string(error))),
            });
        }
        topic_id(description)
    }
}

#[expect(unsafe_code, reason = "no safe binding of DescribeTopics")]
unsafe fn topic_id(description: *const sys::rd_kafka_TopicDescription_t) -> Result<String, IdentityError> {
    // SAFETY: the caller holds the event that `description` belongs to; the text is copied.
    unsafe { Ok(text(sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(description)))) }
}

#[expect(unsafe_code, reason = "copies a text of the library")]
unsafe fn text(from: *const c_char) -> String {
    if from.is_null() {
        return String::new();
    }
    // SAFETY: the library's texts end with NUL and live as long as what they belong to.
    unsafe { CStr::from_ptr(from).to_string_lossy().into_owned() }
}
