import { defineConfig } from "vite";

/** Puts scripts and styles into the page: one file, which works from a disk. */
const onePage = {
  name: "one-page",
  enforce: "post",
  generateBundle(_options, bundle) {
    const page = bundle["index.html"];
    for (const [name, file] of Object.entries(bundle)) {
      if (file === page) continue;
      const content = file.type === "chunk" ? file.code : file.source;
      const inline = name.endsWith(".css")
        ? `<style>${content}</style>`
        : `<script type="module">${content.replaceAll("</script", "<\\/script")}</script>`;
      const tag = new RegExp(`<(script|link)[^>]*"[^"]*${name}"[^>]*>(</script>)?`);
      if (!tag.test(page.source)) throw new Error(`the page does not mention ${name}`);
      page.source = page.source.replace(tag, () => inline);
      delete bundle[name];
    }
  },
};

export default defineConfig({
  base: "./",
  build: { target: "es2022", assetsInlineLimit: () => true, cssCodeSplit: false, modulePreload: false, reportCompressedSize: false },
  worker: { format: "iife" },
  assetsInclude: ["**/*.wasm"],
  plugins: [onePage],
  logLevel: "warn",
});
