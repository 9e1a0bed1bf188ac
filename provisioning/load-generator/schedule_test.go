package main

import (
	"math"
	"slices"
	"testing"
)

func instantsOf(s *schedule) []int64 {
	var instants []int64
	for {
		at, isMore := s.peek()
		if !isMore {
			return instants
		}
		instants = append(instants, at)
		s.advance()
	}
}

func TestEvenInstantsAreAtEqualGaps(t *testing.T) {
	instants := instantsOf(newSchedule(3, 10_000_000_000, false, 0))
	if len(instants) != 30 {
		t.Fatalf("%d instants instead of 30", len(instants))
	}
	for i, at := range instants {
		if want := int64(float64(i) * 1e9 / 3); at != want {
			t.Errorf("instant %d is %d instead of %d", i, at, want)
		}
	}
}

func TestPoissonInstantsAreOfTheirSeed(t *testing.T) {
	make := func(seed uint64) []int64 {
		return instantsOf(newSchedule(1000, 1_000_000_000, true, seed))
	}
	if !slices.Equal(make(5), make(5)) {
		t.Error("the same seed gives other instants")
	}
	if slices.Equal(make(5), make(6)) {
		t.Error("another seed gives the same instants")
	}
}

func TestPoissonGapsAreExponential(t *testing.T) {
	const rate, count = 1000, 100_000
	for seed := range uint64(5) {
		instants := instantsOf(newSchedule(rate, count/rate*1_000_000_000, true, seed))
		// The number of instants has the standard deviation sqrt(count).
		if off := math.Abs(float64(len(instants) - count)); off > 4*math.Sqrt(count) {
			t.Errorf("seed %d: %d instants instead of about %d", seed, len(instants), count)
		}
		gaps := make([]float64, len(instants))
		before := int64(0)
		for i, at := range instants {
			gaps[i] = float64(at-before) / 1e9 * rate
			before = at
		}
		if distance := distanceToExponential(gaps); distance > 1.95/math.Sqrt(count) {
			t.Errorf("seed %d: the gaps are %g from exponential ones", seed, distance)
		}
		if correlation := lagCorrelation(gaps); math.Abs(correlation) > 4/math.Sqrt(count) {
			t.Errorf("seed %d: neighbouring gaps correlate by %g", seed, correlation)
		}
	}
}

// distanceToExponential is the statistic of Kolmogorov and Smirnov; above 1.95 / sqrt(n) once in a
// thousand times.
func distanceToExponential(gaps []float64) float64 {
	sorted := slices.Clone(gaps)
	slices.Sort(sorted)
	distance := 0.0
	for i, gap := range sorted {
		expected := 1 - math.Exp(-gap)
		below, above := float64(i)/float64(len(gaps)), float64(i+1)/float64(len(gaps))
		distance = max(distance, math.Abs(expected-below), math.Abs(expected-above))
	}
	return distance
}

// lagCorrelation is that of each gap with the next one; gaps have mean and deviation 1.
func lagCorrelation(gaps []float64) float64 {
	sum := 0.0
	for i := 1; i < len(gaps); i++ {
		sum += (gaps[i-1] - 1) * (gaps[i] - 1)
	}
	return sum / float64(len(gaps)-1)
}

func TestUniformNumbersAreAboveZero(t *testing.T) {
	random := randomStream{}
	for range 100_000 {
		if u := random.uniform(); u <= 0 || u > 1 {
			t.Fatalf("%g", u)
		}
	}
}
