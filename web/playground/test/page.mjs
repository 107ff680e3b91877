// A browser with the page in it, opened from the disk: there is no server.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PAGE = new URL("../dist/index.html", import.meta.url);

/** Gives `use` a fresh page; `settings` as playwright takes them. */
export async function withPage(settings, use) {
  if (!existsSync(PAGE)) throw new Error("build the page first: npm run build");
  const directory = await mkdtemp(join(tmpdir(), "hotcell-playground-"));
  const args = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking";
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: CHROMIUM,
    headless: true,
    args: [...args.split(" "), "--disable-component-update", "--disable-sync"],
    offline: true,
    ...settings,
  });
  try {
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await open(page);
    await use(page);
    if (errors.length > 0) throw new Error(errors.join("\n"));
  } finally {
    await context.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Opens the page, with this fragment. */
export async function open(page, fragment = "") {
  await page.goto("about:blank");
  await page.goto(PAGE.href + fragment);
  await page.waitForSelector("body[data-ready]");
}

/** Runs what is on the page: the cells of each row, by its name. */
export async function run(page) {
  await page.click("#run");
  await page.waitForFunction(() => !/^Running|^Not run/.test(document.getElementById("status").textContent));
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll("#results tr[data-row]")].map((row) => [
        row.dataset.row,
        [...row.querySelectorAll("td")].map((cell) => cell.textContent),
      ]),
    ),
  );
}
