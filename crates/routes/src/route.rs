//! Which decoder takes a topic, how the meter's id is made, and what the route says of time, sign and scale.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail, ensure};
use wattline_formats::time::DeviceTime;
use wattline_formats::{Decoder, FAMILIES, Family, FamilyOptions, Multiplier};
use wattline_reading::limits::{Limits, Refusal, refuse};
use wattline_reading::{Measures, MeterInfo, Reason, Timestamp, TsSource};

use crate::clocks::{Clock, Clocks};
use crate::filter::{check_filter, covers, overlap};
use crate::settings::{RouteSettings, Sign};
use crate::template::Template;
use crate::timing::Timing;
use crate::trie::Trie;

/// Stands for every family whose default routes are on.
pub const ALL_FAMILIES: &str = "all";

/// All routes. Those of the configuration come before the defaults of the families.
#[derive(Clone, Debug)]
pub struct Routes {
    routes: Vec<Route>,
    own: Trie,
    defaults: Trie,
}

/// One route, ready for use.
#[derive(Clone, Debug)]
pub struct Route {
    /// The MQTT topic filter.
    pub filter: String,
    /// The device family.
    pub family: &'static Family,
    /// What reads its messages.
    pub decoder: Decoder,
    /// The payload's meter id counts alone.
    pub trusted: bool,
    /// Whose time counts.
    pub timing: Timing,
    /// What multiplies power, current and registers: the ratio of current transformers.
    pub multiplier: Option<Multiplier>,
    /// Import and export are exchanged.
    pub reversed: bool,
    /// What the route says to its family.
    pub options: FamilyOptions,
    /// The most that the device can take or give, in W.
    pub max_power_w: Option<f64>,
    /// Whose time its readings have, counted.
    pub clocks: Arc<Clocks>,
    /// How many of its messages were not of its family.
    pub strangers: Arc<AtomicU64>,
    meter_id: Template,
}

// === impl Routes ===

impl Routes {
    /// Checks the routes of the configuration, and adds the default routes of `families` (`all`, or their names).
    ///
    /// # Errors
    /// Names the route and what is wrong with it, or both of two that overlap.
    pub fn new(settings: &[RouteSettings], families: &[String]) -> anyhow::Result<Self> {
        let mut routes = Self { routes: Vec::new(), own: Trie::new(), defaults: Trie::new() };
        for settings in settings {
            let route = Route::new(settings)?;
            if let Some(other) = routes.routes.iter().find(|other| route.is_ambiguous_beside(other)) {
                bail!(
                    "routes: {:?} ({}) and {:?} ({}) overlap: of a topic that both match neither is the more specific; \
                     write a filter that one of them covers, or join them",
                    other.filter,
                    other.family,
                    route.filter,
                    route.family
                );
            }
            routes.own.insert(&route.filter, routes.routes.len());
            routes.routes.push(route);
        }
        routes.add_defaults(families)?;
        ensure!(!routes.routes.is_empty(), "there are no routes: write [[routes]], or families = [\"all\"]");
        Ok(routes)
    }

    /// The default routes, without those of which a route of the configuration leaves nothing.
    fn add_defaults(&mut self, families: &[String]) -> anyhow::Result<()> {
        let all = families.iter().any(|name| name == ALL_FAMILIES);
        for name in families.iter().filter(|name| *name != ALL_FAMILIES) {
            Family::named(name).with_context(|| format!("families: {name:?} is no family"))?;
        }
        let own = self.routes.len();
        for family in FAMILIES.iter().filter(|family| all || families.iter().any(|name| name == family.name))
        {
            for (filter, meter_id) in family.routes {
                if self.routes[..own].iter().any(|route| covers(&route.filter, filter)) {
                    continue;
                }
                let settings = RouteSettings {
                    meter_id: Some((*meter_id).to_owned()),
                    ..RouteSettings::new(filter, family)
                };
                self.defaults.insert(filter, self.routes.len());
                self.routes.push(Route::new(&settings)?);
            }
        }
        Ok(())
    }

    /// The route that takes the topic.
    #[must_use]
    pub fn find(&self, topic: &str) -> Option<&Route> {
        let index = self.own.find(topic).or_else(|| self.defaults.find(topic))?;
        self.routes.get(index)
    }

    /// What to subscribe to by the group: their filters, without those that another covers and without those of
    /// [`Routes::plain_filters`].
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        self.subscriptions(false)
    }

    /// What one replica must subscribe to alone, because the family needs to see all messages of a device.
    #[must_use]
    pub fn plain_filters(&self) -> Vec<String> {
        self.subscriptions(true)
    }

    fn subscriptions(&self, plain: bool) -> Vec<String> {
        let wanted: Vec<&str> = self
            .routes
            .iter()
            .filter(|route| route.decoder.needs_memory() == plain)
            .map(|route| route.filter.as_str())
            .collect();
        let mut filters: Vec<String> = Vec::new();
        for filter in &wanted {
            let covered = wanted.iter().any(|other| other != filter && covers(other, filter));
            if !covered && !filters.iter().any(|taken| taken == filter) {
                filters.push((*filter).to_owned());
            }
        }
        filters
    }

    /// All of them, those of the configuration first.
    #[must_use]
    pub fn all(&self) -> &[Route] {
        &self.routes
    }
}

// === impl Route ===

