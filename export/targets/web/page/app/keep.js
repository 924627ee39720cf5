// What can be taken along: snapshots and recordings, as files.
import { Problem } from "./problems.js";

const TYPES = ["video/mp4;codecs=avc1.640028,mp4a.40.2", "video/mp4;codecs=avc1.42E01E,mp4a.40.2", "video/webm;codecs=vp9,opus",
  "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/** Saves what the canvas shows as a PNG. */
export async function snapshot(canvas) {
  const blob = await new Promise(resolve => canvas.toBlob(resolve, "image/png"));
  return save(blob, "png");
}

/**
 * Records what the canvas shows until `stop` of the recorder that it returns is called, then saves that.
 * @param {MediaStreamTrack[]} sound To record with it.
 * @param {(name: string) => void} saved Called with the file's name.
 */
export function record(canvas, sound, saved) {
  const type = globalThis.MediaRecorder && canvas.captureStream && TYPES.find(one => MediaRecorder.isTypeSupported(one));
  if (!type) throw new Problem("recording");
  const stream = canvas.captureStream();
  for (const track of sound) stream.addTrack(track);
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 8e6 }), pieces = [];
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  recorder.addEventListener("stop", () => {
    for (const track of stream.getVideoTracks()) track.stop();
    saved(save(new Blob(pieces, { type }), type.startsWith("video/mp4") ? "mp4" : "webm"));
  });
  recorder.start(1000);
  return recorder;
}

function save(blob, suffix) {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `pleinair-${time}.${suffix}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return link.download;
}
