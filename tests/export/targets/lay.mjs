// Lays canvases as the page does: node lay.mjs SCRIPT [stacked] < [[strokes, height, width], ...]; prints hashes of what it laid.
// `stacked` runs a script that is no module, and lays as Core ML takes it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { runInThisContext } from "node:vm";

const [script, stacked] = process.argv.slice(2);
const lay = stacked ? runInThisContext(`${readFileSync(script)}; layStacked`) : (await import(pathToFileURL(script))).layCanvas;
const laid = JSON.parse(readFileSync(0, "utf8")).map(asked => Object.fromEntries(
  Object.entries(lay(...asked)).map(([name, [type, values, shape]]) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [name, [type, shape, createHash("sha256").update(bytes).digest("hex")]];
  })));
console.log(JSON.stringify(laid));
