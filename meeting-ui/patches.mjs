// What is changed in the published UI, and what must never be in our files. The client below it (hms-video-store) is
// taken as it is.
//
// Always holds: each change is found exactly as often as it says, or the build fails; so a new version of the package
// cannot slip through unchanged.

const changes = [
  {
    why: "its publisher's build environment, tokens included, was published with it",
    find: /^ +define_process_env_default = \{.*\};$/gm,
    replace: "    define_process_env_default = {};",
    times: 1,
  },
  {
    why: "pictures of emoji come from another host: the system's own are used",
    find: "@emoji-mart/data/sets/14/apple.json",
    replace: "@emoji-mart/data/sets/14/native.json",
    times: 2,
  },
  { why: "as above", find: 'set: "apple"', replace: 'set: "native"', times: 2 },
  {
    why: "the test sound is on its publisher's host",
    find: 'var TEST_AUDIO_URL = "https://100ms.live/test-audio.wav";',
    replace: 'import TEST_AUDIO_URL from "callboard:test-sound.wav";',
    times: 1,
  },
  {
    why: "the menu beside the share button has one more entry, Share PDF, which needs a viewer on another host",
    find: /\/\* @__PURE__ \*\/ React\d+\.createElement\(ShareScreenOptions, null\)/g,
    replace: "null",
    times: 1,
  },
  {
    why: "without that menu the share button has four corners",
    find: '  r: "$1",\n  borderTopRightRadius: 0,\n  borderBottomRightRadius: 0,\n  "@md": {\n    px: "$4",',
    replace: '  r: "$1",\n  "@md": {\n    px: "$4",',
    times: 1,
  },
  {
    why: "who runs this server is not reached there",
    find: /console\.warn\(\s+"If you think this is a mistake on our side[^)]+\);/g,
    replace: "",
    times: 1,
  },
];

const never = [
  "ACTIONS_ID_TOKEN",
  "NODE_AUTH_TOKEN",
  "GITHUB_WORKSPACE",
  "/home/runner",
  "fonts.googleapis.com",
];

/** The source with all changes made. Throws when one does not fit. */
export function patched(source) {
  return changes.reduce((text, { why, find, replace, times }) => {
    const parts = text.split(find);
    if (parts.length !== times + 1) {
      throw new Error(`found ${parts.length - 1} times instead of ${times}, to be changed because ${why}: ${find}`);
    }
    return parts.join(replace);
  }, source);
}

/** Those of the words that must not be in a file which are in it. */
export function leaks(content) {
  return never.filter((word) => content.includes(word));
}
