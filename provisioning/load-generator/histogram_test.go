package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const seeds = 40

// valuesOf makes durations of some distribution: even, log-even over many powers of two, or few.
func valuesOf(random *rand.Rand) []int64 {
	values := make([]int64, 1+random.IntN(3000))
	shape, width := random.IntN(3), 1+random.IntN(50)
	for i := range values {
		switch shape {
		case 0:
			values[i] = random.Int64N(1 << width)
		case 1:
			values[i] = int64(math.Exp2(random.Float64() * float64(width)))
		default:
			values[i] = int64(1+random.IntN(3)) << width
		}
	}
	return values
}

func exactQuantile(sorted []int64, share float64) int64 {
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

func isWithin(got, exact int64, share float64) bool {
	return math.Abs(float64(got-exact)) <= share*float64(exact)
}

func TestQuantilesAreWithinHalfAPercentOfTheExactOnes(t *testing.T) {
	for seed := range uint64(seeds) {
		values := valuesOf(rand.New(rand.NewPCG(seed, 1)))
		var h histogram
		for _, value := range values {
			h.add(value)
		}
		slices.Sort(values)
		for _, share := range []float64{0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
			got, exact := h.quantile(share), exactQuantile(values, share)
			if !isWithin(got, exact, 0.004) {
				t.Errorf("seed %d: quantile %g is %d instead of %d", seed, share, got, exact)
			}
		}
		if h.quantile(0) != values[0] || h.quantile(1) != values[len(values)-1] {
			t.Errorf("seed %d: the least or the greatest value is not exact", seed)
		}
	}
}

func TestEveryValueIsNearTheMiddleOfItsBucket(t *testing.T) {
	for shift := range 62 {
		for _, value := range []int64{1 << shift, 1<<shift + 1<<shift/3, 1<<(shift+1) - 1} {
			got := middleOf(bucketOf(uint64(value)))
			if !isWithin(got, value, 0.004) {
				t.Errorf("%d stands as %d", value, got)
			}
		}
	}
}

func TestMergedHistogramsAreAsOne(t *testing.T) {
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 2))
		var one, left, right histogram
		for _, value := range valuesOf(random) {
			one.add(value)
			if random.IntN(2) == 0 {
				left.add(value)
			} else {
				right.add(value)
			}
		}
		left.merge(&right)
		if left.count != one.count || left.least != one.least || left.most != one.most {
			t.Errorf("seed %d: the merged one has other bounds", seed)
		}
		for share := 0.0; share <= 1; share += 0.05 {
			if left.quantile(share) != one.quantile(share) {
				t.Errorf("seed %d: the merged one has another quantile %g", seed, share)
			}
		}
	}
}

func TestAHistogramWithoutValuesHasNoQuantile(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 || h.mean() != 0 {
		t.Error("it has one")
	}
}
