// A smallest application on the unmodified official client: it joins, shows every remote video, and tells what it
// sees. The driver calls the functions of `window.party`; all of them return plain JSON.
import * as hms from "@100mslive/hms-video-store";

const connections = [];
const Native = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Native {
  constructor(...args) {
    super(...args);
    connections.push(this);
  }
};

const client = new hms.HMSReactiveStore();
client.triggerOnSubscribe();
const store = client.getStore();
const actions = client.getActions();
const errors = [];
const notifications = [];
const shown = new Map(); // track id -> { element, attached }

const plain = (value) => JSON.parse(JSON.stringify(value ?? null));
const wrong = (error) => `${error?.code ?? ""} ${error?.name ?? ""} ${error?.message ?? error} ${error?.description ?? ""}`.trim();

client.getNotifications().onNotification((notification) => {
  if (notification.type === "ERROR") errors.push(wrong(notification.data));
  notifications.push({ type: notification.type, data: notification.type === "ERROR" ? null : summary(notification) });
});

function summary({ type, data }) {
  if (type === "REMOVED_FROM_ROOM" || type === "ROOM_ENDED") {
    return plain({ reason: data?.reason, roomEnded: data?.roomEnded, by: data?.requestedBy?.name });
  }
  if (type === "NEW_MESSAGE") return plain({ message: data?.message, from: data?.senderName });
  if (type === "CHANGE_TRACK_STATE_REQUEST") return plain({ by: (data?.requester ?? data?.requestedBy)?.name, enabled: data?.enabled });
  if (type === "CHANGE_MULTI_TRACK_STATE_REQUEST") return plain({ by: data?.requestedBy?.name, enabled: data?.enabled });
  if (type === "TRACK_DEGRADED" || type === "TRACK_RESTORED") return plain({ track: data?.id });
  return null;
}

let shownSize = ["320px", "180px"];

function show(track) {
  const element = document.createElement("video");
  element.autoplay = element.muted = element.playsInline = true;
  [element.style.width, element.style.height] = shownSize;
  document.getElementById("videos").append(element);
  const entry = { element, attached: "waiting" };
  shown.set(track, entry);
  actions.attachVideo(track, element).then(
    () => (entry.attached = "resolved"),
    (error) => (entry.attached = `rejected: ${wrong(error)}`),
  );
}

store.subscribe((peers) => {
  const wanted = new Set();
  for (const peer of peers.filter((one) => !one.isLocal)) {
    for (const track of [peer.videoTrack, ...peer.auxiliaryTracks]) {
      if (track && hms.selectTrackByID(track)(store.getState())?.type === "video") wanted.add(track);
    }
  }
  for (const [track, { element }] of shown) {
    if (!wanted.has(track)) {
      element.remove();
      shown.delete(track);
    }
  }
  for (const track of wanted) if (!shown.has(track)) show(track);
}, hms.selectPeers);

function peerReport(peer) {
  const state = store.getState();
  const video = peer.videoTrack && shown.get(peer.videoTrack);
  return {
    id: peer.id,
    name: peer.name,
    role: peer.roleName,
    local: peer.isLocal,
    metadata: peer.metadata ?? "",
    hand: Boolean(peer.isHandRaised),
    groups: plain(peer.groups ?? []),
    auxiliary: plain(peer.auxiliaryTracks),
    quality: hms.selectConnectionQualityByPeerID(peer.id)(state)?.downlinkQuality ?? null,
    layers: peer.videoTrack ? plain(hms.selectTrackByID(peer.videoTrack)(state)?.layerDefinitions ?? []) : [],
    layer: peer.videoTrack ? (hms.selectTrackByID(peer.videoTrack)(state)?.layer ?? null) : null,
    degraded: peer.videoTrack ? Boolean(hms.selectTrackByID(peer.videoTrack)(state)?.degraded) : false,
    audio: peer.audioTrack ?? null,
    video: peer.videoTrack ?? null,
    audioOn: hms.selectIsPeerAudioEnabled(peer.id)(state),
    videoOn: hms.selectIsPeerVideoEnabled(peer.id)(state),
    shown: video
      ? {
          attached: video.attached,
          width: video.element.videoWidth,
          height: video.element.videoHeight,
          currentTime: video.element.currentTime,
        }
      : null,
  };
}

async function statistics() {
  const found = { inbound: [], outbound: [], channels: [] };
  for (const connection of connections) {
    if (connection.connectionState === "closed") continue;
    for (const one of (await connection.getStats()).values()) {
      if (one.type === "inbound-rtp") {
        const { kind, trackIdentifier, packetsReceived, framesDecoded, frameWidth } = one;
        const frames = framesDecoded ?? 0;
        found.inbound.push({ kind, track: trackIdentifier, packets: packetsReceived, frames, width: frameWidth ?? 0 });
      }
      if (one.type === "outbound-rtp" && one.kind === "video") {
        const { rid, framesSent, frameWidth, pliCount } = one;
        found.outbound.push({ rid: rid ?? "", frames: framesSent ?? 0, width: frameWidth ?? 0, plis: pliCount ?? 0 });
      }
      if (one.type === "data-channel") {
        const { label, state, messagesSent, messagesReceived } = one;
        found.channels.push({ label, state, sent: messagesSent, received: messagesReceived });
      }
    }
  }
  return found;
}

