package main

import (
	"fmt"
	"sync/atomic"
	"syscall"
)

const (
	readBytes   = 256 * 1024
	sweepNs     = 20 * nsPerMs
	lingerAbove = 8192
	countingNs  = 100 * nsPerMs
	noInstant   = int64(1)<<62 - 1
)

type connectionState int

const (
	isShut connectionState = iota
	isConnecting
	isIdle
	isUnderWay
)

// connection is one place for a request at a time. Its socket may come and go.
type connection struct {
	index      int32
	generation int32
	fd         int
	state      connectionState
	target     *target
	// Bytes of the request that were written.
	written int
	// The instant that the latency of the request counts from.
	beganNs int64
	// The instant that this fails at, unless it is answered.
	failsAtNs   int64
	connectedNs int64
	failedInRow int
	// When a connection that failed may be opened again.
	restsUntilNs int64
	hasTicket    bool
	// True once the server has said that it sends no more over this connection.
	isLast    bool
	response  response
	latencies histogram
}

// loadEnd is what ends a load early.
type loadEnd struct {
	stop       atomic.Bool
	deadlineNs int64
}

// loop decides what is sent when.
type loop interface {
	// opened is told that a connection can be used.
	opened(c *connection, now int64)
	// answered is told that a request was answered; the connection is idle, or shut.
	answered(c *connection, now int64)
	// failed is told that a request failed; the connection is shut.
	failed(c *connection, now int64)
}

// worker drives its connections from one thread.
type worker struct {
	settings    *settings
	loop        loop
	poller      *poller
	connections []connection
	buffer      []byte
	tally       tally
	stop        *atomic.Bool
	deadlineNs  int64
	nextSweepNs int64
	open        int
	connecting  int
	underWay    int
	// The window that answers are counted in; nothing is before it is known.
	windowBeginNs int64
	windowEndNs   int64
}

// newWorker makes the connections from this number on, of all that the load has.
func newWorker(s *settings, count, first int, end *loadEnd) (*worker, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	w := &worker{settings: s, poller: p, stop: &end.stop, deadlineNs: end.deadlineNs}
	w.buffer = make([]byte, readBytes)
	w.windowBeginNs, w.windowEndNs = noInstant, noInstant
	w.connections = make([]connection, count)
	for i := range w.connections {
		c := &w.connections[i]
		c.index, c.fd = int32(i), -1
		c.target = &s.targets[(first+i)%len(s.targets)]
	}
	return w, nil
}

// connect begins to open a connection. It may fail at once.
func (w *worker) connect(c *connection, now int64) {
	c.generation++
	c.isLast = false
	c.connectedNs = now
	c.failsAtNs = w.failsAt(now)
	fd, err := syscall.Socket(
		syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0,
	)
	if err != nil {
		w.fail(c, connectFailed, err.Error(), now)
		return
	}
	c.fd = fd
	w.open++
	w.tally.openAtOnce = max(w.tally.openAtOnce, w.open)
	c.state = isConnecting
	w.connecting++
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if w.settings.connections > lingerAbove {
		// Else the ports of one load are still taken in the next ones.
		atOnce := &syscall.Linger{Onoff: 1}
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, atOnce)
	}
	err = syscall.Connect(fd, &c.target.address)
	if err != nil && err != syscall.EINPROGRESS {
		w.failConnect(c, err.(syscall.Errno), now)
		return
	}
	if err := w.poller.add(fd, c.index, c.generation); err != nil {
		w.fail(c, connectFailed, err.Error(), now)
	}
}

func (w *worker) failConnect(c *connection, errno syscall.Errno, now int64) {
	w.fail(c, connectFailure(errno), errno.Error(), now)
}

// shut closes the socket.
func (w *worker) shut(c *connection) {
	switch c.state {
	case isConnecting:
		w.connecting--
	case isUnderWay:
		w.underWay--
	}
	if c.fd >= 0 {
		syscall.Close(c.fd)
		c.fd = -1
		w.open--
	}
	c.state = isShut
	c.generation++
	c.failsAtNs = noInstant
}

func (w *worker) fail(c *connection, class failureClass, text string, now int64) {
	w.shut(c)
	w.tally.fail(class, text, now)
	c.failedInRow++
	w.loop.failed(c, now)
}

// failsAt is when a request of now has taken too long: in time to be counted before all must end.
func (w *worker) failsAt(now int64) int64 {
	return min(now+w.settings.timeoutNs, w.deadlineNs-countingNs)
}

// send sends the request over an idle connection; its latency counts from an instant before.
func (w *worker) send(c *connection, beganNs, now int64) {
	c.state = isUnderWay
	w.underWay++
	w.tally.underWayAtOnce = max(w.tally.underWayAtOnce, w.underWay)
	c.beganNs = beganNs
	c.failsAtNs = w.failsAt(now)
	c.written = 0
	c.response.reset()
	w.write(c, now)
}

func (w *worker) write(c *connection, now int64) {
	request := c.target.request
	for c.written < len(request) {
		count, errno := writeSome(c.fd, request[c.written:])
		if errno == syscall.EAGAIN {
			return
		}
		if errno != 0 {
			w.fail(c, connectionReset, errno.Error(), now)
			return
		}
		c.written += count
	}
}

