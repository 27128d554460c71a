// The live page: one meter, its power as it moves, and today's energy.

import * as api from "./api.js";
import * as format from "./format.js";
import { EnergyChart, known, note } from "./energy-chart.js";
import { LiveStream } from "./live.js";
import { Picker } from "./picker.js";
import { PowerChart } from "./power-chart.js";

const $ = (id) => document.getElementById(id);
const KEEP_MS = 16 * 60000;
const ENERGY_EVERY_MS = 30000;
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** A reading is in the database about so long after it came by the stream. */
const STORED_MS = 2000;

/** What is known of a meter before anything has come. */
const NOTHING = { readings: [], latest: null, power: null, expectedS: null, silentAfterS: null, derivedPowerW: null };
const page = { ...NOTHING, meter: null, stream: null, interval: "HOUR", skewMs: 0, learning: null };
/** The server's clock: what readings are held against, whatever this device believes. */
const now = () => Date.now() + page.skewMs;

const powerChart = new PowerChart(
  $("power-canvas"), () => (page.latest ? page.readings : null), () => 1000 * (page.expectedS ?? 0), now,
  (text) => { $("power-probe").textContent = text; },
);
const energyChart = new EnergyChart($("energy-chart"), now, (text) => { $("energy-probe").textContent = text; });
const picker = new Picker((id) => { visit(id); choose(id); }, now);

// === readings

/** Takes readings in; each instant once, in order of time. */
function take(readings) {
  const points = new Map(page.readings.map((point) => [point.ms, point]));
  for (const reading of readings) {
    const ms = Date.parse(reading.ts);
    if (!page.latest || ms >= Date.parse(page.latest.ts)) page.latest = { ...page.latest, ...present(reading) };
    if (reading.powerW === null) continue;
    points.set(ms, { ms, w: reading.powerW });
    if (!page.power || ms >= page.power.ms) page.power = { ms, w: reading.powerW };
  }
  const oldest = now() - KEEP_MS;
  page.readings = [...points.values()].filter((point) => point.ms >= oldest).sort((a, b) => a.ms - b.ms);
}

/** What a reading does not know stays as it was known last. */
const present = (reading) => Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== null));

function onEvent(event) {
  switch (event.__typename) {
    case "LiveReset":
      Object.assign(page, { readings: [], power: null });
      break;
    case "LiveSnapshot":
      take(event.readings);
      break;
    case "LiveReading":
      take([event.reading]);
      if (meterState() !== "live") learnIn(STORED_MS);
      break;
    case "LiveLagged":
    case "LiveHistoryChanged":
      reload();
      break;
    case "LiveHeartbeat":
      page.skewMs = Date.parse(event.at) - Date.now();
      return;
  }
  showPower();
  showMeasures();
}

/** Brings what the stream said is missing. */
async function reload() {
  const meter = page.meter;
  try {
    const readings = await api.recent(meter, now() - KEEP_MS);
    if (meter !== page.meter) return;
    take(readings);
    showPower();
  } catch { /* the next event shows the state of the connection */ }
}

// === what is seen

/** Whether what was measured at this instant is still what is. */
const isCurrent = (ms) => now() - ms <= 1000 * page.silentAfterS;

/** How the meter is, whatever the connection: "waiting", "silent", "live", or where no power comes "derived" if its
 * registers tell it, else "powerless". */
function meterState() {
  if (!page.latest || page.silentAfterS === null) return "waiting";
  if (!isCurrent(Date.parse(page.latest.ts))) return "silent";
  if (page.power && isCurrent(page.power.ms)) return "live";
  return page.derivedPowerW === null ? "powerless" : "derived";
}

/** What there is instead of power. */
const powerless = () => (page.power
  ? `No power since ${format.moment(page.power.ms, now())}; registers still come`
  : "This meter sends its registers only, no power");

function flowText(state, watts) {
  switch (state) {
    case "waiting": return "Waiting for a reading";
    case "silent": return `Silent since ${format.moment(Date.parse(page.latest.ts), now())}`;
    case "powerless": return powerless();
    default: return watts < 0 ? "Feeding into the grid" : watts > 0 ? "Taking from the grid" : "Nothing flows";
  }
}

