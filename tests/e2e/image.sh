#!/usr/bin/env bash
# Images without a registry, by buildah as root. FOLDER keeps the base between runs.
#   image.sh base FOLDER PAUSE      Debian's Python as localhost/python:slim, and FOLDER/pause.tar of the program PAUSE
#   image.sh build FOLDER NAME:TAG…  the Dockerfile of this folder under each name, as FOLDER/TAG.tar
set -euo pipefail
cmd=$1 F=$2; shift 2; mkdir -p "$F"
export STORAGE_DRIVER=overlay
b() { buildah --root "$F/store" --runroot "$F/runroot" "$@"; }
case $cmd in
base)
  [ -f "$F/pause.tar" ] || { c=$(b from scratch); b add -q "$c" "$1" /pause >/dev/null
    b config --user 65535 --entrypoint '["/pause"]' "$c"; b commit -q --rm "$c" "docker-archive:$F/pause.tar:localhost/pause:1" >/dev/null; }
  [ -f "$F/base.tar" ] || { mmdebstrap --quiet --mode=root --variant=minbase --include=python3,python3-venv,ca-certificates \
      --dpkgopt='path-exclude=/usr/share/'{doc,man,locale}'/*' "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$F/base.tmp.tar"
    mv "$F/base.tmp.tar" "$F/base.tar"; }
  b inspect --type image localhost/python:slim >/dev/null 2>&1 || {
    c=$(b from scratch); b add -q "$c" "$F/base.tar" / >/dev/null; b commit -q --rm "$c" localhost/python:slim >/dev/null; } ;;
build)
  ca=/etc/ssl/certs/ca-certificates.crt  # where a proxy's certificate is among the machine's, pip needs it too
  b bud -q --isolation chroot --network host --pull-never --timestamp 0 --build-arg BASE=localhost/python:slim \
    -v $ca:$ca:ro ${PIP_INDEX_URL:+--env PIP_INDEX_URL="$PIP_INDEX_URL"} -t "$1" . >/dev/null
  for name; do
    b tag "$1" "$name"; rm -f "$F/${name##*:}.tar"; b push -q "$name" "docker-archive:$F/${name##*:}.tar:$name"
  done ;;
esac
