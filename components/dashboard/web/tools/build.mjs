// Bundles the page into a folder: index.html, app.js, app.css and icon.svg. The same sources and lock file give the same bytes.
//
//     node tools/build.mjs [FOLDER]      (dist, if no folder is given)
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const web = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** The licences of what is bundled ask for this. */
const NOTICE = "/*! eqmesh: Apache-2.0 WITH LLVM-exception. Holds Preact and @preact/signals (c) Jason Miller, Preact Team, and uPlot (c) Leon Sorokin, under the MIT licence: https://opensource.org/license/mit */\n";

/** @param {string} folder Where the four files are written; made if it is not there. */
export async function bundle(folder) {
  await mkdir(folder, { recursive: true });
  await build({
    absWorkingDir: web,
    entryPoints: { app: "src/main.tsx" },
    outdir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    charset: "utf8",
    logLevel: "warning",
  });
  // Two kilobytes less, compressed, than esbuild's own minification leaves.
  const script = join(folder, "app.js");
  const small = await minify(await readFile(script, "utf8"), { module: true, ecma: 2020, compress: { passes: 3, unsafe_arrows: true, pure_getters: true }, format: { comments: false } });
  await writeFile(script, NOTICE + small.code + "\n");
  for (const file of ["index.html", "icon.svg"]) {
    await copyFile(join(web, "src", file), join(folder, file));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await bundle(resolve(process.argv[2] ?? join(web, "dist")));
}
