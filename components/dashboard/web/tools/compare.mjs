// The committed bundle is what the sources give, and everything together, compressed, is small enough.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle } from "./build.mjs";

const FILES = ["index.html", "app.js", "app.css", "icon.svg"];
/** Bytes of all files, each compressed by gzip. */
const BUDGET = 60_000;

const dist = resolve(dirname(fileURLToPath(import.meta.url)), "../dist");
const fresh = await mkdtemp(join(tmpdir(), "eqmesh-web-"));
let failed = false;
try {
  await bundle(fresh);
  let total = 0;
  for (const file of FILES) {
    const built = await readFile(join(fresh, file));
    const committed = await readFile(join(dist, file)).catch(() => null);
    const bytes = gzipSync(built, { level: 9 }).length;
    total += bytes;
    console.log(`${file}: ${built.length} bytes, ${bytes} compressed`);
    if (!committed?.equals(built)) {
      console.error(`dist/${file} is not what the sources give: run \`npm run build\` and commit it`);
      failed = true;
    }
  }
  console.log(`together: ${total} of ${BUDGET} bytes, compressed`);
  if (total > BUDGET) {
    console.error("the page is larger than its budget");
    failed = true;
  }
} finally {
  await rm(fresh, { recursive: true });
}
process.exitCode = failed ? 1 : 0;
