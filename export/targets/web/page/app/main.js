// The page: one source, one engine, one view, and what the viewer asks of them.
import { chooseEngine, forgetEngine, label } from "./engine.js";
import { Governor, scaled } from "./governor.js";
import { record, snapshot } from "./keep.js";
import { Meter } from "./meter.js";
import { goOffline } from "./offline.js";
import { Problem } from "./problems.js";
import { listCameras, openCamera, openFile } from "./sources.js";
import { View } from "./view.js";

const LONGEST = 1920;  // side of a moving picture that is drawn
const USUAL = { facingMode: "user" };  // the camera that is asked for first
const find = selector => document.querySelector(selector);
const form = find("#controls").elements, divider = find("#divider");
const view = new View(find("#picture")), governor = new Governor(), meter = new Meter();
const state = { engine: null, source: null, recorder: null, painting: 0, shown: null, fresh: false, captured: 0, films: 0, camera: USUAL, failed: "" };
const kept = JSON.parse(localStorage.getItem("pleinair look") ?? "{}");

const look = () => ({
  strength: form.strength.valueAsNumber, mirror: form.mirror.checked, compare: form.compare.checked,
  divider: divider.valueAsNumber,
});

// --- painting ---

/** Paints the newest frame unless as many are being painted as can be: the ones between are dropped. */
async function pump() {
  const { engine, source, shown } = state;
  if (!engine || !source || state.painting >= engine.room || !state.fresh) return;
  state.painting++;
  state.fresh = false;
  const captured = state.captured, [width, height] = canvasSize(source);
  let done;
  state.shown = new Promise(resolve => { done = resolve; });
  try {
    const frame = await source.take(), started = performance.now();
    const [columns, rows] = scaled(width, height, source.moving ? governor.scale : 1), larger = columns !== width || rows !== height;
    const { ms, ...painting } = await engine.paint({ frame, width: columns, height: rows, film: source.film, larger });
    await shown;  // frames are shown in their order
    if (source !== state.source) return;
    view.resize(width, height);
    view.show(painting, look());
    const now = performance.now();
    meter.note(now, captured);
    if (source.moving) governor.note((now - started) / engine.room);
    figures(columns, rows, ms);
  } catch (error) {
    if (source !== state.source) return;
    if (engine !== state.engine) { state.fresh ||= !source.moving; return; }  // a better one has taken its place
    forgetEngine();  // a reload chooses anew
    complain(new Problem("painting", error.message));
  } finally {
    done();
    state.painting--;
    pump();
  }
}

function canvasSize({ moving, size: [width, height] }) {
  const scale = moving ? Math.min(1, LONGEST / Math.max(width, height)) : 1;
  return [Math.round(width * scale), Math.round(height * scale)];
}

function hold() {
  if (!state.source || !state.engine) return;
  const [width, height] = canvasSize(state.source);
  governor.begin(Number(form.hold.value), state.engine.msPerPixel * width * height);
}

// --- sources ---

async function use(opening) {
  say(state.failed);
  try {
    const source = await opening;
    leave();
    state.source = source;
    if (source.moving) source.film = ++state.films;
    find("#welcome").hidden = true;
    find("#stage").classList.add("open");
    stayAwake(source);
    if (source.live) form.mirror.checked = kept.mirror ?? !source.behind;
    hold();
    view.resize(...canvasSize(source));
    refresh();
    tell(state.engine || state.failed ? source.note ?? "" : "the model is getting ready …");
    source.video?.addEventListener("ended", refresh);  // it is paused then
    source.watch(captured => { state.captured = captured; state.fresh = true; pump(); });
  } catch (error) {
    complain(error);
  }
}

function leave() {
  state.recorder?.stop();
  state.source?.close();
  state.awake?.release();
  state.source = state.awake = null;
  meter.reset();
  refresh();
}

function camera(which = state.camera) {
  if (state.source?.live) leave();  // phones open one camera at a time
  state.camera = which;
  return use(openCamera(which, lost).catch(error => { state.camera = USUAL; throw error; }));
}

/** Takes the next camera of those that there are. */
async function flip() {
  const all = await listCameras();
  return camera({ deviceId: { exact: all[(all.indexOf(state.source?.id) + 1) % all.length] } });
}

/** Keeps a phone's screen from going dark while it paints. */
async function stayAwake(source) {
  const lock = source.moving && await navigator.wakeLock?.request("screen").catch(() => null);
  if (!lock) return;
  if (state.source === source) state.awake = lock; else lock.release();
}

function lost() {
  leave();
  complain(new Problem("lost"));
  navigator.mediaDevices.addEventListener("devicechange", () => state.source ?? camera(), { once: true });
}