impl Route {
    fn new(settings: &RouteSettings) -> anyhow::Result<Self> {
        let filter = &settings.filter;
        check_filter(filter).context("routes")?;
        let family = settings.decoder;
        let meter_id = match &settings.meter_id {
            Some(template) => Cow::Borrowed(template.as_str()),
            None => default_template(filter, family),
        };
        let template = Template::parse(&meter_id, filter, settings.trusted, family.one_meter)
            .map_err(|why| anyhow::anyhow!("routes: meter_id {meter_id:?} of {filter:?}: {why}"))?;
        let multiplier = match settings.multiplier {
            Some(factor) => Some(Multiplier::new(factor).with_context(|| {
                format!("routes: multiplier {factor} of {filter:?} must be above 0, with 9 digits at most")
            })?),
            None => None,
        };
        ensure!(
            settings.max_power_w.is_none_or(|max| max.is_finite() && max > 0.0),
            "routes: max_power_w {:?} of {filter:?} must be above 0",
            settings.max_power_w
        );
        let zone = settings.zone().with_context(|| format!("routes: {filter:?}"))?;
        let decoder = Decoder::new(family, &settings.readings)
            .map_err(|why| anyhow::anyhow!("routes: {filter:?} {why:#}"))?;
        Ok(Self {
            filter: filter.clone(),
            family,
            decoder,
            trusted: settings.trusted,
            timing: Timing { policy: settings.time, zone },
            multiplier,
            reversed: settings.sign == Sign::Reversed,
            options: FamilyOptions {
                energy_unit: settings.energy_unit,
                power_unit: settings.power_unit,
                current_unit: settings.current_unit,
                channels: settings.channels.clone(),
                has_zone: zone.is_some(),
            },
            max_power_w: settings.max_power_w,
            clocks: Arc::default(),
            strangers: Arc::default(),
            meter_id: template,
        })
    }

    /// Both match some topic, and neither filter is inside the other. A family that sees all messages of a device has
    /// subscriptions of its own, and what is inside another's would come twice.
    fn is_ambiguous_beside(&self, other: &Self) -> bool {
        let (one, two) = (&self.filter, &other.filter);
        let is_inside = covers(one, two) != covers(two, one);
        let same_subscription = self.decoder.needs_memory() == other.decoder.needs_memory();
        overlap(one, two) && !(is_inside && same_subscription)
    }

    /// The meter's id of a message on a topic that this route takes.
    #[must_use]
    pub fn meter_id(&self, topic: &str, id: Option<&str>, channel: &str) -> String {
        self.meter_id.render(topic, id, self.trusted, channel)
    }

    /// The event time of a reading by the route's policy; the case is counted. `alone` as in [`Timing`].
    ///
    /// # Errors
    /// `ts_unreadable` where the device's time counts and can't be read.
    pub fn event_time(
        &self,
        time: &DeviceTime,
        alone: bool,
        received_at: Timestamp,
        limits: &Limits,
    ) -> Result<(Timestamp, TsSource), Refusal> {
        let (clock, ts) = self.timing.choose(time, alone, received_at, limits);
        self.clocks.count(clock);
        match (clock, time) {
            (Clock::RefusedUnreadable, DeviceTime::Unreadable(shown)) => {
                Err(refuse(Reason::TsUnreadable, format!("the device's time can't be read: {shown}")))
            }
            _ => Ok(ts.map_or((received_at, TsSource::Arrival), |ts| (ts, TsSource::Device))),
        }
    }

    /// A message that has no word of the family: counted, and for the dead letters.
    #[must_use]
    pub fn stranger(&self, topic: &str) -> Refusal {
        self.strangers.fetch_add(1, Ordering::Relaxed);
        let detail = format!(
            "nothing in it is known to {} ({}), to which the route {:?} leads the topic {topic:?}: give it a route of its own",
            self.family, self.family.title, self.filter
        );
        refuse(Reason::NotThisFamily, detail)
    }

    /// Checks power against what the route says of the device.
    ///
    /// # Errors
    /// `power_implausible` where it is more.
    pub fn check_power(&self, measures: &Measures) -> Result<(), Refusal> {
        let Some(max) = self.max_power_w else { return Ok(()) };
        let phases = measures.phases.iter().map(|phase| phase.power_w);
        match std::iter::once(measures.power_w).chain(phases).flatten().find(|power| power.abs() > max) {
            Some(power) => Err(refuse(
                Reason::PowerImplausible,
                format!("{power} W, at most {max} W either way (max_power_w of the route {:?})", self.filter),
            )),
            None => Ok(()),
        }
    }

    /// What the registry of meters shall know of those that this route takes.
    #[must_use]
    pub fn info(&self) -> MeterInfo {
        MeterInfo {
            route: self.filter.clone(),
            family: self.family.name.to_owned(),
            max_power_w: self.max_power_w,
        }
    }

    /// True where readings are taken as the decoder gives them.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.multiplier.is_none() && !self.reversed
    }
}

/// The family's own where its default route covers the filter; else the levels for which wildcards stand; without
/// any wildcard the whole topic.
fn default_template(filter: &str, family: &Family) -> Cow<'static, str> {
    let known = family.routes.iter().find(|(default, _)| covers(default, filter));
    if let Some((_, template)) = known {
        return Cow::Borrowed(template);
    }
    let levels = (1..).zip(filter.split('/'));
    let plus: Vec<String> = levels
        .clone()
        .filter(|(_, level)| *level == "+")
        .map(|(number, _)| format!("{{{number}}}"))
        .collect();
    if !plus.is_empty() {
        return Cow::Owned(plus.join("/"));
    }
    match levels.last() {
        Some((number, "#")) => Cow::Owned(format!("{{{number}}}")),
        _ => Cow::Borrowed("{1+}"),
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
