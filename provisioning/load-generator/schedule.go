package main

import "math"

// randomStream is SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014. Written here so that a seed means the same for ever.
type randomStream struct{ state uint64 }

func (r *randomStream) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform is above 0 and at most 1.
func (r *randomStream) uniform() float64 {
	return float64(r.next()>>11+1) / (1 << 53)
}

// schedule tells the instants that requests are to be sent at, from the seed alone: nothing that
// happens while they are sent can change it.
type schedule struct {
	random  *randomStream
	gapNs   float64
	nextNs  float64
	endNs   float64
	planned uint64
}

// newSchedule plans arrivals at this rate in [0, durationNs): at equal gaps, or as a Poisson
// process, whose gaps are exponential.
func newSchedule(ratePerSecond float64, durationNs int64, isPoisson bool, seed uint64) *schedule {
	s := &schedule{gapNs: 1e9 / ratePerSecond, endNs: float64(durationNs)}
	if isPoisson {
		s.random = &randomStream{state: seed}
		s.nextNs = s.gap()
	}
	return s
}

func (s *schedule) gap() float64 {
	if s.random == nil {
		return s.gapNs
	}
	return -math.Log(s.random.uniform()) * s.gapNs
}

// peek is the next instant, ns from the beginning, or false after the last one.
func (s *schedule) peek() (int64, bool) {
	return int64(s.nextNs), s.nextNs < s.endNs
}

// advance goes on to the instant after the next one.
func (s *schedule) advance() {
	s.planned++
	if s.random == nil {
		// Multiplied, not summed up: the error of a sum grows with its length.
		s.nextNs = float64(s.planned) * s.gapNs
		return
	}
	s.nextNs += s.gap()
}
