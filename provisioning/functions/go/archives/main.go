// Command archives writes the two archives that the function reads and unpacks: stored.zip, ten
// files of random bytes, and compressible.zip, ten of text. Every byte of both is made from a seed
// here, so that they are the same wherever one release of Go writes them.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

const (
	fileCount = 10
	fileBytes = 5 << 20

	// storedBytes is the size of the study's archive. Its ten files do not shrink, so all but
	// 1,706 bytes of it are they, in blocks; the comment makes up for names and times that it had.
	storedBytes   = 52_438_506
	storedComment = "Random bytes by ChaCha8 from seeds, in blocks that are stored."

	// blockBytes is what zip puts into one stored block of deflate.
	blockBytes = 32 << 10
	// deflateLevel is zip's preset.
	deflateLevel = 6
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: archives FOLDER")
		os.Exit(2)
	}
	if err := writeBoth(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "archives:", err)
		os.Exit(1)
	}
}

func writeBoth(folder string) error {
	stored, err := makeStored()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "stored.zip"), stored, 0o644); err != nil {
		return err
	}
	compressible, err := makeArchive("text", textFile, deflate, "")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "compressible.zip"), compressible, 0o644)
}

// makeStored makes the archive once to learn its size, and again with a comment for the rest.
func makeStored() ([]byte, error) {
	bare, err := makeArchive("random", randomFile, store, "")
	if err != nil {
		return nil, err
	}
	missing := storedBytes - len(bare)
	if missing < len(storedComment) {
		return nil, fmt.Errorf("there are %d bytes for the comment, too few", missing)
	}
	comment := storedComment + strings.Repeat(" ", missing-len(storedComment))
	return makeArchive("random", randomFile, store, comment)
}

// makeArchive makes an archive of a folder with the files that content makes by their numbers.
func makeArchive(
	name string,
	content func(number int) []byte,
	pack func(content []byte) ([]byte, error),
	comment string,
) ([]byte, error) {
	buffer := &bytes.Buffer{}
	archive := zip.NewWriter(buffer)
	if _, err := archive.CreateRaw(&zip.FileHeader{Name: name + "/"}); err != nil {
		return nil, err
	}
	for number := 1; number <= fileCount; number++ {
		plain := content(number)
		packed, err := pack(plain)
		if err != nil {
			return nil, err
		}
		writer, err := archive.CreateRaw(&zip.FileHeader{
			Name:               fmt.Sprintf("%s/%d", name, number),
			Method:             zip.Deflate,
			CRC32:              crc32.ChecksumIEEE(plain),
			CompressedSize64:   uint64(len(packed)),
			UncompressedSize64: uint64(len(plain)),
		})
		if err != nil {
			return nil, err
		}
		if _, err := writer.Write(packed); err != nil {
			return nil, err
		}
	}
	if err := archive.SetComment(comment); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// store packs content into stored blocks of deflate; see RFC 1951, section 3.2.4.
func store(content []byte) ([]byte, error) {
	packed := make([]byte, 0, len(content)+5*(len(content)/blockBytes+1))
	for at := 0; at < len(content); at += blockBytes {
		end := min(at+blockBytes, len(content))
		size := uint16(end - at)
		last := byte(0)
		if end == len(content) {
			last = 1
		}
		header := []byte{last, byte(size), byte(size >> 8), byte(^size), byte(^size >> 8)}
		packed = append(append(packed, header...), content[at:end]...)
	}
	return packed, nil
}

func deflate(content []byte) ([]byte, error) {
	packed := &bytes.Buffer{}
	writer, err := flate.NewWriter(packed, deflateLevel)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
