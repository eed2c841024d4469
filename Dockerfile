# The operator as a small, non-root image, for any platform that the base image has; docs/install.md has the command for
# a build that can be repeated: with a base by digest (--build-arg BASE=NAME@sha256:…) and SOURCE_DATE_EPOCH.
ARG BASE=python:3.13-slim
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv /opt/imagesource-operator
COPY requirements-build.lock requirements-image.lock ./
RUN /opt/build/bin/pip install --require-hashes -r requirements-build.lock \
 && /opt/imagesource-operator/bin/pip install --no-compile --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# Bytecode by hash of its source, not by time: the same files give the same image. The Kubernetes client has a module per
# type and kind, of which a few are ever imported: bytecode of all would be a quarter of the image.
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /opt/wheel . \
 && /opt/imagesource-operator/bin/pip install --no-compile --no-deps /opt/wheel/*.whl \
 && /opt/imagesource-operator/bin/pip uninstall --yes pip \
 && /opt/imagesource-operator/bin/python -m compileall -q -x 'kubernetes/(aio/)?client/(api|models)/' \
      --invalidation-mode unchecked-hash /opt/imagesource-operator/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="imagesource-operator" \
      org.opencontainers.image.description="Kubernetes operator for Cycle image sources" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/imagesource-operator /opt/imagesource-operator
ENV PATH=/opt/imagesource-operator/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# By number, so that a cluster can see that it is not root.
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["imagesource-operator"]
CMD ["run"]
