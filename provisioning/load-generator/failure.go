package main

import "syscall"

// failureClass is why a request got no good answer.
type failureClass int

const (
	connectRefused failureClass = iota
	connectTimeout
	connectFailed
	connectionReset
	connectionClosed
	answerTimeout
	shortBody
	wrongStatus
	wrongSize
	malformed
	failureClasses
)

var failureNames = [failureClasses]string{
	connectRefused:   "connect-refused",
	connectTimeout:   "connect-timeout",
	connectFailed:    "connect-failed",
	connectionReset:  "reset",
	connectionClosed: "closed",
	answerTimeout:    "timeout",
	shortBody:        "short-body",
	wrongStatus:      "wrong-status",
	wrongSize:        "wrong-size",
	malformed:        "malformed",
}

// connectFailure is the class of an error of a connection that was never made.
func connectFailure(errno syscall.Errno) failureClass {
	switch errno {
	case syscall.ECONNREFUSED:
		return connectRefused
	case syscall.ETIMEDOUT:
		return connectTimeout
	case syscall.ECONNRESET:
		return connectionReset
	}
	return connectFailed
}

// firstFailure is the earliest one.
type firstFailure struct {
	class failureClass
	atNs  int64
	text  string
}

const failureTextMax = 200

// tally counts what a worker has done.
type tally struct {
	attempted        uint64
	answered         uint64
	answeredInWindow uint64
	bytesInWindow    uint64
	bytes            uint64
	unfinished       uint64
	notSent          uint64
	planned          uint64
	failures         [failureClasses]uint64
	first            *firstFailure
	opened           uint64
	openAtOnce       int
	underWayAtOnce   int
	slowestConnectNs int64
	lastAnswerNs     int64
	lateness         histogram
}

func (t *tally) fail(class failureClass, text string, atNs int64) {
	t.failures[class]++
	if t.first != nil && t.first.atNs <= atNs {
		return
	}
	t.first = &firstFailure{class: class, atNs: atNs, text: text[:min(len(text), failureTextMax)]}
}

func (t *tally) merge(other *tally) {
	t.attempted += other.attempted
	t.answered += other.answered
	t.answeredInWindow += other.answeredInWindow
	t.bytesInWindow += other.bytesInWindow
	t.bytes += other.bytes
	t.unfinished += other.unfinished
	t.notSent += other.notSent
	t.planned += other.planned
	for class, count := range other.failures {
		t.failures[class] += count
	}
	if other.first != nil && (t.first == nil || other.first.atNs < t.first.atNs) {
		t.first = other.first
	}
	t.opened += other.opened
	t.openAtOnce += other.openAtOnce
	t.underWayAtOnce += other.underWayAtOnce
	t.slowestConnectNs = max(t.slowestConnectNs, other.slowestConnectNs)
	t.lastAnswerNs = max(t.lastAnswerNs, other.lastAnswerNs)
	t.lateness.merge(&other.lateness)
}