function showPower() {
  const state = meterState();
  const watts = { live: page.power?.w, derived: page.derivedPowerW }[state] ?? null;
  const { value, unit } = format.power(watts);
  $("power-value").textContent = value;
  $("power-unit").textContent = unit;
  $("power").dataset.flow = watts === null ? "none" : watts < 0 ? "export" : "import";
  $("power").dataset.ts = page.power ? new Date(page.power.ms).toISOString() : "";
  $("power-flow").textContent = flowText(state, watts);
  $("power-flow").dataset.meter = state;
  const derived = state === "derived";
  $("power-note").hidden = !derived;
  $("power-note").textContent = derived ? `${powerless()}. This one is derived: the mean since the registers moved last.` : "";
  document.title = watts === null ? page.meter : `${derived ? "≈ " : ""}${value} ${unit} · ${page.meter}`;
  showStats();
}

function showStats() {
  const from = now() - powerChart.minutes * 60000;
  const seen = page.readings.filter((point) => point.ms >= from);
  const values = seen.map((point) => point.w);
  const text = (value) => (values.length ? format.powerText(value) : "–");
  $("power-min").textContent = text(Math.min(...values));
  $("power-mean").textContent = text(mean(seen));
  $("power-max").textContent = text(Math.max(...values));
  const range = values.length ? `, ${text(Math.min(...values))} to ${text(Math.max(...values))}` : ", no readings";
  $("power-canvas").setAttribute("aria-label", `Power over the last ${powerChart.minutes} minutes${range}. Arrow keys go through the readings.`);
}

/** Over time, not over readings: who sends more often while it runs would weigh more. */
function mean(points) {
  let sum = 0;
  let span = 0;
  for (let i = 1; i < points.length; i += 1) {
    const width = Math.min(points[i].ms - points[i - 1].ms, 60000);
    sum += points[i - 1].w * width;
    span += width;
  }
  return span ? sum / span : points.at(-1)?.w;
}

function showAge() {
  const ts = page.latest ? Date.parse(page.latest.ts) : null;
  const age = ts ? `${format.ago(now() - ts)} · ${format.moment(ts, now())}` : "";
  if ($("power-age").textContent !== age) $("power-age").textContent = age;
  if (page.meter && $("power-flow").dataset.meter !== meterState()) showPower();
}

function showMeasures() {
  const reading = page.latest ?? {};
  const rows = [
    ["Power", reading.powerW, format.powerText],
    ["Voltage", reading.voltageV, format.volts],
    ["Current", reading.currentA, format.amperes],
    ["Power factor", reading.powerFactor, format.factor],
    ["Frequency", reading.frequencyHz, format.hertz],
    ["State of charge", reading.socPct, (percent) => format.percent(percent / 100)],
    ["Import register", reading.energyImportWh, (wh) => `${format.register(wh)}\u00a0kWh`],
    ["Export register", reading.energyExportWh, (wh) => `${format.register(wh)}\u00a0kWh`],
    ...(reading.phases ?? []).map((phase, index) => [
      `Phase L${index + 1}`,
      phase,
      ({ powerW, voltageV, currentA }) => [
        powerW !== null && format.powerText(powerW), voltageV !== null && format.volts(voltageV), currentA !== null && format.amperes(currentA),
      ].filter(Boolean).join("  "),
    ]),
  ];
  $("measures").replaceChildren(...rows.filter(([, value]) => value !== undefined && value !== null).map(([name, value, text]) => {
    const row = document.createElement("div");
    const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    definition.textContent = text(value);
    row.append(term, definition);
    return row;
  }));
}

async function showEnergy() {
  const { meter, interval } = page;
  if (!meter) return;
  const today = new Date(now());
  const from = new Date(today.getFullYear(), today.getMonth(), today.getDate());
  const to = new Date(today.getFullYear(), today.getMonth(), today.getDate() + 1);
  try {
    const energy = await api.energy(meter, from, to, interval, ZONE);
    if (!energy || meter !== page.meter || interval !== page.interval) return;
    const whole = { import: energy.totalImport, export: energy.totalExport };
    $("energy-date").textContent = [format.date(from), note(whole, "so far today")].filter(Boolean).join(" · ");
    $("energy-import").textContent = format.kwh(energy.totalImport.energyWh);
    $("energy-export").textContent = format.kwh(energy.totalExport.energyWh);
    const width = interval === "HOUR" ? "hour" : "quarter-hour";
    $("energy-chart").setAttribute("aria-label", `Energy per ${width} of today: import ${format.kwh(energy.totalImport.energyWh)} kWh, export ${format.kwh(energy.totalExport.energyWh)} kWh. Arrow keys go through the bars.`);
    energyChart.show(energy.buckets);
    showTable(energy.buckets);
    $("energy-error").hidden = true;
  } catch (error) {
    $("energy-date").textContent = format.date(from);
    $("energy-error").hidden = false;
    $("energy-error").textContent = error.message;
  }
}

