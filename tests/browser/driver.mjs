// Drives Chromium for the Python tests. One JSON object a line: commands on stdin, answers and events on stdout.
//
//   {"id":1,"do":"open","page":"ann"}                    a new page, alone in its browser context
//   {"id":2,"do":"call","page":"ann","name":"join","args":{…}}   window.party.join({…}) in that page
//   {"id":3,"do":"offline","page":"ann","value":true}    its network gone, or back
//   {"id":4,"do":"close","page":"ann"}                   its tab closed; "crash": its process killed
//
// Answers: {"id":1,"result":…} or {"id":1,"error":"…"}. Events: {"event":"blocked"|"console"|"pageerror",…}.
// When stdin ends, everything ends: this process cannot outlive the one that started it.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, folder] = process.argv.slice(2);
const files = { "/": ["index.html", "text/html"], "/page.bundle.js": ["build/page.bundle.js", "text/javascript"] };
const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

const web = createServer(async (request, response) => {
  const [file, type] = files[request.url] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(await readFile(`${folder}/${file}`));
});
await new Promise((listening) => web.listen(0, "127.0.0.1", listening));
const address = `http://localhost:${web.address().port}/`;

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    // No name but localhost can be looked up, so nothing outside can be reached, whoever tries.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
  ],
});

const pages = new Map();

const commands = {
  async open({ page: name }) {
    const context = await browser.newContext();
    // The client's analytics host is hard-coded (signal.md §8.2): it is refused here, and told.
    await context.route("**/*", (route) => {
      const url = new URL(route.request().url());
      if (loopback.has(url.hostname)) return route.continue();
      say({ event: "blocked", page: name, url: url.origin + url.pathname });
      return route.abort();
    });
    const page = await context.newPage();
    page.on("console", (message) => say({ event: "console", page: name, text: message.text().slice(0, 2000) }));
    page.on("pageerror", (error) => say({ event: "pageerror", page: name, text: String(error) }));
    await page.goto(address);
    pages.set(name, page);
  },
  call: ({ page, name, args }) =>
    pages.get(page).evaluate(([fn, given]) => window.party[fn](given), [name, args ?? {}]),
  offline: ({ page, value }) => pages.get(page).context().setOffline(value),
  // Its process ends at once; the navigation never does.
  async crash({ page }) {
    const gone = new Promise((done) => pages.get(page).once("crash", done));
    pages.get(page).goto("chrome://crash").catch(() => {});
    await gone;
  },
  async close({ page }) {
    await pages.get(page).context().close();
    pages.delete(page);
  },
};

async function obey(line) {
  const command = JSON.parse(line);
  try {
    const result = await commands[command.do](command);
    say({ id: command.id, result: result ?? null });
  } catch (error) {
    say({ id: command.id, error: String(error.message ?? error) });
  }
}

async function end() {
  await browser.close();
  process.exit(0);
}

process.on("SIGTERM", end);
browser.on("disconnected", () => process.exit(1));
const lines = createInterface({ input: process.stdin });
lines.on("line", obey);
lines.on("close", end);
say({ event: "ready" });
