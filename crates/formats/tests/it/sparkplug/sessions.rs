//! A node through several sessions, with aliases of its own in each. Some of its messages are lost on the way and some come
//! twice: what is made of the others is what the node means by them, or it is asked for its BIRTH.

use proptest::prelude::*;
use wattline_formats::Memory;

use super::{Metric, decode, payload};
use crate::shown::line;

/// What a node does next.
#[derive(Clone, Debug)]
enum Act {
    /// A session begins: from which name on it counts the aliases of its own, and those of its device.
    Start([usize; 2]),
    /// Its device is there.
    Born,
    /// Its device is gone.
    Gone,
    /// The node (0) or its device (1) sends a value.
    Value { sender: usize, alias: usize, value: u8 },
}

/// What was sent: the end of its topic, its payload, and what is meant by it where it is a value.
type Sent = (&'static str, Vec<u8>, Option<String>);

#[derive(Default)]
struct Node {
    session: u64,
    first: [usize; 2],
    is_there: [bool; 2],
}

const NAMES: [&str; 4] = ["M1/Active Power", "M2/Active Power", "M3/Active Power", "M4/Active Power"];

fn act() -> impl Strategy<Value = Act> {
    let value = (0_usize..2, 0_usize..4, 1_u8..200);
    prop_oneof![
        1 => (0_usize..4, 0_usize..4).prop_map(|(own, device)| Act::Start([own, device])),
        2 => Just(Act::Born),
        1 => Just(Act::Gone),
        8 => value.prop_map(|(sender, alias, value)| Act::Value { sender, alias, value }),
    ]
}

// === impl Node ===

impl Node {
    fn name(&self, sender: usize, alias: usize) -> &'static str {
        NAMES[(alias + self.first[sender]) % NAMES.len()]
    }

    fn session(&self) -> Metric {
        Metric::named("bdSeq").varint(4, 8).varint(11, self.session)
    }

    fn birth(&self, sender: usize) -> Vec<u8> {
        let named = |alias| Metric::named(self.name(sender, alias)).varint(2, alias as u64).double(1.0);
        let metrics: Vec<_> = std::iter::once(self.session()).chain((0..NAMES.len()).map(named)).collect();
        payload(None, &metrics)
    }

    fn act(&mut self, act: &Act) -> Vec<Sent> {
        match *act {
            Act::Start(first) => {
                let will = ("NDEATH/n", payload(None, &[self.session()]), None);
                *self = Self { session: self.session + 1, first, is_there: [true, false] };
                vec![will, ("NBIRTH/n", self.birth(0), None)]
            }
            Act::Born if self.is_there[0] => {
                self.is_there[1] = true;
                vec![("DBIRTH/n/d", self.birth(1), None)]
            }
            Act::Gone if self.is_there[1] => {
                self.is_there[1] = false;
                vec![("DDEATH/n/d", payload(None, &[]), None)]
            }
            Act::Value { sender, alias, value } if self.is_there[sender] => {
                let metric = Metric::aliased(alias as u64).double(f64::from(value));
                let meant = format!("<{}> P={value}", &self.name(sender, alias)[..2]);
                vec![(["NDATA/n", "DDATA/n/d"][sender], payload(None, &[metric]), Some(meant))]
            }
            _ => Vec::new(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_alias_means_what_the_node_means_or_is_asked_for(
        acts in prop::collection::vec((act(), prop::sample::select(vec![0_usize, 1, 1, 1, 2])), 1..60),
    ) {
        let (mut memory, mut node) = (Memory::default(), Node::default());
        for (act, times) in &acts {
            for (topic, payload, meant) in node.act(act) {
                // The broker sends the will at QoS 1.
                let times = if topic == "NDEATH/n" { 1 } else { *times };
                for _ in 0..times {
                    let said = line(&decode(&mut memory, &format!("spBv1.0/g/{topic}"), &payload));
                    let asks = said == "refused alias_unknown";
                    prop_assert!(asks || meant.as_ref().is_none_or(|meant| *meant == said), "{:?}: {}", meant, said);
                }
            }
        }
    }
}
