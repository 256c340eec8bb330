// A peer: graphile-worker (a named queue for each session, so in order; jobs fetched in batches) and undici.
//
// `node worker.mjs PORT LOG SECRET SECONDS RATE DATABASE BODY [CA]`: RATE 0 is as fast as it goes. Each event is
// committed with the change of its session's row and the job that delivers it in one transaction; the worker runs in
// the same process, and each attempt is logged. Prints one line of JSON.
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import pg from "pg";
import { Agent, request } from "undici";
import { run, runMigrations } from "graphile-worker";

const [port, log, secret, seconds, rate, database, bodyFile, ca] = process.argv.slice(2);
const SESSIONS = 256, PRODUCERS = 32, CONNECTIONS = 64, WARM_UP = 500, BEHIND = 512;
const body = readFileSync(bodyFile);
const key = Buffer.from(secret.replace("whsec_", ""), "base64");
const url = `${ca ? "https" : "http"}://localhost:${port}/hook`;
const pool = new pg.Pool({ connectionString: database, max: 16 });
pool.on("error", console.error);
pool.on("connect", (client) => client.on("error", console.error));
const dispatcher = new Agent({ connections: CONNECTIONS, connect: ca ? { ca: readFileSync(ca) } : {} });
const lines = [];
let committed = 0, delivered = 0, failed = 0, going = true;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const wallNanoseconds = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;

async function emit(session) {
  const client = await pool.connect();
  try {
    const id = randomUUID();
    await client.query("BEGIN");
    const { rows } = await client.query("UPDATE session SET seq = seq + 1 WHERE id = $1 RETURNING seq", [session]);
    const seq = Number(rows[0].seq);
    await client.query("INSERT INTO event (id, session, seq, body) VALUES ($1, $2, $3, $4)", [id, session, seq, body]);
    await client.query("SELECT graphile_worker.add_job('deliver', $1::json, queue_name := $2)", [
      JSON.stringify({ id, session, seq, body: body.toString() }), session]);
    await client.query("COMMIT");
    lines.push(`${session} ${seq} ${wallNanoseconds()}\n`);
    committed++;
  } finally {
    client.release();
  }
}

async function deliver(event) {
  const at = Date.now(), stamp = String(Math.floor(at / 1000));
  const signature = createHmac("sha256", key).update(`${event.id}.${stamp}.`).update(event.body).digest("base64");
  const response = await request(url, {
    method: "POST", dispatcher, body: event.body,
    headers: {
      "content-type": "application/json", "webhook-id": event.id, "webhook-timestamp": stamp,
      "webhook-signature": `v1,${signature}`, "callboard-stream": event.session, "callboard-seq": String(event.seq),
    },
  });
  await response.body.dump();
  await pool.query("INSERT INTO attempt (event, number, at, status, seconds) VALUES ($1, 1, $2, $3, $4)",
    [event.id, at / 1000, response.statusCode, (Date.now() - at) / 1000]);
  if (response.statusCode !== 200) { failed++; throw new Error(`status ${response.statusCode}`); }
  delivered++;
}

function usage(before) {
  const { user, system } = process.cpuUsage(before?.cpu);
  return before ? { wall: (performance.now() - before.at) / 1e3, cpu: (user + system) / 1e6 }
    : { at: performance.now(), cpu: process.cpuUsage() };
}

await pool.query(`CREATE TABLE session (id text PRIMARY KEY, seq bigint NOT NULL);
  CREATE TABLE event (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
    session text NOT NULL, seq bigint NOT NULL, body bytea NOT NULL);
  CREATE TABLE attempt (event text NOT NULL, number int NOT NULL, at double precision NOT NULL, status int NOT NULL,
    seconds double precision NOT NULL, PRIMARY KEY (event, number))`);
for (let n = 0; n < SESSIONS; n++) await pool.query("INSERT INTO session VALUES ($1, 0)", [`room${n}`]);
await runMigrations({ pgPool: pool });
const quiet = { debug() {}, info() {}, warn() {}, error: (message) => console.error(message) };
const { Logger } = await import("graphile-worker");
const runner = await run({
  pgPool: pool, noHandleSignals: true, logger: new Logger(() => (level, message) => quiet[level]?.(message)),
  taskList: { deliver },
  preset: { worker: { concurrentJobs: CONNECTIONS, maxPoolSize: 16, pollInterval: 1000, localQueue: { size: 128 } } },
});

let before, result;
if (Number(rate)) {
  const started = performance.now(), tasks = [];
  before = usage();
  console.log("measuring");
  for (let n = 0; n < Number(rate) * Number(seconds); n++) {
    const delay = started + (n / Number(rate)) * 1e3 - performance.now();
    if (delay > 0) await sleep(delay);
    tasks.push(emit(`room${n % SESSIONS}`));
  }
  await Promise.all(tasks);
  result = { count: tasks.length, ...usage(before) };
  console.log("measured");
} else {
  const producers = Array.from({ length: PRODUCERS }, async (_, number) => {
    for (let turn = number; going; turn = (turn + PRODUCERS) % SESSIONS) {
      while (going && committed - delivered > BEHIND) await sleep(2);
      if (going) await emit(`room${turn}`);
    }
  });
  await sleep(WARM_UP);
  before = usage();
  const had = delivered;
  console.log("measuring");
  await sleep(Number(seconds) * 1e3);
  result = { count: delivered - had, ...usage(before) };
  console.log("measured");
  going = false;
  await Promise.all(producers);
}
for (const end = Date.now() + 60_000; delivered < committed && Date.now() < end;) await sleep(10);
await runner.stop();
await pool.end();
writeFileSync(log, lines.join(""));
console.log(JSON.stringify({ ...result, failed }));
process.exit(0);