// An application's own answers: the session store does not show what is not looked at, so keys are named.
const watched = new Set();

window.party = {
  async join({ server, token, name, audio = true, video = true, metadata = "" }) {
    await actions.join(config({ server, token, name, audio, video, metadata }));
  },
  preview: ({ server, token, name, audio = true, video = true }) =>
    actions.preview(config({ server, token, name, audio, video, metadata: "" })),
  leave: () => actions.leave(),
  setAudio: ({ on }) => actions.setLocalAudioEnabled(on),
  setVideo: ({ on }) => actions.setLocalVideoEnabled(on),
  changeRole: ({ peer, role, force = true }) => actions.changeRoleOfPeer(peer, role, force),
  removePeer: ({ peer, reason }) => actions.removePeer(peer, reason),
  endRoom: ({ reason, lock = false }) => actions.endRoom(lock, reason),
  sendMessage: ({ text }) => actions.sendBroadcastMessage(text),
  // Any action of the client's, by its name.
  act: async ({ name, args = [] }) => plain(await actions[name](...args)),
  poll: async ({ name, args = [] }) => plain(await actions.interactivityCenter[name](...args)),
  whiteboard: async () => plain(await actions.interactivityCenter.whiteboard.open({ title: "board" })),
  async session({ name, args = [] }) {
    for (const key of name === "observe" ? [args[0]].flat() : []) watched.add(key);
    await actions.sessionStore[name](...args);
  },
  acceptRole: () => actions.acceptChangeRole(hms.selectRoleChangeRequest(store.getState())),
  rejectRole: () => actions.rejectChangeRole(hms.selectRoleChangeRequest(store.getState())),
  // A picture of its own, as a shared screen is one.
  async share({ source = "screen" }) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 360];
    const context = canvas.getContext("2d");
    setInterval(() => {
      context.fillStyle = `hsl(${Date.now() % 360} 80% 50%)`;
      context.fillRect(0, 0, 640, 360);
    }, 50);
    const [track] = canvas.captureStream(15).getVideoTracks();
    await actions.addTrack(track, source);
    return track.id;
  },
  // All remote videos are shown in this size from now on.
  size({ width, height }) {
    shownSize = [`${width}px`, `${height}px`];
    for (const { element } of shown.values()) [element.style.width, element.style.height] = shownSize;
  },
  // Videos are not shown any more, as on a page of tiles that was turned.
  async hide() {
    await Promise.all([...shown].map(([track, { element }]) => actions.detachVideo(track, element)));
  },
  async unhide() {
    await Promise.all([...shown].map(([track, { element }]) => actions.attachVideo(track, element)));
  },
  async pages({ limit, ...options }) {
    const iterator = actions.getPeerListIterator({ limit, ...options });
    const found = [];
    while (iterator.hasNext()) found.push((await iterator.next()).map((peer) => peer.name));
    return { pages: found, total: iterator.getTotal() };
  },
  // Milliseconds from `join` to the first frame of somebody else's video that is decoded.
  async firstFrame({ server, token, name }) {
    const began = performance.now();
    const joined = actions.join(config({ server, token, name, audio: false, video: false, metadata: "" }));
    const seen = new Promise((done) => {
      const look = () => {
        for (const { element } of shown.values()) {
          if (element.videoWidth) return element.requestVideoFrameCallback(() => done(performance.now() - began));
        }
        setTimeout(look, 2);
      };
      look();
    });
    await joined;
    const joinedAfter = performance.now() - began;
    return { joined: joinedAfter, frame: await seen };
  },
  async report() {
    const state = store.getState();
    const request = hms.selectRoleChangeRequest(state);
    return {
      room: state.room.roomState,
      peerCount: state.room.peerCount ?? null,
      large: hms.selectIsLargeRoom(state),
      speakers: Object.entries(state.speakers).filter(([, one]) => one.audioLevel > 0).map(([track]) => track),
      peers: hms.selectPeers(state).map(peerReport),
      messages: hms.selectHMSMessages(state).map((one) => ({
        text: one.message,
        type: one.type,
        from: one.senderName ?? "",
        to: one.recipientPeer ?? "",
        roles: plain(one.recipientRoles ?? []),
      })),
      roleRequest: request ? { role: request.role.name, by: request.requestedBy?.name ?? "" } : null,
      session: plain(Object.fromEntries([...watched].map((key) => [key, hms.selectSessionStore(key)(state)]))),
      polls: plain(state.polls),
      errors: [...errors],
      notifications: [...notifications],
      ...(await statistics()),
    };
  },
};

function config({ server, token, name, audio, video, metadata }) {
  // The client only takes an endpoint that contains "https://" (signal.md §0): the fragment satisfies it.
  const initEndpoint = server.startsWith("https://") ? server : `${server}/#https://callboard`;
  const settings = { isAudioMuted: !audio, isVideoMuted: !video };
  return { userName: name, authToken: token, initEndpoint, settings, metaData: metadata };
}
