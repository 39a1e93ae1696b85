# Chromium, for pictures of pages that servers show. A browser needs too many libraries to stand in a folder of its own:
# the one that is installed, or, where that is allowed, Debian's, installed.
VERSION=installed
get() {
    command -v chromium || apt-get install -y -qq --no-install-recommends chromium
    mkdir "$1/bin" && ln -s "$(command -v chromium)" "$1/bin/chromium"
}