function showTable(buckets) {
  const begun = buckets.filter((bucket) => Date.parse(bucket.start) <= now());
  $("energy-table").tBodies[0].replaceChildren(...begun.map((bucket) => {
    const row = document.createElement("tr");
    const cells = [
      bucket.start.slice(11, 16), format.kwh(bucket.import.energyWh), format.kwh(bucket.export.energyWh),
      known(bucket), note(bucket, "so far"),
    ];
    cells.forEach((text) => { row.insertCell().textContent = text; });
    return row;
  }));
}

/** Asks what the server says of the meter, and again from time to time. */
async function learn() {
  learnIn(ENERGY_EVERY_MS);
  const { meter } = page;
  const told = await api.meter(meter, meterState() !== "live").catch(() => undefined);
  if (meter !== page.meter) return;
  Object.assign(page, told && { derivedPowerW: null, ...told });
  if (told === undefined) learnIn(STORED_MS);
  showPower();
}

/** Asks in so long at the latest. */
function learnIn(ms) {
  const { at, timer } = page.learning ?? {};
  if (at > Date.now() && at <= Date.now() + ms) return;
  clearTimeout(timer);
  page.learning = { at: Date.now() + ms, timer: setTimeout(learn, ms) };
}

/** The stream can't be had: the server's own words say why. */
function end(error) {
  const missing = error.extensions?.code === "NOT_FOUND";
  $("readings").hidden = true;
  clearTimeout(page.learning?.timer);
  document.title = "Wattline";
  say(missing ? "No such meter" : "No live readings", error.message);
  showState("lost", missing ? "No such meter" : "Stopped");
}

function showState(state, text, words = "") {
  $("state").title = words;
  if ($("state").dataset.state !== state) $("state").dataset.state = state;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  if (state === "refused") askToken(true);
}

// === choosing

function choose(id) {
  page.stream?.close();
  Object.assign(page, NOTHING, { meter: id });
  picker.set(id);
  $("empty").hidden = true;
  $("readings").hidden = false;
  showPower();
  showMeasures();
  energyChart.show([]);
  $("energy-error").hidden = true;
  page.stream = new LiveStream(id, onEvent, showState, end);
  learn();
  showEnergy();
}

/** Puts the meter into the address, so that Back leads to the one before. */
function visit(id, how = "pushState") {
  const url = new URL(location.href);
  url.searchParams.set("meter", id);
  history[how](null, "", url);
}

function askToken(wrong) {
  page.stream?.close();
  $("token-form").hidden = false;
  $("token-wrong").hidden = !wrong;
  $("readings").hidden = true;
  $("token").focus();
}

function say(title, text) {
  $("empty").hidden = false;
  $("empty-first").hidden = true;
  $("empty-title").textContent = title;
  $("empty-text").textContent = text;
}

/** Finds the first meter to show; waits for one where there is none. */
async function begin() {
  try {
    page.skewMs = (await api.serverTime()) - Date.now();
    const wanted = new URL(location.href).searchParams.get("meter");
    const { nodes } = await api.meters("");
    const first = wanted ?? nodes.find((meter) => meter.latest?.powerW !== null)?.id ?? nodes[0]?.id;
    if (first) {
      visit(first, "replaceState");
      return choose(first);
    }
    say("No meter yet", "The first one appears here with its first reading.");
    $("empty-first").hidden = false;
    showState("connecting", "Waiting");
  } catch (error) {
    if (error.code === "TOKEN") return askToken(api.token() !== null);
    say("No answer", error.message);
    showState("lost", "Reconnecting");
  }
  setTimeout(begin, 2000);
}

function press(group, button) {
  [...group.children].forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
}

$("power-window").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  press($("power-window"), button);
  powerChart.show(Number(button.dataset.minutes));
  showStats();
});
$("energy-interval").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  press($("energy-interval"), button);
  page.interval = button.dataset.interval;
  showEnergy();
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  api.setToken($("token").value.trim());
  $("token-form").hidden = true;
  begin();
});

addEventListener("popstate", () => {
  const meter = new URL(location.href).searchParams.get("meter");
  if (meter && meter !== page.meter) choose(meter);
});
setInterval(showAge, 500);
setInterval(showEnergy, ENERGY_EVERY_MS);
$("foot-zone").textContent = `Times in ${ZONE}`;
const about = await api.about().catch(() => ({}));
$("foot-version").textContent = about.version ? `Wattline ${about.version}` : "";
$("foot-graphiql").hidden = !about.graphiql;
if (about.token && !api.token()) askToken(false);
else begin();
