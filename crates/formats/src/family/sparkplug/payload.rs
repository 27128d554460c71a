//! The part of `sparkplug_b.proto` that a reading needs, read by hand: prost would build every metric of a payload
//! whole, properties, templates and data sets included.

/// A payload.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Payload {
    /// In ms since 1970.
    pub(super) timestamp: Option<u64>,
    pub(super) metrics: Vec<Metric>,
}

/// A metric that has a number or a text for value, or is null.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Metric {
    pub(super) name: Option<String>,
    pub(super) alias: Option<u64>,
    /// In ms since 1970.
    pub(super) timestamp: Option<u64>,
    /// As decimal text.
    pub(super) value: Option<String>,
}

/// A field of a protobuf message.
enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'a [u8]),
}

/// The signed types among Sparkplug's data types, whose values are two's complement in an unsigned field.
const INT8: u64 = 1;
const INT16: u64 = 2;
const INT32: u64 = 3;
const INT64: u64 = 4;

// === impl Payload ===

impl Payload {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut payload = Self::default();
        let mut rest = bytes;
        while let Some((number, field)) = next(&mut rest)? {
            match (number, field) {
                (1, Field::Varint(millis)) => payload.timestamp = Some(millis),
                (2, Field::Bytes(metric)) => payload.metrics.push(Metric::parse(metric)?),
                _ => {}
            }
        }
        Ok(payload)
    }
}

// === impl Metric ===

impl Metric {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut metric = Self::default();
        let mut datatype = 0;
        let mut null = false;
        let mut integer = None;
        let mut rest = bytes;
        while let Some((number, field)) = next(&mut rest)? {
            match (number, field) {
                (1, Field::Bytes(name)) => metric.name = Some(text(name)?),
                (2, Field::Varint(alias)) => metric.alias = Some(alias),
                (3, Field::Varint(millis)) => metric.timestamp = Some(millis),
                (4, Field::Varint(value)) => datatype = value,
                (7, Field::Varint(value)) => null = value != 0,
                (10 | 11, Field::Varint(value)) => integer = Some(value),
                (12, Field::Fixed32(bits)) => metric.value = Some(f32::from_le_bytes(bits).to_string()),
                (13, Field::Fixed64(bits)) => metric.value = Some(f64::from_le_bytes(bits).to_string()),
                (15, Field::Bytes(value)) => metric.value = Some(text(value)?),
                _ => {}
            }
        }
        if let Some(integer) = integer {
            metric.value = Some(decimal(integer, datatype));
        }
        if null {
            metric.value = None;
        }
        Ok(metric)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "two's complement of that many bits"
)]
fn decimal(value: u64, datatype: u64) -> String {
    match datatype {
        INT8 => i64::from(value as i8).to_string(),
        INT16 => i64::from(value as i16).to_string(),
        INT32 => i64::from(value as i32).to_string(),
        INT64 => (value as i64).to_string(),
        _ => value.to_string(),
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "Sparkplug: a text is not UTF-8".to_owned())
}

/// The next field and its number; none at the end.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<(u64, Field<'a>)>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let key = varint(rest)?;
    let field = match key & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => Field::Fixed64(fixed(rest)?),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| cut())?;
            let (bytes, behind) = rest.split_at_checked(length).ok_or_else(cut)?;
            *rest = behind;
            Field::Bytes(bytes)
        }
        5 => Field::Fixed32(fixed(rest)?),
        other => return Err(format!("Sparkplug: no protobuf, there is a wire type {other}")),
    };
    Ok(Some((key >> 3, field)))
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or_else(cut)?;
    *rest = behind;
    Ok(*bytes)
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or_else(cut)?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("Sparkplug: a number of more than 64 bits".to_owned())
}

fn cut() -> String {
    "Sparkplug: the payload ends in the middle".to_owned()
}
