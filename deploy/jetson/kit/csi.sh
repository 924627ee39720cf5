#!/usr/bin/env bash
# Gives the camera at the CSI port to programs on this Jetson, as Motion JPEG on port 5000.
# SENSOR, WIDTH, HEIGHT and FPS choose the camera and one of its modes.
set -euo pipefail
exec gst-launch-1.0 -e nvarguscamerasrc sensor-id="${SENSOR:-0}" \
    ! "video/x-raw(memory:NVMM),format=NV12,width=${WIDTH:-1280},height=${HEIGHT:-720},framerate=${FPS:-30}/1" \
    ! nvjpegenc quality=90 \
    ! multipartmux \
    ! tcpserversink host=127.0.0.1 port=5000
