package main

import "runtime"

const (
	// Connections that are open before the first request is due.
	openedBefore = 8
	// A wait ends so long before the instant; the rest is spun.
	spinNs = 60_000
)

// openLoop sends requests at instants that are fixed beforehand, whatever others are answered.
type openLoop struct {
	*worker
	schedule *schedule
	// Connections by whether they can be used; the last one that was used is the next one.
	idle []*connection
	shut []*connection
}

// runOpen runs the load on one thread, so that all connections are free for every instant.
func runOpen(s *settings, end *loadEnd) ([]*worker, error) {
	w, err := newWorker(s, s.connections, 0, end)
	if err != nil {
		return nil, err
	}
	l := &openLoop{worker: w}
	l.schedule = newSchedule(s.ratePerSecond, s.durationNs, s.isPoisson, s.seed)
	w.loop = l
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tightenTimerSlack()
		l.run()
		l.end()
	}()
	<-done
	return []*worker{w}, nil
}

func (l *openLoop) run() {
	for i := len(l.connections) - 1; i >= 0; i-- {
		l.shut = append(l.shut, &l.connections[i])
	}
	for i := 0; i < min(openedBefore, len(l.connections)); i++ {
		l.connect(l.popShut(), nowNs())
	}
	for l.connecting > 0 && !l.isOver() {
		l.poll(sweepNs)
		l.sweep(nowNs())
	}
	// What failed before the load is told by the load itself.
	l.tally.failures, l.tally.first = [failureClasses]uint64{}, nil
	l.windowBeginNs = nowNs() + nsPerMs
	l.windowEndNs = l.windowBeginNs + l.settings.durationNs
	l.sendAll()
	for l.underWay+l.connecting > 0 && !l.isOver() {
		l.poll(sweepNs)
		l.sweep(nowNs())
	}
	l.tally.planned = l.schedule.planned
}

// sendAll sends each request at its instant and serves answers in between.
func (l *openLoop) sendAll() {
	for !l.isOver() {
		offset, isMore := l.schedule.peek()
		dueNs := l.windowBeginNs + offset
		if !isMore {
			dueNs = l.windowEndNs
		}
		now := nowNs()
		l.sweep(now)
		if now < dueNs {
			l.poll(min(dueNs-now-spinNs, sweepNs))
			continue
		}
		if !isMore {
			return
		}
		l.schedule.advance()
		l.sendDue(dueNs, now)
		// However late it is, answers are looked for before the next request.
		l.poll(0)
	}
}

// sendDue sends a request that is due over a free connection, or over a new one.
func (l *openLoop) sendDue(dueNs, now int64) {
	for len(l.idle) > 0 {
		c := l.idle[len(l.idle)-1]
		l.idle = l.idle[:len(l.idle)-1]
		if c.state != isIdle {
			l.shut = append(l.shut, c)
			continue
		}
		l.tally.attempted++
		l.tally.lateness.add(now - dueNs)
		c.hasTicket = true
		l.send(c, dueNs, now)
		return
	}
	if len(l.shut) == 0 {
		l.tally.notSent++
		return
	}
	c := l.popShut()
	l.tally.attempted++
	l.tally.lateness.add(now - dueNs)
	c.hasTicket = true
	c.beganNs = dueNs
	l.connect(c, now)
}

func (l *openLoop) popShut() *connection {
	c := l.shut[len(l.shut)-1]
	l.shut = l.shut[:len(l.shut)-1]
	return c
}

func (l *openLoop) opened(c *connection, now int64) {
	if c.hasTicket {
		l.send(c, c.beganNs, now)
		return
	}
	l.idle = append(l.idle, c)
}

func (l *openLoop) answered(c *connection, now int64) {
	c.hasTicket = false
	if c.state == isIdle {
		l.idle = append(l.idle, c)
		return
	}
	l.shut = append(l.shut, c)
}

func (l *openLoop) failed(c *connection, now int64) {
	c.hasTicket = false
	l.shut = append(l.shut, c)
}
