# PostgreSQL and the programs that make and stop a server of it, as Debian packages them. They run as any user but root,
# and with the libraries of the machine.
VERSION=15
get() {
    debian_package "postgresql-$VERSION" "$1"
    ln -s "usr/lib/postgresql/$VERSION/bin" "$1/bin" # the programs find their files by the way from there to here
    "$1/bin/postgres" --version | grep " $VERSION\."
    "$1/bin/initdb" --version
}
