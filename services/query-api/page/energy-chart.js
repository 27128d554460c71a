// Today's energy as bars: import up, export down. What is not known is hatched, what is to come is empty.

import * as format from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const PAD = { top: 26, right: 20, bottom: 24, left: 46 };
/** What is missing of a running bucket may only not be computed yet: that is done about once a minute. */
const COMPUTED_S = 120;

export class EnergyChart {
  constructor(holder, now, onProbe) {
    Object.assign(this, { holder, now, onProbe, buckets: [], probe: -1 });
    new ResizeObserver(() => this.draw()).observe(holder);
    holder.addEventListener("pointermove", (event) => this.pointAt(event));
    holder.addEventListener("pointerdown", (event) => this.pointAt(event));
    holder.addEventListener("pointerleave", () => this.setProbe(-1));
    holder.addEventListener("blur", () => this.setProbe(-1));
    holder.addEventListener("keydown", (event) => this.key(event));
  }

  show(buckets) {
    if (buckets.length !== this.buckets.length) this.probe = -1;
    this.buckets = buckets;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (!width || !this.buckets.length) return this.holder.replaceChildren();
    const inner = { w: width - PAD.left - PAD.right, h: height - PAD.top - PAD.bottom };
    const up = Math.max(...this.buckets.map((bucket) => bucket.import.energyWh ?? 0), 0);
    const down = Math.max(...this.buckets.map((bucket) => bucket.export.energyWh ?? 0), 0);
    const step = format.niceStep(Math.max(up + down, 100) / 1000, 3) * 1000;
    const high = Math.max(step, Math.ceil((up * 1.02) / step) * step);
    const low = down > 0 ? -Math.ceil((down * 1.02) / step) * step : 0;
    const y = (wh) => PAD.top + (1 - (wh - low) / (high - low)) * inner.h;
    const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    svg.append(hatches());
    for (let wh = low; wh <= high + 1e-6; wh += step) {
      const at = Math.round(y(wh)) + 0.5;
      svg.append(element("line", { x1: PAD.left, x2: width - PAD.right, y1: at, y2: at, class: Math.abs(wh) < 1e-6 ? "zero" : "grid" }));
      svg.append(element("text", { x: PAD.left - 9, y: at + 4, class: "tick end" }, Math.abs(wh) < 1e-6 ? "0" : tickText(Math.abs(wh), step)));
    }
    svg.append(element("text", { x: PAD.left - 9, y: 12, class: "tick end" }, "kWh"));
    const slot = inner.w / this.buckets.length;
    const gap = slot > 16 ? 4 : slot > 6 ? 2 : 0.6;
    const every = [1, 2, 3, 6, 12].find((hours) => (inner.w / 24) * hours >= 44) ?? 12;
    this.buckets.forEach((bucket, index) => {
      const x = PAD.left + index * slot;
      svg.append(this.bar(bucket, index, { x: x + gap / 2, width: slot - gap, zero: y(0), y, inner }));
      const [hour, minute] = bucket.start.slice(11, 16).split(":").map(Number);
      if (minute === 0 && hour % every === 0) {
        svg.append(element("text", { x, y: height - 6, class: "tick middle" }, bucket.start.slice(11, 16)));
      }
    });
    this.holder.replaceChildren(svg);
  }

  bar(bucket, index, { x, width, zero, y, inner }) {
    const now = this.now();
    const current = Date.parse(bucket.start) <= now && now < Date.parse(bucket.end);
    const group = element("g", { class: `bucket${current ? " current" : ""}${index === this.probe ? " probe" : ""}` });
    if (index === this.probe || current) group.append(element("rect", { x, width, y: PAD.top, height: inner.h, class: "back" }));
    const unknown = bucket.import.energyWh === null && bucket.export.energyWh === null;
    if (unknown && lacks(bucket)) group.append(element("rect", { x, width, y: zero - 10, height: 10, class: "unknown" }));
    for (const [way, sign] of [["import", 1], ["export", -1]]) {
      const { energyWh, estimated } = bucket[way];
      if (!energyWh) continue;
      const end = y(sign * energyWh);
      const height = Math.max(1, Math.abs(end - zero));
      group.append(element("rect", {
        x, width, y: sign > 0 ? zero - height : zero, height, rx: Math.min(3, width / 4),
        class: `${way}${estimated ? " estimated" : ""}`,
      }));
    }
    return group;
  }

  setProbe(index) {
    if (index === this.probe) return;
    this.probe = index;
    this.draw();
    const bucket = this.buckets[index];
    this.onProbe(bucket ? describe(bucket, this.now()) : "");
  }

  pointAt(event) {
    const box = this.holder.getBoundingClientRect();
    const share = (event.clientX - box.left - PAD.left) / (box.width - PAD.left - PAD.right);
    const index = Math.floor(share * this.buckets.length);
    this.setProbe(index >= 0 && index < this.buckets.length ? index : -1);
  }

  /** The last bucket that has begun. */
  newest() {
    return this.buckets.findLastIndex((bucket) => Date.parse(bucket.start) <= this.now());
  }

  key(event) {
    const last = this.buckets.length - 1;
    const to = {
      ArrowLeft: this.probe < 0 ? this.newest() : Math.max(0, this.probe - 1), ArrowRight: Math.min(last, this.probe + 1),
      Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.setProbe(to);
  }
}

/** Of both directions the one that is known better: many a meter has one register only. */
const better = ({ import: taken, export: given }) => (given.knownSeconds > taken.knownSeconds ? given : taken);

/** Whether a part of what has elapsed is not known. */
function lacks(directions) {
  const { complete, elapsedSeconds, knownSeconds, running } = better(directions);
  return !complete && (!running || elapsedSeconds - knownSeconds > COMPUTED_S);
}

/** The known share of what has elapsed. */
export const known = (directions) => {
  const { coverage } = better(directions);
  return coverage === null ? "–" : format.percent(coverage);
};

/** One bucket in words. */
export function describe(bucket, now) {
  const when = `${bucket.start.slice(11, 16)}–${bucket.end.slice(11, 16)}`;
  if (Date.parse(bucket.start) > now) return `${when} · to come`;
  if (bucket.import.energyWh === null && bucket.export.energyWh === null) return `${when} · ${lacks(bucket) ? "no data" : "just begun"}`;
  const parts = [`${format.kwh(bucket.import.energyWh)} kWh in`];
  if (bucket.export.energyWh) parts.push(`${format.kwh(bucket.export.energyWh)} kWh out`);
  return [when, ...parts, note(bucket, "so far")].filter(Boolean).join(" · ");
}

/** What the reader should know of an energy in both directions; `soFar` is the word for one that is still running. */
export function note(directions, soFar) {
  return [
    directions.import.running && soFar,
    (directions.import.estimated || directions.export.estimated) && "estimated",
    lacks(directions) && `${known(directions)} known`,
  ].filter(Boolean).join(" · ");
}

function tickText(wh, step) {
  const digits = step >= 1000 ? 0 : step >= 100 ? 1 : 2;
  return (wh / 1000).toFixed(digits);
}

function hatches() {
  const defs = element("defs");
  for (const kind of ["unknown", "import", "export"]) {
    const pattern = element("pattern", { id: `hatch-${kind}`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    pattern.append(element("rect", { width: 6, height: 6, class: `hatch-back ${kind}` }), element("line", { y2: 6, class: `hatch ${kind}` }));
    defs.append(pattern);
  }
  return defs;
}

function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text) made.textContent = text;
  return made;
}
