// What the drivers have in common: Chromium as tests want it, and the talk with the Python side. One JSON object a line:
// commands on stdin, as {"id":1,"do":"open",…}; on stdout answers, {"id":1,"result":…} or {"id":1,"error":"…"}, and
// events, {"event":"ready"} first. When stdin ends, everything ends: no driver can outlive the one that started it.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

/** Chromium with fake devices and these flags. */
export const launch = (executablePath, flags = []) =>
  chromium.launch({
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
      ...flags,
      // No name but localhost can be looked up, so nothing outside can be reached, whoever tries.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    ],
  });

/** Obey `commands`, functions by name, until stdin ends or the browser does. */
export function obey(browser, commands) {
  async function carryOut(line) {
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
  lines.on("line", carryOut);
  lines.on("close", end);
  say({ event: "ready" });
}
