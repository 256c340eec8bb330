// The licences of the packages that are in the bundle: most of them ask to be passed on with it.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

const named = /^(licen[cs]e|copying|notice)/i;

/** One text with every package's name, version, licence and its own licence file. `inputs` as in esbuild's metafile. */
export async function licences(root, inputs) {
  const folders = inputs.map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean);
  const texts = await Promise.all([...new Set(folders)].sort().map((folder) => licence(join(root, folder))));
  return [...new Set(texts)].join(`\n${"-".repeat(78)}\n`);
}

async function licence(folder) {
  const { name, version, license, author } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => named.test(file) && !file.endsWith(".js")).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  const by = typeof author === "string" ? author : author?.name;
  return [`${name} ${version} (${license ?? "see below"})${by ? `, by ${by}` : ""}`, ...texts].join("\n\n") + "\n";
}
