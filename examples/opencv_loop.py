"""The loop that every OpenCV program has, painted.

python examples/opencv_loop.py 0                    # a camera, in a window; q ends it
python examples/opencv_loop.py film.mp4 painted.avi # a file into a file, without a window
"""

from __future__ import annotations

import argparse

import cv2
import pleinair


def main(source: str, out: str = "") -> int:
    """Paints frame by frame; returns how many there were."""
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not capture.isOpened():
        raise SystemExit(f"{source} cannot be opened")
    paint = pleinair.load("monet-conv")  # BGR in, BGR out, as OpenCV has it
    writer, count = None, 0
    while True:
        good, frame = capture.read()
        if not good:
            break
        painted = paint(frame)
        count += 1
        if out:
            if writer is None:
                size = painted.shape[1], painted.shape[0]
                rate = capture.get(cv2.CAP_PROP_FPS) or 30
                writer = cv2.VideoWriter(out, cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
            writer.write(painted)
        else:
            cv2.imshow("painted", painted)
            if cv2.waitKey(1) == ord("q"):
                break
    capture.release()
    if writer is not None:
        writer.release()
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="a camera's number or a video file")
    parser.add_argument("out", nargs="?", default="", help="a video file; default: a window")
    print(f"{main(**vars(parser.parse_args()))} frames")
