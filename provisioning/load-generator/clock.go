package main

import (
	"syscall"
	"time"
	"unsafe"
)

const (
	clockMonotonic  = 1
	prSetTimerSlack = 29
	timerSlackNs    = 1
	nsPerMs         = int64(time.Millisecond)
)

var clockBase = time.Now()

// nowNs is CLOCK_MONOTONIC since the program began, in ns, by one look at the vDSO.
func nowNs() int64 { return int64(time.Since(clockBase)) }

// monotonicNs turns an instant of nowNs into one of CLOCK_MONOTONIC itself.
func monotonicNs(at int64) int64 {
	var now syscall.Timespec
	syscall.RawSyscall(
		syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0,
	)
	return now.Nano() - nowNs() + at
}

// tightenTimerSlack makes waits of this thread end as exactly as the kernel can.
func tightenTimerSlack() {
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, timerSlackNs, 0)
}

// cpuTimes is the CPU time of this process so far, in ns.
func cpuTimes() (userNs, systemNs int64) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0, 0
	}
	return usage.Utime.Nano(), usage.Stime.Nano()
}
