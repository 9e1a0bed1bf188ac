package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	restNs      = 10 * nsPerMs
	restDoubles = 6
)

// tickets are the requests that may still be made: so many, or any number.
type tickets struct {
	left      atomic.Int64
	isLimited bool
}

func (t *tickets) take() bool {
	return !t.isLimited || t.left.Add(-1) >= 0
}

// start is the instant that all workers begin at, once the last of them has its connections.
type start struct {
	missing atomic.Int32
	atNs    atomic.Int64
}

// closedLoop sends a request over each connection as soon as the one before is answered.
type closedLoop struct {
	*worker
	tickets   *tickets
	start     *start
	isRunning bool
	// Connections that failed and wait to be opened again.
	resting int
}

// runClosed runs the load on so many threads and returns their workers.
func runClosed(s *settings, end *loadEnd) ([]*worker, error) {
	shared := &tickets{isLimited: s.requests > 0}
	shared.left.Store(s.requests)
	begin := &start{}
	begin.missing.Store(int32(s.threads))
	workers := make([]*worker, s.threads)
	first := 0
	for i := range workers {
		count := (s.connections - first) / (s.threads - i)
		w, err := newWorker(s, count, first, end)
		if err != nil {
			return nil, err
		}
		workers[i] = w
		first += count
	}
	var all sync.WaitGroup
	for _, w := range workers {
		l := &closedLoop{worker: w, tickets: shared, start: begin}
		w.loop = l
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			tightenTimerSlack()
			l.run()
			l.end()
		}()
	}
	all.Wait()
	return workers, nil
}

func (l *closedLoop) run() {
	for i := range l.connections {
		l.next(&l.connections[i], nowNs())
	}
	for l.connecting > 0 && !l.isOver() {
		l.poll(sweepNs)
		l.sweep(nowNs())
	}
	if l.start.missing.Add(-1) == 0 {
		l.start.atNs.Store(nowNs())
	}
	for l.start.atNs.Load() == 0 {
		if l.isOver() {
			return
		}
		// Nothing is expected; what comes all the same is served.
		l.poll(nsPerMs / 4)
	}
	l.begin()
	for !l.isOver() && !l.isDone() {
		wait := sweepNs
		if l.resting > 0 {
			wait = restNs / 2
		}
		now := nowNs()
		if now < l.windowEndNs {
			wait = min(wait, l.windowEndNs-now)
		}
		l.poll(wait)
		now = nowNs()
		l.sweep(now)
		l.wake(now)
	}
}

// begin sends the first request over every connection that is open.
func (l *closedLoop) begin() {
	l.isRunning = true
	l.windowBeginNs = l.start.atNs.Load()
	if l.settings.durationNs > 0 {
		l.windowEndNs = l.windowBeginNs + l.settings.durationNs
	}
	for i := range l.connections {
		c := &l.connections[i]
		now := nowNs()
		switch {
		case c.state == isIdle:
			l.send(c, now, now)
		case c.state == isShut && c.hasTicket:
			// The server has closed it since.
			l.connect(c, now)
		}
	}
}

// isDone is true once nothing is under way and nothing will be.
func (l *closedLoop) isDone() bool {
	return l.underWay == 0 && l.connecting == 0 && l.resting == 0
}

// next takes a ticket and uses it: over the open connection, or once it was opened again.
func (l *closedLoop) next(c *connection, now int64) {
	if now >= l.windowEndNs || l.stop.Load() || !l.tickets.take() {
		return
	}
	c.hasTicket = true
	l.tally.attempted++
	if c.state == isIdle {
		l.send(c, now, now)
		return
	}
	l.connect(c, now)
}

func (l *closedLoop) opened(c *connection, now int64) {
	if l.isRunning {
		l.send(c, now, now)
	}
}

func (l *closedLoop) answered(c *connection, now int64) {
	c.hasTicket = false
	l.next(c, now)
}

// failed lets the connection rest, twice as long each time, so that a server that is gone is not
// asked a million times.
func (l *closedLoop) failed(c *connection, now int64) {
	c.hasTicket = false
	c.restsUntilNs = now + restNs<<min(c.failedInRow-1, restDoubles)
	l.resting++
}

// wake opens the connections again that have rested.
func (l *closedLoop) wake(now int64) {
	if l.resting == 0 {
		return
	}
	for i := range l.connections {
		c := &l.connections[i]
		if c.restsUntilNs == 0 || now < c.restsUntilNs && now < l.windowEndNs {
			continue
		}
		c.restsUntilNs = 0
		l.resting--
		l.next(c, now)
	}
}