// --- what the viewer asks for ---

const deeds = {
  camera: () => camera(),
  flip,
  open: () => find("#file").click(),
  pause: async () => { await state.source.toggle(); meter.reset(); refresh(); },
  snapshot: async () => tell(`saved ${await snapshot(view.canvas)}`),
  record: () => {
    if (state.recorder) { state.recorder.stop(); return; }
    state.recorder = record(view.canvas, state.source.sound, name => { state.recorder = null; tell(`saved ${name}`); refresh(); });
    tell("recording");
    refresh();
  },
};

async function act(deed) {
  try {
    await deeds[deed]();
  } catch (error) {
    complain(error);
  }
}

document.addEventListener("click", ({ target }) => { if (target.dataset.do) act(target.dataset.do); });

find("#file").addEventListener("change", ({ target }) => {
  if (target.files.length) use(openFile(target.files[0]));
  target.value = "";  // the same file may be opened again
});

find("#controls").addEventListener("submit", event => event.preventDefault());

for (const element of [find("#controls"), divider]) element.addEventListener("input", ({ target }) => {
  if (target.name === "mirror") kept.mirror = target.checked;
  if (target.name === "hold") hold();
  const { strength, compare, divider: at } = look();
  localStorage.setItem("pleinair look", JSON.stringify({ ...kept, strength, compare, divider: at, hold: form.hold.value }));
  changed();
});

const KEYS = { " ": "pause", f: "flip", o: "open", s: "snapshot", r: "record", m: "mirror", c: "compare" };

document.addEventListener("keydown", event => {
  const own = event.target.closest("button, select, input[type=checkbox]") && event.key === " ";
  const name = KEYS[event.key.toLowerCase()];
  if (!name || own || event.target.closest("select") || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  (form[name] ?? find(`#controls [data-do=${name}]`)).click();
});

addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) use(openFile(file));
});

// --- what is shown ---

const say = text => { find("#message").textContent = text; };
const tell = text => { find("#status").textContent = text; };

function complain(error) {
  if (!(error instanceof Problem)) console.error(error);
  say(error.message);
}

function changed() {
  const focused = document.activeElement;
  divider.hidden = !form.compare.checked || !state.source;
  divider.style.setProperty("--at", divider.value);
  view.redraw(look());
  // Who uses keys or hears the page would be lost with the focus, when what has it goes.
  if (focused.matches("[hidden], [hidden] *, :disabled")) view.canvas.focus();
}

function refresh() {
  const { source, recorder } = state, button = name => find(`#controls [data-do=${name}]`);
  button("pause").disabled = !source?.moving;
  button("pause").setAttribute("aria-pressed", Boolean(source?.moving && source.paused));
  button("snapshot").disabled = !source;
  button("record").disabled = !source?.moving;
  button("record").setAttribute("aria-pressed", Boolean(recorder));
  if (source?.live) listCameras().then(all => { button("flip").disabled = all.length < 2; });
  else if (source) button("flip").disabled = true;  // while the next camera opens it keeps the focus
  changed();
}

function figures(width, height, ms) {
  const { moving } = state.source, size = `${width}×${height}`;
  find("#figures").textContent = moving
    ? `${meter.fps.toFixed(0)} fps, ${meter.delay.toFixed(0)} ms delay, painted at ${size}`
    : `painted at ${size} in ${(ms / 1000).toFixed(2)} s`;
}

// --- start ---

function restore() {
  for (const name of ["strength", "hold"]) if (kept[name] !== undefined) form[name].value = kept[name];
  form.compare.checked = Boolean(kept.compare);
  divider.value = kept.divider ?? 0.5;
  changed();
}

async function start() {
  restore();
  await goOffline(() => state.source);
  const answer = await fetch(new URL("../manifest.json", import.meta.url)).catch(() => null);
  if (!answer?.ok) throw new Problem("manifest", `manifest.json is missing${answer ? ` (${answer.status})` : ""}`);
  const manifest = await answer.json(), told = find("#engine");
  const tellHow = text => { told.textContent = [state.engine && painter(state.engine), text].filter(Boolean).join("; "); };
  await chooseEngine(manifest, tellHow, engine => { useEngine(engine); tellHow(""); });
  tellHow("");
  hold();
  await state.engine.grow();
  pump();
}

const painter = engine => `${label(engine)}, ${engine.psnr.toFixed(1)} dB from PyTorch`;

function useEngine(engine) {
  state.engine = engine;
  if (state.source) tell(state.source.note ?? "");
  hold();
  pump();
}

start().catch(error => {
  find("#engine").textContent = "cannot paint here";
  state.failed = error.message;  // it stays there when pictures are opened
  complain(error);
});
