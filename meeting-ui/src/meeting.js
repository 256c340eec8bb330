// The page: the official Prebuilt UI for the room code in the address, with this server behind all its endpoints.
//
//   /meeting/<room code>                     asks for a name and devices, then joins
//   /meeting/<room code>?name=Ann            the name filled in
//   /meeting/<room code>?skip_preview=true   joins at once
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { HMSLogLevel } from "@100mslive/react-sdk";
import { HMSPrebuilt } from "@100mslive/roomkit-react";
import "@fontsource-variable/inter/wght.css";
import "./meeting.css";

const { origin, pathname, search } = window.location;
const asked = new URLSearchParams(search);

const properties = {
  roomCode: pathname.split("/")[2],
  options: {
    userName: asked.get("name") ?? "",
    endpoints: {
      init: `${origin}/#https://callboard`, // the client wants "https://" somewhere in it; a fragment is not sent
      tokenByRoomCode: `${origin}/v2/token`,
      roomLayout: `${origin}/v2/layouts/ui`,
      event: origin,
    },
  },
};
if (asked.get("skip_preview") === "true") properties.screens = { preview: { skip_preview_screen: true } };

// The client writes every step to the console, its token among them: only warnings are left.
const quiet = {
  set current(parts) {
    parts?.hmsActions.setLogLevel(HMSLogLevel.WARN);
  },
};

createRoot(document.getElementById("meeting")).render(createElement(HMSPrebuilt, { ...properties, ref: quiet }));
