# pleinair without a display: OpenCV has no windows, OpenVINO is the backend on CPUs, no PyTorch.
#   docker build --tag pleinair .
#   docker run --rm --volume "$PWD:/pictures" pleinair translate photo.jpg painting.jpg
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/pleinair \
    && /opt/pleinair/bin/python -m pip install --no-cache-dir --no-compile -c constraints.txt ".[openvino,fast]" \
    && /opt/pleinair/bin/python -m pip uninstall --yes opencv-python \
    && opencv=$(sed -n 's/^opencv-python==/opencv-python-headless==/p' constraints.txt) \
    && /opt/pleinair/bin/python -m pip install --no-cache-dir --no-compile "$opencv" \
    && /opt/pleinair/bin/pleinair models --json > /dev/null

FROM python:3.13-slim
COPY --from=build /opt/pleinair /opt/pleinair
# What auto measures and what a page keeps is of this user; a volume at /home/painter keeps it for the next time.
RUN useradd --create-home --uid 1000 painter && mkdir /pictures && chown painter /pictures
USER painter
WORKDIR /pictures
ENV PATH=/opt/pleinair/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 8765
ENTRYPOINT ["pleinair"]
CMD ["--help"]
