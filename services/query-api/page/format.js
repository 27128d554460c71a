// Numbers with their units, dates and times: all in the page's language, whatever the browser's is.

const LANGUAGE = "en-GB";
const number = (digits, grouping = true) => {
  const format = new Intl.NumberFormat(LANGUAGE, {
    minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: grouping,
  });
  // A true minus, as wide as a plus; and no "-0".
  return (value) => format.format(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).replace("-", "\u2212");
};
const [whole, tenths, hundredths, thousandths] = [number(0), number(1), number(2), number(3)];

/** Power as a number and a unit: W up to 10 kW, kW from there on. */
export function power(watts) {
  if (watts === null || watts === undefined) return { value: "–", unit: "W" };
  const size = Math.abs(watts);
  if (size >= 10000) return { value: hundredths(watts / 1000), unit: "kW" };
  return { value: size < 10 ? tenths(watts) : whole(watts), unit: "W" };
}

/** Power as one text. */
export function powerText(watts) {
  const { value, unit } = power(watts);
  return `${value}\u00a0${unit}`;
}

/** The labels of an axis of power: one unit and as many decimals as its step needs, up to `most` at either end. */
export function powerAxis(step, most) {
  const [unit, scale] = most >= 10000 ? ["kW", 1000] : ["W", 1];
  const digits = Math.max(0, -Math.floor(Math.log10(step / scale) + 1e-9));
  const text = number(digits);
  return (watts) => `${Math.abs(watts) < step / 2 ? "0" : text(watts / scale)}\u00a0${unit}`;
}

/** Energy in kWh, without the unit. */
export function kwh(wattHours) {
  if (wattHours === null || wattHours === undefined) return "–";
  const value = wattHours / 1000;
  const size = Math.abs(value);
  if (size >= 1000) return whole(value);
  return size >= 100 ? tenths(value) : size >= 1 || size === 0 ? hundredths(value) : thousandths(value);
}

/** A register in kWh, as a meter shows it. */
export const register = (wattHours) => thousandths(wattHours / 1000);

export const volts = (value) => `${tenths(value)}\u00a0V`;
export const amperes = (value) => `${hundredths(value)}\u00a0A`;
export const hertz = (value) => `${hundredths(value)}\u00a0Hz`;
export const factor = (value) => hundredths(value);
export const percent = (share) => `${whole(share * 100)}\u00a0%`;

const moments = (parts) => new Intl.DateTimeFormat(LANGUAGE, parts);
const clock = moments({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockSeconds = moments({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const weekday = moments({ weekday: "long" });
const dayOfMonth = moments({ day: "numeric", month: "long" });

export const time = (ms) => clock.format(ms);
export const timeSeconds = (ms) => clockSeconds.format(ms);
export const date = (ms) => `${weekday.format(ms)} ${dayOfMonth.format(ms)}`;

/** An instant as a reader needs it now: with its day, unless that is today. */
export function moment(ms, now) {
  const today = new Date(ms).toDateString() === new Date(now).toDateString();
  return today ? timeSeconds(ms) : `${date(ms)}, ${clock.format(ms)}`;
}

/** How long ago, in words that change seldom. */
export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 100) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}

/** The step of an axis: 1, 2 or 5 times a power of ten. */
export function niceStep(range, steps) {
  const rough = range / Math.max(1, steps);
  const power = 10 ** Math.floor(Math.log10(rough));
  const mantissa = rough / power;
  return (mantissa > 5 ? 10 : mantissa > 2 ? 5 : mantissa > 1 ? 2 : 1) * power;
}
