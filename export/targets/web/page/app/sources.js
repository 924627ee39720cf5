// Where pictures come from: a camera, a video file, a picture file.
import { Problem, cameraProblem } from "./problems.js";

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const MOST = 16e6;  // pixels of a canvas that all devices have room for
const HUGE = 64e6;  // pixels of a picture that a phone can no longer decode

/** A video element that plays a camera or a file. */
class Moving {
  moving = true;
  #audio; #sound;

  constructor(video) { this.video = video; }

  get size() { return [this.video.videoWidth, this.video.videoHeight]; }
  get paused() { return this.video.paused; }

  /** Its sound as tracks to record, silence where it has none; it is heard all the same. */
  get sound() {
    if (this.live) return [];
    if (!this.#sound) {  // not from the element's captureStream: that ends when the file does, and Safari has none
      this.#audio = new AudioContext();
      const played = this.#audio.createMediaElementSource(this.video), kept = this.#audio.createMediaStreamDestination();
      played.connect(this.#audio.destination);
      played.connect(kept);
      this.#sound = kept.stream.getAudioTracks();
    }
    return this.#sound;
  }

  /** Calls back with each new frame's time of capture, in ms, for as long as the source is open. */
  watch(callback) {
    const video = this.video;
    if (!video.requestVideoFrameCallback) {  // Firefox before 132
      let last = -1;
      const look = now => {
        if (this.closed) return;
        if (video.currentTime !== last) { last = video.currentTime; callback(now); }
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
      return;
    }
    const look = (now, { captureTime = now }) => {
      if (this.closed) return;
      callback(captureTime);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }

  /** Returns the newest frame, to be closed by whoever is done with it. */
  async take() {
    if (globalThis.VideoFrame) {
      const frame = new VideoFrame(this.video);
      if (frame.displayWidth === this.video.videoWidth) return frame;
      frame.close();  // it lies on its side, as some phones' cameras do
    }
    return createImageBitmap(this.video);
  }

  async toggle() {
    if (this.video.paused) await this.video.play(); else this.video.pause();
  }

  close() {
    this.closed = true;
    this.video.pause();
    this.#audio?.close();
    this.stop();
  }
}

/**
 * Opens a camera.
 * @param {MediaTrackConstraints} which One is preferred.
 * @param {() => void} lost Called when it goes away.
 */
export async function openCamera(which, lost) {
  if (!navigator.mediaDevices) throw new Problem("insecure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { ...CAMERA, ...which } });
  } catch (error) {
    throw cameraProblem(error);
  }
  const [track] = stream.getVideoTracks();
  const source = new Moving(await playing({ srcObject: stream, muted: true }, () => new Problem("taken")));
  source.live = true;
  source.note = track.label;
  source.id = track.getSettings().deviceId;
  source.behind = track.getSettings().facingMode === "environment";
  source.stop = () => track.stop();
  track.addEventListener("ended", () => source.closed || lost());
  return source;
}

/** The ids of all cameras; browsers tell them once one was allowed. */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(device => device.kind === "videoinput").map(device => device.deviceId);
}

/** Opens a picture or a video. */
export async function openFile(file) {
  return file.type.startsWith("video/") ? openVideo(file) : openPicture(file);
}

async function openVideo(file) {
  const address = URL.createObjectURL(file);
  const source = new Moving(await playing({ src: address }, () => new Problem("unreadable", file.name)));
  source.stop = () => { source.video.removeAttribute("src"); source.video.load(); URL.revokeObjectURL(address); };
  return source;
}

async function playing(properties, problem) {
  const video = Object.assign(document.createElement("video"), { playsInline: true, ...properties });
  await new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", resolve, { once: true });
    video.addEventListener("error", () => reject(problem()), { once: true });
  });
  if (!video.videoWidth) throw problem();  // sound alone
  await video.play().catch(() => { video.muted = true; return video.play(); });  // sound needs a gesture
  return video;
}

async function openPicture(file) {
  const address = URL.createObjectURL(file), image = new Image();
  try {
    image.src = address;
    await new Promise((resolve, reject) => { image.onload = resolve; image.onerror = reject; });
    const { naturalWidth: width, naturalHeight: height } = image, pixels = width * height;
    if (pixels > HUGE) throw new Problem("huge", `${file.name} has ${Math.round(pixels / 1e6)} megapixels`);
    const scale = Math.min(1, Math.sqrt(MOST / pixels));
    const smaller = { resizeWidth: Math.floor(width * scale), resizeHeight: Math.floor(height * scale), resizeQuality: "high" };
    const picture = await createImageBitmap(image, scale < 1 ? smaller : {});
    return {
      moving: false, paused: true, sound: [], size: [picture.width, picture.height],
      note: scale < 1 ? `made smaller, from ${width}×${height}` : "",
      take: () => createImageBitmap(picture),
      watch: callback => callback(performance.now()),
      close: () => picture.close(),
    };
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("unreadable", file.name);
  } finally {
    URL.revokeObjectURL(address);
  }
}
