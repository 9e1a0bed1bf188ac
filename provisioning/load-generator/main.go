// Command load-generator sends HTTP requests to a function and reports what came of them as one
// JSON document: closed (as many as go over some connections), open (at instants that are fixed
// beforehand), or null, a server that does as little as a server can, to see what the generator
// itself is capable of.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

const (
	exitUsage        = 2
	exitNotPermitted = 3
	exitFailed       = 4

	// Descriptors beside those of the connections.
	otherFiles = 64
	// The collector of garbage has nothing to do unless this is reached.
	memoryLimitBytes = 1 << 30
)

func main() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimitBytes)
	if len(os.Args) < 2 {
		fail(exitUsage, fmt.Errorf("usage: load-generator closed|open|null FLAGS"))
	}
	mode, words := os.Args[1], os.Args[2:]
	if mode == "null" {
		settings, err := parseNull(words)
		if err != nil {
			fail(exitUsage, err)
		}
		if err := serveNull(settings); err != nil {
			fail(exitFailed, err)
		}
		return
	}
	settings, err := parseLoad(mode, words)
	if err != nil {
		fail(exitUsage, err)
	}
	if err := allowFiles(uint64(settings.connections + otherFiles)); err != nil {
		fail(exitNotPermitted, err)
	}
	if err := runLoad(settings); err != nil {
		fail(exitFailed, err)
	}
}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, "load-generator:", err)
	os.Exit(code)
}

// runLoad runs a load to its end, its deadline or a signal, and prints the report.
func runLoad(s *settings) error {
	// One more for the signals, and one for what is blocked in the kernel.
	runtime.GOMAXPROCS(s.threads + 2)
	end := &loadEnd{deadlineNs: nowNs() + s.deadlineNs}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		end.stop.Store(true)
	}()
	userNs, systemNs := cpuTimes()
	run := runClosed
	if s.isOpen {
		run = runOpen
	}
	workers, err := run(s, end)
	if err != nil {
		return err
	}
	endNs := nowNs()
	o := outcome{settings: s, workers: workers, endNs: endNs, ended: "complete"}
	if end.stop.Load() {
		o.ended = "signal"
	} else if endNs >= end.deadlineNs {
		o.ended = "deadline"
	}
	endUserNs, endSystemNs := cpuTimes()
	o.userNs, o.systemNs = endUserNs-userNs, endSystemNs-systemNs
	return json.NewEncoder(os.Stdout).Encode(o.report())
}

// allowFiles raises the limit of open files, as far as that is allowed.
func allowFiles(count uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= count {
		return nil
	}
	wanted := syscall.Rlimit{Cur: count, Max: max(limit.Max, count)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &wanted); err != nil {
		return fmt.Errorf("%d open files are needed, %d are allowed: %w", count, limit.Max, err)
	}
	return nil
}

// endAfter ends the program well after this time, or when it is asked to.
func endAfter(deadlineNs int64) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-signals:
	case <-time.After(time.Duration(deadlineNs)):
	}
	os.Exit(0)
}
