// Package secrets reads the secrets of a program from the files that Streamlit
// reads, so that a dashboard in Python and a service in Go share one:
//
//	# .streamlit/secrets.toml
//	[connections.pets]
//	url = "postgresql://scott@db/pets"
//	password = "…"
//
// A [Store] merges several places. [Load] looks in ~/.streamlit/secrets.toml, in
// ./.streamlit/secrets.toml, in what $STREAMCONN_SECRETS lists, and in what the
// program names; later places win key by key, at every depth. A place is a TOML
// file or a folder of mounted secrets. Values are read with [Store.String] and
// its like, or into a struct with [Store.Decode]; [Store.Where] tells which place
// gave one.
//
// # Present decides
//
// A key that is there with an empty value is there. A key that is not there is a
// [*MissingError], which names the places and the key that may be meant. There is
// no panic and no zero value in place of an error, and asking a program without
// any secrets file is no different from asking for a missing key.
//
// A file that is malformed, unreadable or too large (16 MiB) is an error, never
// "no secrets". TOML errors come as a [*ParseError] with line and column.
//
// # Mounted folders
//
// A path to a folder is read the way Kubernetes and Docker mount secrets, a
// subfolder for each: <folder>/<secret>/<file> becomes secret.file, with white
// space around the text removed. A secret with one file only becomes the text of
// that file. Folders below a secret are not read, nor is what begins with "..",
// which is how Kubernetes switches a mount from one version to the next. A name
// is one key, whatever is in it: a secret called connections.pets is not the
// section [connections.pets]. To configure a connection, mount a secrets.toml and
// give the path of that file, or mount what is secret, such as
// <folder>/PETS_URL/value, and have the connection look for PETS_URL, as
// url_env = "PETS_URL" does for those of SQL. A file
// directly in the folder is an error, unless it is hidden. A file that is not
// UTF-8 is taken byte by byte, as it is.
//
// # Changes
//
// A Store changes only in [Store.Refresh], which costs little when no file did,
// and by [Store.Watch], which calls it when one does. Whatever goes wrong then,
// the last good values of that file stay. [Store.OnChange] tells when the merged
// values differ, [Store.Version] whether they do.
//
// Readers see one whole version of a file, or go on with the one before:
//
//   - A file written in place, as by an editor or by >, is first empty and then
//     incomplete. It is taken when nothing has happened to it for a twentieth of
//     a second. Who pauses for longer in the middle of it should write another
//     file and rename it.
//   - A file renamed over it, and a swapped link, are whole. They are taken when
//     they are as old as that.
//   - A file that held something and has no byte now, as while a slow command
//     writes to it through >, is an error, and its last good values stay. To say
//     that there are no secrets any more, leave a comment or an empty line in
//     it, or remove it. In a mounted folder that goes for a file emptied in
//     place; an empty one renamed over it is an empty text.
//   - A file that is gone is given the same moment to come back.
//   - A file that is empty when the program starts has no values; what looks for
//     one says so of the file, and finds it when it is there.
//
// Values come out as copies: changing one changes nobody else's. Calls one after
// the other may see different versions; [Store.Section], [Store.Decode] and
// [Store.Snapshot] give what belongs together.
//
// # Secrets stay secret
//
// Nothing here prints a value: no error, no log line, and no format of a [Store]
// or a [Secret]. Nothing writes to the environment of the process;
// [Store.Environ] makes one for a child process.
//
// # Different from Streamlit
//
// Tables merge at every depth, where Streamlit replaces whole top-level tables.
// A bad edit neither ends the watching nor takes the values away. There is no
// export to the process's environment. A file that appears later is noticed. A
// missing file is no error of its own. A section that is a string is a
// [*TypeError] rather than a crash. Keys are reached by path, so that none is
// hidden by the name of a method, and messages are not configurable: compare
// error types.
package secrets
