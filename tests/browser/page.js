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
  return null;
}

function show(track) {
  const element = document.createElement("video");
  element.autoplay = element.muted = element.playsInline = true;
  element.style.width = "320px";
  element.style.height = "180px";
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
  const found = { inbound: [], channels: [] };
  for (const connection of connections) {
    if (connection.connectionState === "closed") continue;
    for (const one of (await connection.getStats()).values()) {
      if (one.type === "inbound-rtp") {
        const { kind, trackIdentifier, packetsReceived, framesDecoded } = one;
        found.inbound.push({ kind, track: trackIdentifier, packets: packetsReceived, frames: framesDecoded ?? 0 });
      }
      if (one.type === "data-channel") {
        const { label, state, messagesSent, messagesReceived } = one;
        found.channels.push({ label, state, sent: messagesSent, received: messagesReceived });
      }
    }
  }
  return found;
}

window.party = {
  async join({ server, token, name, audio = true, video = true }) {
    // The client only takes an endpoint that contains "https://" (signal.md §0): the fragment satisfies it.
    const initEndpoint = server.startsWith("https://") ? server : `${server}/#https://callboard`;
    const settings = { isAudioMuted: !audio, isVideoMuted: !video };
    await actions.join({ userName: name, authToken: token, initEndpoint, settings });
  },
  leave: () => actions.leave(),
  setAudio: ({ on }) => actions.setLocalAudioEnabled(on),
  setVideo: ({ on }) => actions.setLocalVideoEnabled(on),
  changeRole: ({ peer, role, force = true }) => actions.changeRoleOfPeer(peer, role, force),
  removePeer: ({ peer, reason }) => actions.removePeer(peer, reason),
  endRoom: ({ reason, lock = false }) => actions.endRoom(lock, reason),
  sendMessage: ({ text }) => actions.sendBroadcastMessage(text),
  async report() {
    const state = store.getState();
    return {
      room: state.room.roomState,
      peers: hms.selectPeers(state).map(peerReport),
      errors: [...errors],
      notifications: [...notifications],
      ...(await statistics()),
    };
  },
};
