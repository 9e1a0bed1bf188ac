package main

import (
	"archive/zip"
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

type member struct {
	name    string
	content []byte
}

func writeArchive(t *testing.T, path string, members []member) {
	t.Helper()
	buffer := &bytes.Buffer{}
	writer := zip.NewWriter(buffer)
	for _, member := range members {
		target, err := writer.Create(member.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := target.Write(member.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buffer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestUnzipWritesTheContentsAndClosesEachFile(t *testing.T) {
	from := files{data: t.TempDir(), work: t.TempDir()}
	members := []member{
		{"a/", nil},
		{"a/one", bytes.Repeat([]byte("one "), 100_000)},
		{"a/two", []byte{}},
		{"three", []byte("3")},
	}
	writeArchive(t, from.archive("compressible.zip"), members)
	before := openFiles(t)
	text, _, err := from.doUnzip(url.Values{"archive": {"compressible"}})
	if err != nil || text != "400001\n" {
		t.Fatalf("doUnzip = %q, %v", text, err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
	for _, member := range members[1:] {
		got, err := os.ReadFile(filepath.Join(from.work, unpackedFolder, member.name))
		if err != nil || !bytes.Equal(got, member.content) {
			t.Errorf("%s: %d bytes, %v", member.name, len(got), err)
		}
	}
}

func TestUnzipRemovesWhatTheLastCallWrote(t *testing.T) {
	from := files{data: t.TempDir(), work: t.TempDir()}
	writeArchive(t, from.archive("stored.zip"), []member{{"old", []byte("1")}})
	if _, _, err := from.doUnzip(nil); err != nil {
		t.Fatal(err)
	}
	writeArchive(t, from.archive("stored.zip"), []member{{"new", []byte("2")}})
	if _, _, err := from.doUnzip(nil); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(from.work, unpackedFolder))
	if err != nil || len(entries) != 1 || entries[0].Name() != "new" {
		t.Errorf("unzipped holds %v, %v", entries, err)
	}
}

func TestUnzipStaysInItsFolder(t *testing.T) {
	from := files{data: t.TempDir(), work: t.TempDir()}
	writeArchive(t, from.archive("stored.zip"), []member{{"../outside", []byte("1")}})
	if _, _, err := from.doUnzip(nil); err == nil {
		t.Error("an archive whose name leads elsewhere was unpacked")
	}
	if _, err := os.Stat(filepath.Join(from.work, "outside")); err == nil {
		t.Error("it was written")
	}
}

func TestReadCountsTheBytes(t *testing.T) {
	from := files{data: t.TempDir()}
	if err := os.WriteFile(from.archive("stored.zip"), make([]byte, 70_001), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, _, err := from.doRead(nil); err != nil || text != "70001\n" {
		t.Errorf("doRead = %q, %v", text, err)
	}
}
