// Builds the meeting page into src/callboard/meeting/static/: scripts, styles, fonts and pictures with a hash of their
// content in their names, index.html that names them, and a gzip of each text beside it.
//
// Always holds: the same packages give the same files, byte for byte; the folder is written as a whole or not at all;
// nothing of the publisher's build environment is in it, and a file that mentions it is an error (see patches.mjs).
import { chmod, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { licences } from "./licences.mjs";
import { leaks, patched } from "./patches.mjs";
import { testSound } from "./sound.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "../src/callboard/meeting/static");
const assets = "/meeting/static/";
const text = /\.(js|css|svg|txt|json)$/;

const changes = {
  name: "callboard-changes",
  setup(bundle) {
    bundle.onLoad({ filter: /roomkit-react\/dist\/index\.js$/ }, async ({ path }) => ({
      contents: patched(await readFile(path, "utf8")),
      loader: "js",
    }));
    bundle.onLoad({ filter: /fontsource-variable\/inter\/wght\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replaceAll("'Inter Variable'", "'Inter'"), // as the UI's theme names it
      loader: "css",
    }));
    bundle.onResolve({ filter: /^callboard:test-sound\.wav$/ }, ({ path }) => ({ path, namespace: "made" }));
    bundle.onLoad({ filter: /.*/, namespace: "made" }, () => ({ contents: testSound(), loader: "file" }));
  },
};

async function bundled(folder) {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { meeting: "src/meeting.js" },
    outdir: folder,
    bundle: true,
    format: "esm",
    target: ["es2020"],
    minify: true,
    legalComments: "none", // all licences are in licences.txt
    metafile: true,
    logLevel: "warning",
    publicPath: assets,
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".png": "file", ".svg": "file", ".woff2": "file" },
    define: { "process.env": "{}", "process.env.NODE_ENV": '"production"', global: "globalThis" },
    plugins: [changes],
  });
  return metafile;
}

function page(metafile) {
  const [script, output] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === "src/meeting.js");
  const address = (file) => assets + file.slice(file.lastIndexOf("/") + 1);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="dark">
<title>Callboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${address(output.cssBundle)}">
<script type="module" src="${address(script)}"></script>
<noscript>This page needs JavaScript.</noscript>
<div id="meeting"></div>
</html>
`;
}

async function written(folder) {
  const metafile = await bundled(folder);
  await writeFile(join(folder, "licences.txt"), await licences(here, Object.keys(metafile.inputs)));
  for (const name of (await readdir(folder)).sort()) {
    const content = await readFile(join(folder, name));
    for (const leak of leaks(content.toString("latin1"))) throw new Error(`${name} mentions ${leak}: it must not be served`);
    if (text.test(name)) await writeFile(join(folder, `${name}.gz`), gzipSync(content, { level: 9 }));
  }
  await writeFile(join(folder, "index.html"), page(metafile));
}

const made = await mkdtemp(`${target}.new-`);
try {
  await written(made);
  await chmod(made, 0o755); // mkdtemp's is for nobody else
  await rm(target, { recursive: true, force: true });
  await rename(made, target);
} finally {
  await rm(made, { recursive: true, force: true });
}
console.log(`Built: ${relative(process.cwd(), target)}`);
