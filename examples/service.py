"""An HTTP service with back-pressure: it says no before it drowns.

pip install fastapi uvicorn python-multipart
uvicorn --app-dir examples service:app
curl -F picture=@photo.jpg http://127.0.0.1:8000/paint > painting.jpg

At most PAINTING pictures are painted at once and WAITING wait; who comes then gets 503 and is told
when to try again. Without that bound a burst would fill the memory, and everybody would wait.
"""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
import pleinair
from fastapi import FastAPI, HTTPException, Response, UploadFile
from starlette.concurrency import run_in_threadpool

PAINTING, WAITING = 2, 8
LARGEST = 20_000_000  # bytes of an upload

app = FastAPI(title="pleinair")
paint = pleinair.load("monet-conv", in_flight=PAINTING)
turn = asyncio.Semaphore(PAINTING)
inside: set[asyncio.Task] = set()  # requests that paint or wait


@app.post("/paint")
async def paint_upload(picture: UploadFile) -> Response:
    """Returns the painting as JPEG."""
    if len(inside) >= PAINTING + WAITING:
        raise HTTPException(503, "busy; try again", {"Retry-After": "1"})
    request = asyncio.current_task()
    inside.add(request)
    try:
        data = await picture.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise HTTPException(413, f"at most {LARGEST} bytes")
        async with turn:
            return await run_in_threadpool(_painted, data)
    finally:
        inside.remove(request)


def _painted(data: bytes) -> Response:
    try:
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # no bytes, or a picture beyond OpenCV's limits
        frame = None
    if frame is None:
        raise HTTPException(415, "no picture that can be read")
    jpeg = cv2.imencode(".jpg", paint(frame))[1]
    return Response(jpeg.tobytes(), media_type="image/jpeg")


@app.get("/health")
async def health() -> dict[str, int]:
    """Says how full it is."""
    return {"inside": len(inside), "most": PAINTING + WAITING}


if __name__ == "__main__":
    raise SystemExit(__doc__)
