// Drives Chromium for the tests of the meeting page (../driving.mjs says how the two talk). As ../driver.mjs does; but here
// a page is used as a person does, by its buttons.
//
//   {"id":1,"do":"open","page":"ann","url":"http://…"}           a new page, alone in its browser context
//   {"id":2,"do":"click","page":"ann","selector":"…"}            waits until it can be clicked
//   {"id":3,"do":"fill","page":"ann","selector":"…","text":"…"}
//   {"id":4,"do":"hover","page":"ann","selector":"…"}
//   {"id":5,"do":"press","page":"ann","selector":"…","key":"Enter"}
//   {"id":6,"do":"look","page":"ann"}                            what the page shows, see `look`
//   {"id":7,"do":"screenshot","page":"ann","path":"…"}
//   {"id":8,"do":"close","page":"ann"}
//
// Events: {"event":"request",…} for everything that a page asks of anybody; what its policy has blocked before is an
// error in its "console"; "pageerror".
import { launch, obey, say } from "../driving.mjs";

const [executablePath, ...flags] = process.argv.slice(2);
const WAIT = 30_000; // ms

const browser = await launch(executablePath, flags);
const pages = new Map();

/** In the page: what somebody sees who looks at it. */
function look() {
  const seen = (element) => element.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  const videos = all("video").map((video) => ({
    peer: video.closest("[data-testid^=participant_tile_]")?.dataset.testid.slice("participant_tile_".length) ?? "",
    width: video.videoWidth,
    time: video.currentTime,
  }));
  return {
    path: location.pathname,
    text: document.body.innerText,
    things: [...new Set(all("[data-testid]").map((element) => element.dataset.testid))],
    messages: all("[data-testid=chat_msg]").map((element) => element.innerText),
    tiles: all("[data-testid^=participant_tile_]").map((tile) => ({
      peer: tile.dataset.testid.slice("participant_tile_".length),
      muted: tile.querySelector("[data-testid=participant_audio_mute_icon]") !== null,
      hand: tile.querySelector("[data-testid=raiseHand_icon_onTile]") !== null,
      camera: tile.querySelector("[data-testid=participant_avatar_icon]") === null,
    })),
    videos,
  };
}

const commands = {
  async open({ page: name, url }) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT);
    context.on("request", (request) => say({ event: "request", page: name, url: request.url() }));
    page.on("websocket", (socket) => say({ event: "request", page: name, url: socket.url() }));
    page.on("console", (message) =>
      say({ event: "console", page: name, kind: message.type(), text: message.text().slice(0, 2000) }),
    );
    page.on("pageerror", (error) => say({ event: "pageerror", page: name, text: String(error) }));
    await page.goto(url);
    pages.set(name, page);
  },
  click: ({ page, selector }) => pages.get(page).click(selector),
  fill: ({ page, selector, text }) => pages.get(page).fill(selector, text),
  hover: ({ page, selector }) => pages.get(page).hover(selector),
  press: ({ page, selector, key }) => pages.get(page).press(selector, key),
  look: ({ page }) => pages.get(page).evaluate(look),
  async screenshot({ page, path }) {
    await pages.get(page).screenshot({ path });
  },
  async close({ page }) {
    await pages.get(page).context().close();
    pages.delete(page);
  },
};

obey(browser, commands);
