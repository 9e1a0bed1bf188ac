package main

import (
	"fmt"
	"net/url"
	"runtime"
	"time"
)

const (
	allocPresetMib = 50
	// A sandbox may have as much; its own limit is what stops it before.
	allocMostMib = 65_536
	pageBytes    = 4096
)

func doAlloc(query url.Values) (string, time.Duration, error) {
	mib, err := readNumber(query, "mib", allocPresetMib, allocMostMib)
	if err != nil {
		return "", 0, err
	}
	begin := time.Now()
	pages := touch(int(mib) << 20)
	elapsed := time.Since(begin)
	return fmt.Sprintf("%d\n", pages), elapsed, nil
}

// touch takes so much memory, writes one byte of each 4096 and gives it back to the collector. It
// returns how many it wrote.
func touch(size int) int {
	memory := make([]byte, size)
	pages := 0
	for at := 0; at < size; at += pageBytes {
		memory[at] = 1
		pages++
	}
	runtime.KeepAlive(memory)
	return pages
}
