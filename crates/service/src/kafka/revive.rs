//! A client that has forgotten every broker.
//!
//! A broker that was frozen (a machine that slept, a long pause) is fenced by its controller; for a moment after its thaw
//! it answers metadata requests with an empty list of brokers. librdkafka from 2.10 on then drops all brokers, those it
//! was configured with included, and nobody is left to be asked: it never connects again (seen with 2.12.1;
//! confluentinc/librdkafka#5301). Its configured addresses, told once more, bring it back.

use std::ffi::c_char;

use rdkafka::client::{Client, ClientContext};
use rdkafka_sys as sys;
use tracing::warn;

/// `metadata.broker.list`, the library's own name of `bootstrap.servers`.
const BROKERS: &std::ffi::CStr = c"metadata.broker.list";

/// Tells the client its configured addresses again, if it knows no broker; says how many. Cheap and non-blocking; to be
/// called now and then while Kafka doesn't answer.
#[expect(unsafe_code, reason = "no safe binding of these three calls")]
pub fn revive<C: ClientContext>(client: &Client<C>) -> usize {
    let handle = client.native_ptr();
    // SAFETY: `handle` lives as long as `client`; the ids are freed by the library's own allocator; the configuration
    // belongs to the handle, and the library writes at most `size` bytes, its end included.
    let added = unsafe {
        let mut known = 0;
        let ids = sys::rd_kafka_brokers_learned_ids(handle, &raw mut known);
        if !ids.is_null() {
            sys::rd_kafka_mem_free(handle, ids.cast());
        }
        if known > 0 {
            return 0;
        }
        let configuration = sys::rd_kafka_conf(handle);
        let mut size = 0;
        sys::rd_kafka_conf_get(configuration, BROKERS.as_ptr(), std::ptr::null_mut(), &raw mut size);
        let mut addresses: Vec<c_char> = vec![0; size + 1];
        size = addresses.len();
        sys::rd_kafka_conf_get(configuration, BROKERS.as_ptr(), addresses.as_mut_ptr(), &raw mut size);
        sys::rd_kafka_brokers_add(handle, addresses.as_ptr())
    };
    let added = usize::try_from(added).unwrap_or(0);
    if added > 0 {
        warn!("the Kafka client knew no broker any more: it was told {added} addresses again");
    }
    added
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::producer::{BaseProducer, Producer as _};

    use super::*;

    #[test]
    fn a_client_without_any_answer_is_told_its_addresses() {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", "127.0.0.1:1,127.0.0.1:2").create().unwrap();
        assert_eq!(revive(producer.client()), 2);
        assert_eq!(revive(producer.client()), 2, "as often as it takes");
    }
}
