import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { open, run, withPage } from "./page.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const pictures = process.env.PICTURES ?? null;

/** Verdicts of the examples, on each engine. */
const VERDICTS = {
  Echo: "ok",
  "Endless loop": "out-of-fuel",
  "Endless recursion": "stack-overflow",
  "Memory bomb": "out-of-fuel",
  "Lying allocator": "bad-alloc",
  "Denied import": "import-denied",
  "Denied proposal": "proposal-denied",
  Markdown: "ok",
  "Word count": "ok",
};

test("each example has its verdict, and the same numbers on both engines", async () => {
  await withPage({}, async (page) => {
    const names = await page.$$eval("#example option", (options) => options.map((option) => option.textContent));
    assert.deepEqual(names, Object.keys(VERDICTS));
    for (const name of names) {
      await page.selectOption("#example", name);
      if (["Markdown", "Word count"].includes(name)) await page.waitForSelector("#binary:not([hidden])");
      const rows = await run(page);
      const expected = VERDICTS[name];
      assert.deepEqual(rows.verdict, [expected, expected], `${name}: ${JSON.stringify(rows)}`);
      for (const row of ["fuel", "peak memory", "refused growths", "reply", "byte"]) {
        assert.equal(rows[row]?.[0], rows[row]?.[1], `${name}: ${row}`);
      }
      console.log(`${name}: ${rows.verdict[0]}, ${rows.fuel?.[0] ?? "no"} fuel on both`);
    }
  });
});

test("what is refused has a line, and so has text that does not assemble", async () => {
  await withPage({}, async (page) => {
    const marked = () => page.$$eval("#gutter .marked", (lines) => lines.map((line) => line.textContent.trim()));
    await page.selectOption("#example", "Denied proposal");
    await run(page);
    const text = (await page.inputValue("#text")).split("\n");
    const [line] = await marked();
    const shown = await page.$eval("#gutter", ({ clientHeight }) => clientHeight);
    assert.ok(shown > 100, `the numbers of the lines are cut off at ${shown}`);
    assert.match(text[line - 1], /i32x4/);
    await page.fill("#text", "(module\n  (func nonsense))");
    await run(page);
    assert.deepEqual(await marked(), ["2"]);
    assert.match(await page.textContent("#status"), /^text: /);
  });
});

test("a hostile guest freezes nothing, and can be stopped", async () => {
  await withPage({}, async (page) => {
    await page.selectOption("#example", "Endless loop");
    await page.fill("#policy", 'preset = "strict"\nunbounded = true\n[limits]\nfuel = "unlimited"\ndeadline = "none"\nstack_bytes = "64KiB"');
    await page.click("#run");
    await page.waitForSelector("#stop:enabled");
    // The page answers while the guest runs.
    await page.fill("#input", "still here");
    assert.equal(await page.inputValue("#input"), "still here");
    await page.click("#stop");
    assert.equal(await page.textContent("#status"), "Stopped.");
    await page.selectOption("#example", "Echo");
    assert.deepEqual((await run(page)).verdict, ["ok", "ok"]);
  });
});

test("a link holds everything, and a strange one harms nothing", async () => {
  await withPage({}, async (page) => {
    await page.selectOption("#example", "Echo");
    await page.fill("#input", "<b>shared</b>");
    await page.click("#share");
    await page.waitForFunction(() => location.hash.length > 1);
    const fragment = await page.evaluate(() => location.hash);
    await open(page, fragment);
    assert.deepEqual((await run(page)).reply, ["<b>shared</b>", "<b>shared</b>"]);
    assert.equal(await page.$("#results b"), null);
    await open(page, "#%%%");
    assert.match(await page.textContent("#status"), /cannot be read/);
  });
});

test("a dropped file is opened", async () => {
  await withPage({}, async (page) => {
    await page.setInputFiles("#file", fileURLToPath(new URL("../../../guests/wordcount.wasm", import.meta.url)));
    await page.waitForSelector("#binary:not([hidden])");
    assert.match(await page.textContent("#binary"), /wordcount\.wasm: a binary module of/);
  });
});

test("it works by keyboard alone", async () => {
  await withPage({}, async (page) => {
    await page.focus("#input");
    await page.keyboard.type("!");
    await page.keyboard.press("Control+Enter");
    await page.waitForSelector("#results table");
    const reached = new Set();
    await page.focus("#example");
    for (let presses = 0; presses < 9; presses++) {
      reached.add(await page.evaluate(() => document.activeElement.id));
      await page.keyboard.press("Tab");
    }
    for (const id of ["example", "file", "text", "entry", "policy", "input", "run", "share"]) assert.ok(reached.has(id), id);
  });
});

for (const colorScheme of ["light", "dark"]) {
  for (const [device, viewport] of [["desk", { width: 1280, height: 900 }], ["phone", { width: 360, height: 740 }]]) {
    test(`it is accessible: ${colorScheme}, ${device}`, async () => {
      await withPage({ colorScheme, viewport }, async (page) => {
        await page.selectOption("#example", "Endless loop");
        await run(page);
        await page.addScriptTag({ path: AXE });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `the page is ${width} wide`);
        if (pictures) await page.screenshot({ path: `${pictures}/${device}-${colorScheme}.png`, fullPage: true });
      });
    });
  }
}
