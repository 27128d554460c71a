// GraphQL over HTTP, with the token where the server wants one.

const TOKEN = "wattline.token";

export const token = () => sessionStorage.getItem(TOKEN);
export const setToken = (value) => sessionStorage.setItem(TOKEN, value);

export class ApiError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** The data of a query, or an ApiError with the server's own words. */
export async function query(text, variables = {}) {
  const headers = { "content-type": "application/json" };
  if (token()) headers.authorization = `Bearer ${token()}`;
  let body;
  try {
    const response = await fetch("/graphql", {
      method: "POST", headers, body: JSON.stringify({ query: text, variables }), signal: AbortSignal.timeout(15000),
    });
    body = await response.json();
  } catch {
    throw new ApiError("The server does not answer", "OFFLINE");
  }
  const error = body.errors?.[0];
  if (error) throw new ApiError(error.message, error.extensions?.code ?? "UNKNOWN");
  return body.data;
}

const READING = `ts powerW energyImportWh energyExportWh voltageV currentA powerFactor frequencyHz socPct
  phases { powerW voltageV currentA }`;
const ENERGY = "energyWh coverage running elapsedSeconds knownSeconds quality estimated complete";

export const LIVE = `subscription Live($meter: ID!, $recent: Int!, $after: String) {
  meterReadings(meterId: $meter, recent: $recent, after: $after) {
    __typename
    cursor
    ... on LiveSnapshot { readings { ${READING} } }
    ... on LiveReading { late merged reading { ${READING} } }
    ... on LiveLagged { lost lagReason }
    ... on LiveHistoryChanged { from to }
    ... on LiveHeartbeat { at upToDate }
    ... on LiveReset { resetReason }
  }
}`;

export const about = async () => (await fetch("/about.json")).json();

export const meters = (search) =>
  query("query Meters($search: String!) { meters(search: $search, first: 30) { nodes { id lastSeen silentAfterS latest { ts powerW } } pageInfo { hasNextPage } } }",
    { search }).then((data) => data.meters);

export const serverTime = () => query("{ serverTime }").then((data) => Date.parse(data.serverTime));

/** What the server says of a meter: how far apart its readings usually are and without one for how long it is silent, in
 * s; with `derive` the power that its registers tell. */
export const meter = (id, derive) =>
  query("query Meter($id: ID!, $derive: Boolean!) { meter(id: $id) { expectedS silentAfterS derivedPowerW @include(if: $derive) } }",
    { id, derive }).then((data) => data.meter);

export const recent = (meter, from) =>
  query(`query Recent($meter: ID!, $from: DateTime!) { meter(id: $meter) { readings(from: $from, last: 1000) { nodes { ${READING} } } } }`,
    { meter, from: new Date(from).toISOString() }).then((data) => data.meter?.readings.nodes ?? []);

export const energy = (meter, from, to, interval, timeZone) =>
  query(`query Energy($meter: ID!, $from: DateTime!, $to: DateTime!, $interval: EnergyInterval!, $timeZone: String!) {
    meter(id: $meter) { energy(from: $from, to: $to, interval: $interval, timeZone: $timeZone) {
      totalImport { ${ENERGY} } totalExport { ${ENERGY} }
      buckets { start end powerMaxW import { ${ENERGY} } export { ${ENERGY} } } } } }`,
  { meter, from: new Date(from).toISOString(), to: new Date(to).toISOString(), interval, timeZone })
    .then((data) => data.meter?.energy ?? null);
