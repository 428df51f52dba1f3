package storage

import (
	"path"
	"strings"
)

// types are the content types of extensions. The table of package mime is that of the machine that
// it runs on: what is uploaded from a laptop would be served otherwise than from a container. A charset
// is there where a browser would guess another without: of texts, pages, and what belongs to them.
// Data says itself what it is in, or is UTF-8, and what a bucket allows is often one type of that.
var types = map[string]string{
	"7z": "application/x-7z-compressed", "aac": "audio/aac", "apk": "application/vnd.android.package-archive",
	"apng": "image/apng", "arrow": "application/vnd.apache.arrow.file", "avi": "video/x-msvideo", "avif": "image/avif",
	"bmp": "image/bmp", "bz2": "application/x-bzip2", "cjs": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
	"csv": "text/csv", "doc": "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "eot": "application/vnd.ms-fontobject",
	"epub": "application/epub+zip", "flac": "audio/flac", "geojson": "application/geo+json", "gif": "image/gif",
	"glb": "model/gltf-binary", "gltf": "model/gltf+json", "gz": "application/gzip", "heic": "image/heic", "heif": "image/heif",
	"htm": "text/html; charset=utf-8", "html": "text/html; charset=utf-8", "ico": "image/vnd.microsoft.icon",
	"ics": "text/calendar", "jar": "application/java-archive", "jpeg": "image/jpeg", "jpg": "image/jpeg",
	"js": "text/javascript; charset=utf-8", "json": "application/json", "jsonl": "application/jsonl", "jsonld": "application/ld+json",
	"jxl": "image/jxl", "m3u8": "application/vnd.apple.mpegurl", "m4a": "audio/mp4", "m4v": "video/x-m4v",
	"md": "text/markdown; charset=utf-8", "mid": "audio/midi", "midi": "audio/midi", "mjs": "text/javascript; charset=utf-8",
	"mkv": "video/x-matroska", "mov": "video/quicktime", "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg",
	"ndjson": "application/x-ndjson", "odp": "application/vnd.oasis.opendocument.presentation",
	"ods": "application/vnd.oasis.opendocument.spreadsheet", "odt": "application/vnd.oasis.opendocument.text",
	"oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/opus", "otf": "font/otf",
	"parquet": "application/vnd.apache.parquet", "pdf": "application/pdf", "png": "image/png",
	"ppt":  "application/vnd.ms-powerpoint",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", "rar": "application/vnd.rar",
	"rtf": "application/rtf", "sh": "application/x-sh", "sql": "application/sql", "sqlite": "application/vnd.sqlite3",
	"srt": "application/x-subrip", "svg": "image/svg+xml", "tar": "application/x-tar", "tif": "image/tiff", "tiff": "image/tiff",
	"toml": "application/toml", "ts": "video/mp2t", "tsv": "text/tab-separated-values", "ttf": "font/ttf",
	"txt": "text/plain; charset=utf-8", "vtt": "text/vtt", "wasm": "application/wasm", "wav": "audio/wav",
	"weba": "audio/webm", "webm": "video/webm", "webmanifest": "application/manifest+json", "webp": "image/webp", "woff": "font/woff",
	"woff2": "font/woff2", "xhtml": "application/xhtml+xml", "xls": "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xml": "text/xml",
	"yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip", "zst": "application/zstd",
}

// TypeByName is the content type that the extension of a path or file name tells, the same on every
// machine; empty if it tells none.
func TypeByName(name string) string {
	return types[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]
}
