// Drives Chromium for the Python tests (driving.mjs says how the two talk).
//
//   {"id":1,"do":"open","page":"ann"}                    a new page, alone in its browser context
//   {"id":2,"do":"call","page":"ann","name":"join","args":{…}}   window.party.join({…}) in that page
//   {"id":3,"do":"offline","page":"ann","value":true}    its network gone, or back
//   {"id":4,"do":"close","page":"ann"}                   its tab closed; "crash": its process killed
//
// Events: {"event":"blocked"|"console"|"pageerror",…}.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { launch, obey, say } from "./driving.mjs";

const [executablePath, folder] = process.argv.slice(2);
const files = { "/": ["index.html", "text/html"], "/page.bundle.js": ["build/page.bundle.js", "text/javascript"] };
const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

const web = createServer(async (request, response) => {
  const [file, type] = files[request.url] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(await readFile(`${folder}/${file}`));
});
await new Promise((listening) => web.listen(0, "127.0.0.1", listening));
const address = `http://localhost:${web.address().port}/`;

const browser = await launch(executablePath);
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

obey(browser, commands);
