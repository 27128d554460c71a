//! Ports: free ones, and told ones.

use std::collections::BTreeSet;
use std::net::TcpListener;

use wattline_localstack::{Port, ServerKind, ServiceKind, Stack, StackOptions, is_free};

#[test]
fn chosen_ports_are_distinct_while_held_and_outside_the_range_of_outgoing_connections() {
    let ports: Vec<Port> = (0..200).map(|_| Port::choose(None).unwrap()).collect();
    let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
    assert_eq!(numbers.len(), ports.len());
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    assert!(numbers.iter().all(|number| *number < first), "{numbers:?} reach into {range}");
}

#[test]
fn a_preferred_port_is_taken_when_it_is_free() {
    let held = Port::choose(None).unwrap();
    let number = held.number();
    assert_ne!(Port::choose(Some(number)).unwrap().number(), number);
    drop(held);
    assert_eq!(Port::choose(Some(number)).unwrap().number(), number);
}

#[tokio::test]
async fn a_told_port_is_used_and_a_taken_one_is_named() {
    let number = Port::choose(None).unwrap().number();
    let options = || StackOptions::new().servers(&[ServerKind::Mosquitto]).mqtt_port(number);
    let taken = TcpListener::bind(("127.0.0.1", number)).unwrap();
    let refusal = format!("{:#}", Stack::start(options()).await.err().unwrap());
    assert!(refusal.contains(&number.to_string()) && refusal.contains("mosquitto"), "{refusal}");
    drop(taken);
    let stack = Stack::start(options()).await.unwrap();
    assert_eq!(stack.mqtt_url(), format!("mqtt://127.0.0.1:{number}"));
}

#[tokio::test]
async fn replicas_get_ids_and_ports_of_their_own() {
    let stack = Stack::start(StackOptions::new().servers(&[])).await.unwrap();
    drop(stack);
    let options = StackOptions::new().servers(&[ServerKind::Mosquitto, ServerKind::Timescale]);
    let stack = Stack::start(options).await.unwrap();
    for kind in [ServiceKind::MqttIngest, ServiceKind::TimescaleSink, ServiceKind::Aggregator] {
        let (first, second) = (stack.service_env(kind, 0).unwrap(), stack.service_env(kind, 1).unwrap());
        assert_eq!(first, stack.service_env(kind, 0).unwrap(), "not the same at each call");
        let different = first.iter().zip(&second).filter(|(one, other)| one != other);
        let names: Vec<&str> = different.map(|((name, _), _)| name.as_str()).collect();
        assert_eq!(names.len(), 2, "admin port and id should differ: {names:?}");
    }
    assert!(is_free(stack.http_address().unwrap().port()));
}
