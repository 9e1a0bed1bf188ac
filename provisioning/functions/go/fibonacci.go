package main

import (
	"fmt"
	"net/url"
	"time"
)

const (
	fibonacciPreset = 1_000_000_000
	fibonacciMost   = 10_000_000_000
)

func doFibonacci(query url.Values) (string, time.Duration, error) {
	n, err := readNumber(query, "n", fibonacciPreset, fibonacciMost)
	if err != nil {
		return "", 0, err
	}
	begin := time.Now()
	value := fibonacci(n)
	elapsed := time.Since(begin)
	return fmt.Sprintf("%d\n", value), elapsed, nil
}

// fibonacci is the nth Fibonacci number modulo 2^64, by n-1 additions: 1, 1, 2, 3, ... n is at
// least 1.
func fibonacci(n uint64) uint64 {
	before, value := uint64(0), uint64(1)
	for i := uint64(1); i < n; i++ {
		before, value = value, before+value
	}
	return value
}