// handle serves what has happened to a connection.
func (w *worker) handle(event *syscall.EpollEvent) {
	c := &w.connections[event.Fd]
	if event.Pad != c.generation {
		return
	}
	now := nowNs()
	if c.state == isConnecting {
		code, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err != nil || code != 0 {
			w.failConnect(c, syscall.Errno(code), now)
			return
		}
		if event.Events&(syscall.EPOLLOUT|syscall.EPOLLIN) == 0 {
			return
		}
		w.connecting--
		c.state = isIdle
		c.failsAtNs = noInstant
		w.tally.opened++
		w.tally.slowestConnectNs = max(w.tally.slowestConnectNs, now-c.connectedNs)
		w.loop.opened(c, now)
		return
	}
	c.isLast = c.isLast || event.Events&noMore != 0
	if c.state == isUnderWay && c.written < len(c.target.request) {
		w.write(c, now)
	}
	w.read(c)
}

// read takes what has come.
func (w *worker) read(c *connection) {
	for c.state == isUnderWay || c.state == isIdle {
		count, errno := readSome(c.fd, w.buffer)
		now := nowNs()
		switch {
		case errno == syscall.EAGAIN:
			return
		case errno != 0 || count == 0:
			w.lost(c, errno, now)
			return
		case c.state == isIdle:
			// Nothing was asked for.
			w.shut(c)
			return
		}
		hasEnded := w.take(c, w.buffer[:count], now)
		// A short read has emptied the socket; of what comes next there is another event.
		if hasEnded || count < len(w.buffer) && !c.isLast {
			return
		}
	}
}

// take gives bytes to the response. True if the request has ended, well or not.
func (w *worker) take(c *connection, data []byte, now int64) bool {
	before := c.response.bodyBytes
	if err := c.response.feed(data); err != nil {
		w.fail(c, malformed, err.Error(), now)
		return true
	}
	came := uint64(c.response.bodyBytes - before)
	w.tally.bytes += came
	if now < w.windowEndNs {
		w.tally.bytesInWindow += came
	}
	if c.response.part != complete {
		return false
	}
	w.finish(c, now)
	return true
}

// lost serves the end of a connection that the server has brought about.
func (w *worker) lost(c *connection, errno syscall.Errno, now int64) {
	switch {
	case c.state == isIdle:
		w.shut(c)
	case errno != 0:
		w.fail(c, connectionReset, errno.Error(), now)
	case c.response.end():
		w.finish(c, now)
	case !c.response.isBegun:
		w.fail(c, connectionClosed, "closed before the first byte of the answer", now)
	case c.response.part == inHead:
		w.fail(c, shortBody, "closed within the head of the answer", now)
	default:
		text := fmt.Sprintf("closed after %d bytes of the body", c.response.bodyBytes)
		w.fail(c, shortBody, text, now)
	}
}

// finish judges an answer that is complete.
func (w *worker) finish(c *connection, now int64) {
	s, r := w.settings, &c.response
	w.underWay--
	c.state = isIdle
	c.failsAtNs = noInstant
	switch {
	case r.status != s.expectStatus:
		text := fmt.Sprintf("status %d instead of %d", r.status, s.expectStatus)
		w.fail(c, wrongStatus, text, now)
		return
	case s.expectBytes >= 0 && r.bodyBytes != s.expectBytes:
		text := fmt.Sprintf("a body of %d bytes instead of %d", r.bodyBytes, s.expectBytes)
		w.fail(c, wrongSize, text, now)
		return
	}
	c.failedInRow = 0
	c.latencies.add(now - c.beganNs)
	w.tally.answered++
	w.tally.lastAnswerNs = now
	if now < w.windowEndNs {
		w.tally.answeredInWindow++
	}
	if r.closes || c.isLast {
		w.shut(c)
	}
	w.loop.answered(c, now)
}

// sweep fails what has waited for too long, every few milliseconds.
func (w *worker) sweep(now int64) {
	if now < w.nextSweepNs {
		return
	}
	w.nextSweepNs = now + sweepNs
	for i := range w.connections {
		c := &w.connections[i]
		if now < c.failsAtNs {
			continue
		}
		switch c.state {
		case isConnecting:
			w.fail(c, connectTimeout, "no connection in time", now)
		case isUnderWay:
			text := fmt.Sprintf("%d bytes of the body in time", c.response.bodyBytes)
			w.fail(c, answerTimeout, text, now)
		}
	}
}

// poll waits for at most so long and serves what has happened.
func (w *worker) poll(timeoutNs int64) {
	for i, events := 0, w.poller.wait(timeoutNs); i < len(events); i++ {
		w.handle(&events[i])
	}
}

// isOver is true once all must end.
func (w *worker) isOver() bool {
	return w.stop.Load() || nowNs() >= w.deadlineNs
}

// end notes what is still under way.
func (w *worker) end() {
	for i := range w.connections {
		c := &w.connections[i]
		if c.state == isUnderWay || c.state == isConnecting && c.hasTicket {
			w.tally.unfinished++
		}
	}
}
