// The suite in Chromium: `node suite/chromium.mjs BACKEND [PART-OF-AN-ID]`, for `suite/suite.wasm`.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../playground/package.json", import.meta.url))("playwright-core");
const ROOT = new URL("../../", import.meta.url);
const FILES = ["suite.wasm", "worker.mjs", "judge.mjs", "program.mjs", "wasi.mjs"].map((name) => `/web/suite/${name}`);
const TYPES = { wasm: "application/wasm", mjs: "text/javascript", js: "text/javascript" };

const [backend, part = ""] = process.argv.slice(2);
const expected = JSON.parse(await readFile(new URL("expected.json", import.meta.url), "utf8"))[`${backend}-chromium`];

const server = createServer(async ({ url }, response) => {
  if (url === "/web/suite/") return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
  if (![...FILES, "/backends/js/engine.js"].includes(url)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[url.split(".").pop()] });
  response.end(await readFile(new URL(`.${url}`, ROOT)));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" "),
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/web/suite/`);
  const result = await page.evaluate(
    (job) =>
      new Promise((resolve, reject) => {
        const worker = new Worker("worker.mjs", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(job);
      }),
    { backend, part, expected },
  );
  result.surprises.forEach((surprise) => console.error(surprise));
  console.log(`${backend} in Chromium: ${result.line}`);
  process.exitCode = result.surprises.length === 0 ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}
