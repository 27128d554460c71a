//! One value of a declared reading: found, summed, scaled.

use std::borrow::Cow;

use anyhow::{Context, bail, ensure};

use super::path::Path;
use super::{Time, ValueSettings};
use crate::draft::{Draft, Quantity, Stop};
use crate::json::Json;
use crate::multiplier::Multiplier;
use crate::number::{decimal, shown};
use crate::omission::{Omission, Omitted};
use crate::unit::Unit;

#[derive(Clone, Debug)]
pub(super) struct Value {
    name: String,
    quantity: Quantity,
    source: Source,
    unit: Unit,
    scale: Option<Multiplier>,
    negate: bool,
    pub(super) time: Option<Time>,
}

#[derive(Clone, Debug)]
enum Source {
    Path(Path),
    Constant(String),
    /// All of them, less the last where that is said.
    Sum {
        parts: Vec<Path>,
        minus: Option<Path>,
    },
}

// === impl Value ===

impl Value {
    pub(super) fn new(
        name: &str,
        quantity: Quantity,
        settings: &ValueSettings,
        arrays: usize,
    ) -> anyhow::Result<Self> {
        let scale = match settings.scale {
            Some(factor) => Some(
                Multiplier::new(factor)
                    .with_context(|| format!("{name}: scale {factor} must be above 0 (see negate)"))?,
            ),
            None => None,
        };
        let time = settings.time.as_ref().map(|time| Time::new(time, arrays)).transpose()?;
        ensure!(time.is_none() || settings.constant.is_none(), "{name}: a constant has no time");
        Ok(Self {
            name: name.to_owned(),
            quantity,
            source: Source::new(name, settings, arrays)?,
            unit: settings.unit,
            scale,
            negate: settings.negate,
            time,
        })
    }

    pub(super) fn take(
        &self,
        around: &[&Json<'_>],
        draft: &mut Draft,
        omitted: &mut Vec<Omission>,
    ) -> Result<(), Stop> {
        let text = match &self.source {
            Source::Constant(text) => text.as_str(),
            Source::Path(path) => match self.scalar(path, around)? {
                Some(text) => text,
                None => {
                    if path.find_any(around).is_some() {
                        draft.say_no_value();
                    }
                    return Ok(());
                }
            },
            Source::Sum { parts, minus } => {
                return self.take_sum(parts, minus.as_ref(), around, draft, omitted);
            }
        };
        if self.scale.is_none() && !self.negate {
            draft.set(self.quantity, text, self.unit, &self.name, omitted);
        } else if let Some(text) = decimal(text) {
            self.put(&[(1, text)], draft, omitted)?;
        } else {
            draft.say_no_value();
        }
        Ok(())
    }

    /// Where one part has no value the whole has none.
    fn take_sum(
        &self,
        parts: &[Path],
        minus: Option<&Path>,
        around: &[&Json<'_>],
        draft: &mut Draft,
        omitted: &mut Vec<Omission>,
    ) -> Result<(), Stop> {
        let mut found = Vec::with_capacity(parts.len() + 1);
        let signed = parts.iter().map(|path| (1, path)).chain(minus.map(|path| (-1, path)));
        for (sign, path) in signed {
            if let Some(text) = self.scalar(path, around)?.and_then(decimal) {
                found.push((sign, text));
            }
        }
        if found.len() == parts.len() + usize::from(minus.is_some()) {
            self.put(&found, draft, omitted)?;
        } else if !found.is_empty() {
            omitted.push(Omission::new(&self.name, Omitted::PartMissing));
        } else if parts.iter().any(|path| path.find_any(around).is_some()) {
            draft.say_no_value();
        }
        Ok(())
    }

    fn scalar<'j>(&self, path: &Path, around: &[&'j Json<'j>]) -> Result<Option<&'j str>, Stop> {
        let Some(found) = path.find(around) else { return Ok(None) };
        let none = || Stop::malformed(format!("{}: there is no number at the declared path", self.name));
        found.scalar().map(Some).ok_or_else(none)
    }

    /// The sum of signed decimal texts, in the declared unit and scale. Registers stay whole mWh.
    fn put(
        &self,
        parts: &[(i8, Cow<'_, str>)],
        draft: &mut Draft,
        omitted: &mut Vec<Omission>,
    ) -> Result<(), Stop> {
        let wrong = |text: &str| Stop::malformed(format!("{}: {} is no number", self.name, shown(text)));
        let scaled = if matches!(self.quantity, Quantity::Import | Quantity::Export) {
            let mut sum_mwh = 0_i64;
            for (sign, text) in parts {
                let mwh = self.unit.register_mwh(text).ok_or_else(|| wrong(text))?;
                sum_mwh = sum_mwh.checked_add(i64::from(*sign) * mwh).ok_or_else(|| wrong(text))?;
            }
            let mwh = self.scale.map_or(sum_mwh, |scale| scale.register_mwh(sum_mwh));
            format!("{}e-3", if self.negate { -mwh } else { mwh })
        } else {
            let mut sum = 0.0;
            for (sign, text) in parts {
                sum += f64::from(*sign) * self.unit.value(text).ok_or_else(|| wrong(text))?;
            }
            let value = self.scale.map_or(sum, |scale| scale.value(sum));
            (if self.negate { 0.0 - value } else { value }).to_string()
        };
        draft.set(self.quantity, &scaled, Unit::One, &self.name, omitted);
        Ok(())
    }
}

// === impl Source ===

impl Source {
    fn new(name: &str, settings: &ValueSettings, arrays: usize) -> anyhow::Result<Self> {
        let parse = |text: &String| Path::parse(text, arrays).with_context(|| name.to_owned());
        let minus = settings.minus.as_ref().map(parse).transpose()?;
        Ok(match (&settings.path, settings.sum.as_slice(), settings.constant, minus) {
            (Some(path), [], None, None) => Self::Path(parse(path)?),
            (Some(path), [], None, minus) => Self::Sum { parts: vec![parse(path)?], minus },
            (None, paths @ [_, _, ..], None, minus) => {
                Self::Sum { parts: paths.iter().map(parse).collect::<Result<_, _>>()?, minus }
            }
            (None, [_], ..) => bail!("{name}: a sum has two paths or more; of one write path"),
            (None, [], Some(constant), None) if constant.is_finite() => Self::Constant(constant.to_string()),
            (None, [], Some(_), Some(_)) => {
                bail!("{name}: minus stands beside path or sum, not beside a constant")
            }
            _ => bail!("{name} needs a path, a sum or a constant, and not both"),
        })
    }
}
