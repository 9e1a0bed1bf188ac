package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	storedArchive    = "stored.zip"
	unpackedFolder   = "unzipped"
	unpackedMostFile = 256 << 20
	unpackedMostAll  = 1 << 30
)

// files is where archives are read and unpacked.
type files struct {
	data string
	work string
}

// unpacking is one at a time: all unpack into the same folder.
var unpacking sync.Mutex

// doRead reads the whole archive into memory, as it is.
func (from files) doRead(_ url.Values) (string, time.Duration, error) {
	begin := time.Now()
	file, err := os.Open(from.archive(storedArchive))
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	elapsed := time.Since(begin)
	if err != nil {
		return "", 0, err
	}
	return fmt.Sprintf("%d\n", len(content)), elapsed, nil
}

// doUnzip unpacks an archive. What an earlier call has left is removed first, outside the time.
func (from files) doUnzip(query url.Values) (string, time.Duration, error) {
	name := "stored"
	if query.Has("archive") {
		name = query.Get("archive")
	}
	if name != "stored" && name != "compressible" {
		const form = "archive is %q, and neither stored nor compressible"
		return "", 0, badQuery(fmt.Sprintf(form, name))
	}
	unpacking.Lock()
	defer unpacking.Unlock()
	folder := filepath.Join(from.work, unpackedFolder)
	if err := os.RemoveAll(folder); err != nil {
		return "", 0, err
	}
	begin := time.Now()
	written, err := unzip(from.archive(name+".zip"), folder)
	elapsed := time.Since(begin)
	if err != nil {
		return "", 0, err
	}
	return fmt.Sprintf("%d\n", written), elapsed, nil
}

// answerStatic answers with the archive as it is.
func (from files) answerStatic(response http.ResponseWriter, request *http.Request) {
	if _, err := readQuery(request.URL.RawQuery, nil); err != nil {
		answerError(response, err)
		return
	}
	file, err := os.Open(from.archive(storedArchive))
	if err != nil {
		answerError(response, err)
		return
	}
	defer file.Close()
	response.Header().Set("Content-Type", "application/zip")
	http.ServeContent(response, request, "", time.Time{}, file)
}

func (from files) archive(name string) string { return filepath.Join(from.data, name) }

// unzip unpacks an archive into a folder and returns how many bytes it wrote. Each file is closed
// before the next is made.
func unzip(path, folder string) (int64, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return 0, err
	}
	defer archive.Close()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return 0, err
	}
	total := int64(0)
	for _, entry := range archive.File {
		if !filepath.IsLocal(entry.Name) {
			return total, fmt.Errorf("%s: the name %q leads elsewhere", path, entry.Name)
		}
		target := filepath.Join(folder, entry.Name)
		if entry.FileInfo().IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return total, err
			}
			continue
		}
		written, err := unpack(entry, target, min(unpackedMostFile, unpackedMostAll-total))
		total += written
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// unpack writes one file of an archive, if it is not larger than the limit.
func unpack(entry *zip.File, target string, limit int64) (written int64, err error) {
	if entry.UncompressedSize64 > uint64(limit) {
		return 0, fmt.Errorf("%s is over the limit of %d bytes", entry.Name, limit)
	}
	source, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer source.Close()
	file, err := os.Create(target)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.Copy(file, source)
}
