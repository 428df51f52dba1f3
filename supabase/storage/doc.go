// Package storage works on the buckets and objects of a Supabase project's storage.
//
//	st, err := storage.New("https://x.supabase.co/storage/v1", storage.WithKey(key))
//	_, err = st.Upload(ctx, "reports", "2026/q4.csv", r, &storage.UploadOptions{Upsert: true})
//	file, err := st.Download(ctx, "reports", "2026/q4.csv")   // file.Name, file.ContentType, file.Data
//	link, err := st.CreateSignedURL(ctx, "reports", "2026/q4.csv", time.Hour)
//	for object, err := range st.Walk(ctx, "reports", "2026") { … }
//
// Options come last, as a pointer to a struct, and may be left out or nil.
//
// # Streams
//
// Uploads send what a reader gives, and downloads give what arrives: memory does not grow with the
// size. [Client.Upload] sends once. [Client.UploadResumable] sends in chunks of 6 MiB, survives a
// broken connection, and a restart of the program. A [Reader] takes a broken download up where it
// broke.
//
// # Names
//
// A path is that of an object in its bucket, a/b.txt, unescaped. Leading and doubled slashes make no
// difference. What storage refuses, in a path or in the name of a bucket, is an [ErrInvalid] before
// anything is sent: anything but letters and digits of ASCII, blanks, and _/!-.*'()&$@=;:+,? in it.
//
// # Errors
//
// What the server or the network answers is an [*Error]; its Status is what storage means, not the
// 400 that it sends for nearly everything. errors.Is knows this package's sentinels, and those of
// files: fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid. What row security hides does
// not exist: it is ErrNotFound, or missing in a list.
package storage
