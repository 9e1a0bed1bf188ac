package main

import (
	"math/big"
	"testing"
)

func TestFibonacciOfSmallNumbers(t *testing.T) {
	want := []uint64{1, 1, 2, 3, 5, 8, 13, 21, 34, 55}
	for i, value := range want {
		if got := fibonacci(uint64(i + 1)); got != value {
			t.Errorf("fibonacci(%d) = %d, want %d", i+1, got, value)
		}
	}
}

// The 93rd is the last that 64 bits hold; what follows is compared with numbers of any size.
func TestFibonacciWrapsAround(t *testing.T) {
	before, value := big.NewInt(0), big.NewInt(1)
	mask := new(big.Int).SetUint64(^uint64(0))
	for n := uint64(1); n <= 500; n++ {
		if want := new(big.Int).And(value, mask).Uint64(); fibonacci(n) != want {
			t.Fatalf("fibonacci(%d) = %d, want %d", n, fibonacci(n), want)
		}
		before, value = value, new(big.Int).Add(before, value)
	}
	if fibonacci(93) != 12200160415121876738 || fibonacci(94) != 1293530146158671551 {
		t.Errorf("fibonacci(93), (94) = %d, %d", fibonacci(93), fibonacci(94))
	}
}
