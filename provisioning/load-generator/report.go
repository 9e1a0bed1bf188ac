package main

import (
	"slices"
	"strconv"
)

const reportVersion = 1

var reportedQuantiles = []float64{0.5, 0.9, 0.99, 0.999, 1}

// report is what stands on the standard output. Durations are in ns.
type report struct {
	Version     int               `json:"version"`
	Mode        string            `json:"mode"`
	Ended       string            `json:"ended"`
	BeganMonoNs string            `json:"beganMonoNs"`
	ElapsedNs   int64             `json:"elapsedNs"`
	Threads     int               `json:"threads"`
	Requests    requestReport     `json:"requests"`
	Body        bodyReport        `json:"body"`
	Failures    failureReport     `json:"failures"`
	Latency     *durationReport   `json:"latency"`
	Lateness    *durationReport   `json:"lateness"`
	Connections connectionsReport `json:"connections"`
	CPU         cpuReport         `json:"cpu"`
}

type requestReport struct {
	Planned          uint64 `json:"planned"`
	Attempted        uint64 `json:"attempted"`
	Answered         uint64 `json:"answered"`
	AnsweredInWindow uint64 `json:"answeredInWindow"`
	Failed           uint64 `json:"failed"`
	NotSent          uint64 `json:"notSent"`
	Unfinished       uint64 `json:"unfinished"`
}

type bodyReport struct {
	Bytes         uint64 `json:"bytes"`
	BytesInWindow uint64 `json:"bytesInWindow"`
}

type failureReport struct {
	ByClass map[string]uint64 `json:"byClass"`
	First   *firstReport      `json:"first"`
}

type firstReport struct {
	Class string `json:"class"`
	AtNs  int64  `json:"atNs"`
	Text  string `json:"text"`
}

type durationReport struct {
	Count     uint64           `json:"count"`
	LeastNs   int64            `json:"leastNs"`
	MeanNs    int64            `json:"meanNs"`
	Quantiles []quantileReport `json:"quantiles"`
}

type quantileReport struct {
	Quantile float64 `json:"quantile"`
	Ns       int64   `json:"ns"`
}

// connectionsReport tells how equally the connections were served.
type connectionsReport struct {
	Opened           uint64 `json:"opened"`
	MostOpen         int    `json:"mostOpen"`
	MostUnderWay     int    `json:"mostUnderWay"`
	SlowestConnectNs int64  `json:"slowestConnectNs"`
	Unanswered       int    `json:"unanswered"`
	LeastAnswered    uint64 `json:"leastAnswered"`
	MostAnswered     uint64 `json:"mostAnswered"`
	LeastMedianNs    int64  `json:"leastMedianNs"`
	MostMedianNs     int64  `json:"mostMedianNs"`
}

type cpuReport struct {
	UserNs   int64 `json:"userNs"`
	SystemNs int64 `json:"systemNs"`
}

// outcome is a load that has ended.
type outcome struct {
	settings *settings
	workers  []*worker
	endNs    int64
	ended    string
	userNs   int64
	systemNs int64
}

func (o *outcome) report() report {
	var all tally
	var latencies histogram
	beginNs := o.endNs
	for _, w := range o.workers {
		all.merge(&w.tally)
		beginNs = min(beginNs, w.windowBeginNs)
		for i := range w.connections {
			latencies.merge(&w.connections[i].latencies)
		}
	}
	elapsedNs := o.endNs - beginNs
	if o.settings.durationNs > 0 {
		elapsedNs = min(elapsedNs, o.settings.durationNs)
	}
	failures, failed := failuresOf(&all, beginNs)
	mode := "closed"
	if o.settings.isOpen {
		mode = "open"
	}
	return report{
		Version:     reportVersion,
		Mode:        mode,
		Ended:       o.ended,
		BeganMonoNs: strconv.FormatInt(monotonicNs(beginNs), 10),
		ElapsedNs:   elapsedNs,
		Threads:     o.settings.threads,
		Requests: requestReport{
			Planned:          all.planned,
			Attempted:        all.attempted,
			Answered:         all.answered,
			AnsweredInWindow: all.answeredInWindow,
			Failed:           failed,
			NotSent:          all.notSent,
			Unfinished:       all.unfinished,
		},
		Body:        bodyReport{Bytes: all.bytes, BytesInWindow: all.bytesInWindow},
		Failures:    failures,
		Latency:     durationsOf(&latencies),
		Lateness:    durationsOf(&all.lateness),
		Connections: o.connections(&all),
		CPU:         cpuReport{UserNs: o.userNs, SystemNs: o.systemNs},
	}
}

func failuresOf(all *tally, beginNs int64) (failureReport, uint64) {
	failures := failureReport{ByClass: map[string]uint64{}}
	failed := uint64(0)
	for class, count := range all.failures {
		if count > 0 {
			failures.ByClass[failureNames[class]] = count
			failed += count
		}
	}
	if first := all.first; first != nil {
		failures.First = &firstReport{
			Class: failureNames[first.class],
			AtNs:  max(0, first.atNs-beginNs),
			Text:  first.text,
		}
	}
	return failures, failed
}

func durationsOf(h *histogram) *durationReport {
	if h.count == 0 {
		return nil
	}
	d := &durationReport{Count: h.count, LeastNs: h.least, MeanNs: h.mean()}
	for _, share := range reportedQuantiles {
		d.Quantiles = append(d.Quantiles, quantileReport{Quantile: share, Ns: h.quantile(share)})
	}
	return d
}

func (o *outcome) connections(all *tally) connectionsReport {
	var answered []uint64
	var medians []int64
	unanswered := 0
	for _, w := range o.workers {
		for i := range w.connections {
			latencies := &w.connections[i].latencies
			if latencies.count == 0 {
				unanswered++
				continue
			}
			answered = append(answered, latencies.count)
			medians = append(medians, latencies.quantile(0.5))
		}
	}
	c := connectionsReport{
		Opened:           all.opened,
		MostOpen:         all.openAtOnce,
		MostUnderWay:     all.underWayAtOnce,
		SlowestConnectNs: all.slowestConnectNs,
		Unanswered:       unanswered,
	}
	if len(answered) > 0 {
		c.LeastAnswered, c.MostAnswered = slices.Min(answered), slices.Max(answered)
		c.LeastMedianNs, c.MostMedianNs = slices.Min(medians), slices.Max(medians)
	}
	return c
}
