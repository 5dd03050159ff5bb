// node pages.mjs DECK…   prints {deck: {html, css, notes}} as JSON, without a browser: for tests.
import { readFileSync } from "node:fs";
import { Marp } from "@marp-team/marp-core";
import { options, prepare } from "./marp.config.mjs";

const theme = readFileSync(new URL("./theme/jimoto.css", import.meta.url), "utf8");
const pages = {};
for (const path of process.argv.slice(2)) {
  const marp = prepare(new Marp({ ...options, inlineSVG: false, script: false }));
  marp.themeSet.add(theme);
  const { html, css, comments } = marp.render(readFileSync(path, "utf8"));
  pages[path] = { html, css, notes: comments };
}
process.stdout.write(JSON.stringify(pages));
