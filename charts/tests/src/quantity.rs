//! Kubernetes quantities, and what pods ask for.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::object::each;

/// An amount of processor time and memory. Differences may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    /// Thousandths of a processor.
    pub cpu_milli: i64,
    /// Bytes of memory, in MiB.
    pub memory_mib: i64,
}

// === impl Amount ===

impl Amount {
    /// That much.
    #[must_use]
    pub fn new(cpu_milli: i64, memory_mib: i64) -> Self {
        Self { cpu_milli, memory_mib }
    }

    /// `cpu` and `memory` of a map such as `requests` or `allocatable`; what isn't there is nothing.
    ///
    /// # Errors
    /// Where a value is no quantity.
    pub fn of(map: &Value) -> Result<Self> {
        Ok(Self { cpu_milli: milli(&map["cpu"])?, memory_mib: milli(&map["memory"])? / 1000 / 1024 / 1024 })
    }

    /// What the scheduler sets aside for a pod: the sum of its containers, or its largest init container if that is more.
    ///
    /// # Errors
    /// Where a value is no quantity.
    pub fn of_pod(spec: &Value) -> Result<Self> {
        let requests = |list: &Value| -> Result<Vec<Self>> {
            each(list).map(|container| Self::of(&container["resources"]["requests"])).collect()
        };
        let (mut sum, mut sidecars) =
            (requests(&spec["containers"])?.into_iter().sum::<Self>(), Self::default());
        let init = requests(&spec["initContainers"])?;
        let mut largest = Self::default();
        for (container, request) in each(&spec["initContainers"]).zip(init) {
            if container["restartPolicy"] == "Always" {
                sidecars = sidecars + request;
            } else {
                largest = largest.at_least(sidecars + request);
            }
        }
        sum = sum + sidecars;
        Ok(sum.at_least(largest))
    }

    fn at_least(self, other: Self) -> Self {
        Self::new(self.cpu_milli.max(other.cpu_milli), self.memory_mib.max(other.memory_mib))
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.cpu_milli + other.cpu_milli, self.memory_mib + other.memory_mib)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.cpu_milli - other.cpu_milli, self.memory_mib - other.memory_mib)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} mCPU, {} MiB", self.cpu_milli, self.memory_mib)
    }
}

/// Thousandths of a quantity: `100m`, `1.5`, `2`, `256Mi`, `1Gi`, `1G`. Null is 0.
fn milli(quantity: &Value) -> Result<i64> {
    let text = match quantity {
        Value::Null => return Ok(0),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let scale: i64 = match suffix {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        _ => anyhow::bail!("{text:?} is no quantity that is known here"),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let parse = |digits: &str| digits.parse::<i64>().with_context(|| format!("{text:?} is no quantity"));
    let mut value = parse(whole)? * scale;
    if !fraction.is_empty() {
        value += parse(fraction)? * scale / 10_i64.pow(u32::try_from(fraction.len())?);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_read() {
        let amount = |cpu: Value, memory: &str| Amount::of(&json!({"cpu": cpu, "memory": memory})).unwrap();
        assert_eq!(amount(json!("250m"), "256Mi"), Amount::new(250, 256));
        assert_eq!(amount(json!("1.5"), "1Gi"), Amount::new(1500, 1024));
        assert_eq!(amount(json!(2), "1048576Ki"), Amount::new(2000, 1024));
        assert_eq!(amount(json!("0.05"), "1G"), Amount::new(50, 953));
        assert!(Amount::of(&json!({"cpu": "much"})).is_err());
    }

    #[test]
    fn a_pod_asks_for_the_sum_or_its_largest_init_container() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let spec = json!({"containers": [container("100m"), container("50m")],
            "initContainers": [container("20m"), container("400m")]});
        assert_eq!(Amount::of_pod(&spec).unwrap(), Amount::new(400, 0));
        let mut sidecar = container("30m");
        sidecar["restartPolicy"] = json!("Always");
        let spec = json!({"containers": [container("100m")], "initContainers": [sidecar, container("50m")]});
        assert_eq!(Amount::of_pod(&spec).unwrap(), Amount::new(130, 0));
    }
}
