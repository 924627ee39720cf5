"""OpenCV's own inference, which is always there."""

from ..row import Backend

BACKEND = Backend(
    "opencv",
    ("onnx",),
    "cv2",
    "opencv-python or opencv-python-headless",
    "pip install opencv-python",
    strokes=("onnx",),
    in_auto=False,  # it is never the fastest
    order=80,
)
