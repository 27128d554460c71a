// Power over the last minutes on a canvas. Straight lines between readings; where none came it is hatched.

import * as format from "./format.js";

const PAD = { top: 14, right: 16, bottom: 26, left: 68 };
/** The chart moves on by itself so often, while it is seen; a reader who points at it does not wait for that. */
const REDRAW_MS = 200;
const REDRAW_CALM_MS = 1000;
const TICKS_MS = [5, 10, 15, 30, 60, 120, 180, 300].map((seconds) => seconds * 1000);

export class PowerChart {
  /** `readings()` gives [{ms, w}] in order of time, or null before the first answer; `expectedMs()` how far apart they
   * usually are; `now()` the server's clock. */
  constructor(canvas, readings, expectedMs, now, onProbe) {
    Object.assign(this, { canvas, readings, expectedMs, now, onProbe, minutes: 5, probe: null, low: 0, high: 100 });
    this.context = canvas.getContext("2d");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    new IntersectionObserver(([entry]) => { this.inView = entry.isIntersecting; this.soon(); }).observe(canvas);
    new ResizeObserver(() => this.resize()).observe(canvas);
    addEventListener("themechange", () => this.colours());
    canvas.addEventListener("pointermove", (event) => this.pointAt(event.offsetX));
    canvas.addEventListener("pointerdown", (event) => this.pointAt(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.setProbe(null));
    canvas.addEventListener("blur", () => this.setProbe(null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.colours();
    this.later();
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    this.colour = { import: get("--import"), export: get("--export"), line: get("--line"), text: get("--muted"), strong: get("--text"), hatch: get("--hatch"), card: get("--card") };
    this.soon();
  }

  resize() {
    const scale = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * scale);
    this.canvas.height = Math.round(clientHeight * scale);
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    Object.assign(this, { width: clientWidth, height: clientHeight });
    this.soon();
  }

  show(minutes) {
    this.minutes = minutes;
    this.setProbe(null);
  }

  /** Draws with the next frame, once: the browser gives none while the page is hidden. */
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.inView && this.width > 0) this.draw();
    });
  }

  later() {
    if (this.inView && !document.hidden) this.soon();
    setTimeout(() => this.later(), this.calm.matches ? REDRAW_CALM_MS : REDRAW_MS);
  }

  /** The readings in view, and the last one before it, so that a line comes in from the left. */
  visible() {
    const all = this.readings() ?? [];
    const from = this.now() - this.minutes * 60000;
    let first = all.findIndex((reading) => reading.ms >= from);
    if (first < 0) first = all.length;
    return { all, from, seen: all.slice(Math.max(0, first - 1)) };
  }

  draw() {
    const to = this.now();
    const { all, from, seen } = this.visible();
    const inner = { w: this.width - PAD.left - PAD.right, h: this.height - PAD.top - PAD.bottom };
    this.scale(seen);
    this.x = (ms) => PAD.left + ((ms - from) / (to - from)) * inner.w;
    this.y = (w) => PAD.top + (1 - (w - this.low) / (this.high - this.low)) * inner.h;
    const c = this.context;
    c.clearRect(0, 0, this.width, this.height);
    this.axes(from, to, inner);
    c.save();
    c.beginPath();
    c.rect(PAD.left, 0, inner.w + PAD.right, this.height - PAD.bottom + 1);
    c.clip();
    const last = seen.at(-1);
    const longest = gapMs(all, this.expectedMs());
    const runs = split(seen, longest);
    for (let i = 1; i < runs.length; i += 1) this.gap(runs[i - 1].at(-1).ms, runs[i][0].ms, inner);
    if (this.readings() && !(to - last?.ms <= longest)) this.gap(last?.ms ?? from, to, inner);
    this.runs(runs, inner);
    if (last && last.ms >= from) this.lastPoint(last, to);
    c.restore();
    this.cross(inner);
  }

  /** Eases the axis to the range of what is seen, zero always in it. */
  scale(seen) {
    const values = seen.map((reading) => reading.w);
    const least = Math.min(0, ...values);
    const most = Math.max(0, ...values);
    const step = format.niceStep(Math.max(most - least, 50), 4);
    const low = Math.floor(least / step) * step;
    const high = Math.max(Math.ceil((most * 1.04) / step) * step, low + step);
    const ease = this.calm.matches || !this.scaled ? 1 : 0.5;
    const near = (from, to) => (Math.abs(to - from) < step / 100 ? to : from + (to - from) * ease);
    this.low = near(this.low, low);
    this.high = near(this.high, high);
    Object.assign(this, { step, scaled: seen.length > 0 });
  }

  axes(from, to, inner) {
    const c = this.context;
    c.font = "12px system-ui, sans-serif";
    c.lineWidth = 1;
    c.textAlign = "right";
    c.textBaseline = "middle";
    const label = format.powerAxis(this.step, Math.max(-this.low, this.high));
    for (let w = Math.ceil(this.low / this.step) * this.step; w <= this.high + 1e-6; w += this.step) {
      const y = Math.round(this.y(w)) + 0.5;
      c.strokeStyle = this.colour.line;
      c.globalAlpha = Math.abs(w) < 1e-6 ? 1 : 0.55;
      c.beginPath();
      c.moveTo(PAD.left, y);
      c.lineTo(PAD.left + inner.w, y);
      c.stroke();
      c.globalAlpha = 1;
      c.fillStyle = this.colour.text;
      c.fillText(label(w), PAD.left - 10, y);
    }
    const wide = inner.w / 84;
    const tick = TICKS_MS.find((ms) => (to - from) / ms <= wide) ?? TICKS_MS.at(-1);
    const text = tick < 60000 ? format.timeSeconds : format.time;
    c.textAlign = "center";
    for (let ms = Math.ceil(from / tick) * tick; ms <= to; ms += tick) {
      const x = this.x(ms);
      if (x > PAD.left + 20 && x < this.width - 24) c.fillText(text(ms), x, this.height - 9);
    }
  }

  /** Hatches a time in which nothing came. */
  gap(fromMs, toMs, inner) {
    const c = this.context;
    const left = Math.max(PAD.left, this.x(fromMs) + 3);
    const right = this.x(toMs) - 3;
    if (right - left < 4) return;
    c.save();
    c.beginPath();
    c.rect(left, PAD.top, right - left, inner.h);
    c.clip();
    c.strokeStyle = this.colour.hatch;
    c.beginPath();
    for (let x = Math.floor((left - inner.h) / 9) * 9; x < right; x += 9) {
      c.moveTo(x, PAD.top + inner.h);
      c.lineTo(x + inner.h, PAD.top);
    }
    c.stroke();
    if (right - left > 90) {
      c.font = "12px system-ui, sans-serif";
      c.textAlign = "center";
      c.fillStyle = this.colour.text;
      c.fillText("no data", (left + right) / 2, PAD.top + inner.h / 2);
    }
    c.restore();
  }

  runs(runs, inner) {
    const zero = this.y(0);
    const bottom = PAD.top + inner.h;
    this.side(runs, this.colour.import, [0, zero], zero, PAD.top);
    this.side(runs, this.colour.export, [zero, bottom], zero, bottom);
  }

  /** Draws what lies on one side of zero in its colour: the same line, clipped. */
  side(runs, colour, [top, bottom], zero, far) {
    const c = this.context;
    c.save();
    c.beginPath();
    c.rect(0, top - (top > 0 ? 0 : 4), this.width, bottom - top + 4);
    c.clip();
    const fill = c.createLinearGradient(0, far, 0, zero);
    // Colours are written #rrggbb, so that an alpha can be appended.
    fill.addColorStop(0, `${colour}58`);
    fill.addColorStop(1, `${colour}08`);
    Object.assign(c, { strokeStyle: colour, lineWidth: 2, lineJoin: "round", lineCap: "round" });
    for (const run of runs) {
      c.fillStyle = fill;
      const path = new Path2D();
      run.forEach((reading, index) => path[index ? "lineTo" : "moveTo"](this.x(reading.ms), this.y(reading.w)));
      const area = new Path2D(path);
      area.lineTo(this.x(run.at(-1).ms), zero);
      area.lineTo(this.x(run[0].ms), zero);
      area.closePath();
      c.fill(area);
      c.stroke(path);
      if (run.length === 1) this.dot(run[0], 2.5, colour);
    }
    c.restore();
  }

  dot(reading, radius, colour) {
    const c = this.context;
    c.fillStyle = colour;
    c.beginPath();
    c.arc(this.x(reading.ms), this.y(reading.w), radius, 0, 2 * Math.PI);
    c.fill();
  }

  /** The newest reading, with a ring that fades after it came. */
  lastPoint(last, to) {
    const colour = last.w < 0 ? this.colour.export : this.colour.import;
    // A meter's clock may run ahead.
    const age = Math.max(0, to - last.ms) / 1000;
    const c = this.context;
    if (!this.calm.matches && age < 1.2) {
      c.globalAlpha = 0.5 * (1 - age / 1.2);
      this.dot(last, 4 + age * 9, colour);
      c.globalAlpha = 1;
    }
    this.dot(last, 6, this.colour.card);
    this.dot(last, 4, colour);
  }

  cross(inner) {
    const reading = this.probe;
    if (!reading) return;
    const x = this.x(reading.ms);
    if (x < PAD.left) return this.setProbe(null);
    const c = this.context;
    Object.assign(c, { strokeStyle: this.colour.text, lineWidth: 1 });
    c.setLineDash([3, 3]);
    c.beginPath();
    c.moveTo(x, PAD.top);
    c.lineTo(x, PAD.top + inner.h);
    c.stroke();
    c.setLineDash([]);
    this.dot(reading, 6, this.colour.card);
    this.dot(reading, 4.5, this.colour.strong);
  }

  setProbe(reading) {
    this.probe = reading;
    this.soon();
    this.onProbe(reading ? `${format.timeSeconds(reading.ms)} · ${format.powerText(reading.w)}` : "");
  }

  pointAt(x) {
    const { from, seen } = this.visible();
    const inside = seen.filter((reading) => reading.ms >= from);
    if (!this.x || inside.length === 0) return;
    const near = inside.reduce((best, reading) => (Math.abs(this.x(reading.ms) - x) < Math.abs(this.x(best.ms) - x) ? reading : best));
    this.setProbe(near);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") return this.setProbe(null);
    if (!step) return;
    event.preventDefault();
    const { from, seen } = this.visible();
    const inside = seen.filter((reading) => reading.ms >= from);
    if (inside.length === 0) return;
    const at = this.probe ? inside.findIndex((reading) => reading.ms === this.probe.ms) : inside.length;
    this.setProbe(inside[Math.max(0, Math.min(inside.length - 1, at + step))]);
  }
}

/** What is longer than this is a gap: two and a half times the usual distance, and at least 3 s. What is usual the
 * readings say themselves, where there are enough of them. */
function gapMs(readings, expectedMs) {
  const distances = readings.slice(1).map((reading, index) => reading.ms - readings[index].ms).sort((a, b) => a - b);
  const usual = distances.length < 4 ? Math.max(distances[0] ?? 0, expectedMs) : distances[Math.floor(distances.length / 2)];
  return Math.max(3000, usual * 2.5);
}

/** Runs of readings without a gap between. */
function split(readings, longest) {
  const runs = [];
  readings.forEach((reading, index) => {
    if (index === 0 || reading.ms - readings[index - 1].ms > longest) runs.push([]);
    runs.at(-1).push(reading);
  });
  return runs;
}
