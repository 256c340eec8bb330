// Calls the official server SDK for a test: one JSON object a line, answers likewise. Ends when its input does.
// { id, path: ["rooms", "create"], args: [...] } → { id, result } or { id, error }. What can be iterated is, to the end.
import { createInterface } from "node:readline";
import sdk from "@100mslive/server-sdk";

const [base, accessKey, secret] = process.argv.slice(2);
const hms = new sdk.SDK(accessKey, secret);
hms.setLogLevel("silent"); // it would write to where our answers go
hms.api.axios.defaults.baseURL = base;

// All that the SDK offers, so that the test can say that it tried it all.
function methods() {
  const found = {};
  for (const [name, wrapper] of Object.entries(hms)) {
    const own = Object.getOwnPropertyNames(Object.getPrototypeOf(wrapper));
    found[name] = own.filter((one) => one !== "constructor");
  }
  return found;
}

async function called([group, method], args) {
  if (group === "methods") return methods();
  const answer = hms[group][method](...args);
  if (!answer?.[Symbol.asyncIterator]) return (await answer) ?? null;
  const all = [];
  for await (const one of answer) all.push(one);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, path, args } = JSON.parse(line);
  let answer;
  try {
    answer = { id, result: await called(path, args) };
  } catch (error) {
    answer = { id, error: { code: error.code, name: error.name, message: error.message } };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
